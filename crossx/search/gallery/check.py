"""A look at everything in a gallery's database: structure, checksums, and whether the tables agree."""

import numpy as np

from crossx.core.errors import InputError
from crossx.search.gallery.truth import Truth

_AGREE = {
    "vectors without a photo": "SELECT v.id FROM vector v LEFT JOIN photo p ON p.vector = v.id WHERE p.id IS NULL",
    "removed vectors that are still there": "SELECT v.id FROM vector v JOIN removal r ON r.vector = v.id",
    "contents with two vectors": "SELECT min(id) FROM photo GROUP BY sha256 HAVING count(DISTINCT vector) > 1",
    "vectors of two contents": "SELECT vector FROM photo GROUP BY vector HAVING count(DISTINCT sha256) > 1",
    "files that are photos and skipped": "SELECT p.id FROM photo p JOIN skipped s USING (root, path)",
}
"""Queries that find nothing in a gallery whose tables agree."""
_SHOWN = 5
_LENGTH_TOLERANCE = 1e-2


def check(truth: Truth) -> list[str]:
    """What is wrong with a database; empty where nothing is.

    Args:
        truth: The database.
    """
    found = [f"{truth.file}: {line}" for line in truth.database.check()]
    if found:
        return found
    try:
        found += [
            f"photo {photo.id}: its vector does not have length 1"
            for photo in truth.scan(0)
            if not abs(np.linalg.norm(photo.vector) - 1) < _LENGTH_TOLERANCE
        ]
        for _ in truth.vectors_after(0):
            pass
        if truth.last("vector") > truth.mark().last_vector:
            found.append("vectors that belong to no change")
        for what, sql in _AGREE.items():
            if rows := truth.database.rows(sql):
                ids = ", ".join(str(row[0]) for row in rows[:_SHOWN])
                found.append(f"{len(rows)} {what} (ids {ids})")
    except InputError as error:
        found.append(str(error))
    return found
