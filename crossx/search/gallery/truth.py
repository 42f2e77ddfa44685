"""Photos and vectors as the database has them, read with their checksums."""

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossx.core.errors import InputError
from crossx.search.gallery.database import Database, damaged
from crossx.search.gallery.packing import as_photo, as_vector, vector_crc
from crossx.search.gallery.permitted import Permitted
from crossx.search.gallery.rows import F32, I64, EncoderIdentity, FileKey, Known, Photo, Skipped

_PHOTO = "p.id, p.root, p.path, p.size, p.mtime_ns, p.sha256, p.width, p.height, p.vector, p.crc"
_AT_ONCE = 8192
"""Rows that a scan holds in memory."""


class Mark(NamedTuple):
    """A committed state of the database.

    Attributes:
        seq: Number of the change that made it.
        token: Random bytes of that change.
        last_vector: Highest id of a vector that was ever in the database.
    """

    seq: int
    token: bytes
    last_vector: int


class Truth:
    """The tables of a gallery.

    Args:
        file: The database file.
        write: Whether to open it for writing.
        encoder: The encoder, for a gallery that is made; compared with the stored one otherwise, where given.

    Raises:
        InputError: When the database cannot be used, or is of another encoder.
    """

    def __init__(self, file: Path, write: bool, encoder: EncoderIdentity | None) -> None:
        self.database = Database(file, write)
        self.file = file
        meta = dict(self.database.rows("SELECT key, value FROM meta"))
        if not meta and write and encoder is not None:
            meta = {"encoder": encoder.sha256, "dim": str(encoder.dim), "card": encoder.card}
            with self.database.transaction():
                self.database.run_each("INSERT INTO meta VALUES (?, ?)", meta.items())
                self.database.run("INSERT INTO change (token, last_vector) VALUES (?, 0)", (secrets.token_bytes(8),))
        if not {"encoder", "dim", "card"} <= meta.keys() or not meta["dim"].isdigit():
            raise damaged(file, "it does not say which encoder it is of")
        self.encoder = EncoderIdentity(meta["encoder"], int(meta["dim"]), meta["card"])
        if encoder is not None and encoder.sha256 != self.encoder.sha256:
            raise InputError(
                f"--encoder: must be the encoder that {file.parent} was made with ({self.encoder.sha256[:12]}), got "
                f"{encoder.sha256[:12]}, whose vectors mean something else; index into a new folder beside it"
            )

    def count(self) -> int:
        """Number of photos."""
        return int(self.database.rows("SELECT count(*) FROM photo")[0][0])

    def vectors(self, after: int = 0) -> int:
        """Number of vectors with an id above `after`, by an index of the photos: the vectors' own table is large."""
        return int(self.database.rows("SELECT count(DISTINCT vector) FROM photo WHERE vector > ?", (after,))[0][0])

    def skipped_count(self) -> int:
        """Number of files that were skipped."""
        return int(self.database.rows("SELECT count(*) FROM skipped")[0][0])

    def setting(self, key: str, default: str) -> str:
        """A setting of the gallery, or its default."""
        rows = self.database.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else default

    def skipped(self) -> list[Skipped]:
        """All files that were skipped, by path."""
        rows = self.database.each(
            "SELECT r.path, s.path, size, mtime_ns, reason FROM skipped s JOIN root r ON r.id = s.root ORDER BY 1, 2"
        )
        return [Skipped(os.fsdecode(root), os.fsdecode(path), *rest) for root, path, *rest in rows]

    def roots(self) -> dict[str, int]:
        """Indexed folders and their ids."""
        return {os.fsdecode(path): number for number, path in self.database.rows("SELECT id, path FROM root")}

    def mark(self) -> Mark:
        """The newest committed state."""
        rows = self.database.rows("SELECT seq, token, last_vector FROM change ORDER BY seq DESC LIMIT 1")
        if not rows:
            raise damaged(self.file, "it has no record of changes")
        return Mark(*rows[0])

    def is_past(self, mark: Mark) -> bool:
        """Whether a state was one of this database."""
        rows = self.database.rows("SELECT token, last_vector FROM change WHERE seq = ?", (mark.seq,))
        return [tuple(row) for row in rows] == [(mark.token, mark.last_vector)]

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files."""
        roots, known = self.roots(), {}
        by_root: dict[str, list[bytes]] = {}
        for key in keys:
            by_root.setdefault(key.root, []).append(os.fsencode(key.path))
        for root, paths in by_root.items():
            number = roots.get(root)
            for table, columns in (("photo", "id, '', sha256"), ("skipped", "NULL, reason, x''")):
                sql = f"SELECT path, size, mtime_ns, {columns} FROM {table} WHERE root = ? AND path IN (?)"  # noqa: S608
                for path, *rest in self.database.rows_in(sql, paths, (number,)):
                    known[FileKey(root, os.fsdecode(path))] = Known(*rest)
        return known

    def photo(self, number: int) -> Photo:
        """A photo with its vector; KeyError when there is none."""
        if not -(2**63) <= number < 2**63:
            raise KeyError(number)
        for photo in self._photos("p.id = ?", (number,)):
            return photo
        raise KeyError(number)

    def scan(self, after: int) -> Iterator[Photo]:
        """Photos with an id above `after`, by id; no transaction is open between two of them."""
        while photos := list(self._photos(f"p.id > ? ORDER BY p.id LIMIT {_AT_ONCE}", (after,))):
            yield from photos
            after = photos[-1].id

    def vectors_after(self, after: int) -> Iterator[tuple[I64, F32]]:
        """Vectors with an id above `after`, by id: ids (n,) and vectors (n, D), a few thousand at a time."""
        sql = "SELECT id, embedding, crc FROM vector WHERE id > ? ORDER BY id LIMIT ?"
        while rows := self.database.rows(sql, (after, _AT_ONCE)):
            yield self._matrix(rows)
            after = rows[-1][0]

    def vector_ids(self) -> I64:
        """Ids of all vectors, ascending."""
        return np.array([row[0] for row in self.database.rows("SELECT id FROM vector ORDER BY id")], dtype=np.int64)

    def vectors_of(self, numbers: Sequence[int]) -> tuple[I64, F32]:
        """The vectors with these ids that are there, ids ascending."""
        rows = list(self.database.rows_in("SELECT id, embedding, crc FROM vector WHERE id IN (?)", sorted(numbers)))
        return self._matrix(rows)

    def removed_after(self, seq: int) -> I64:
        """Ids of the vectors that were removed by later changes than `seq`."""
        rows = self.database.rows("SELECT vector FROM removal WHERE seq > ?", (seq,))
        return np.array([row[0] for row in rows], dtype=np.int64)

    def photos_of(self, vectors: Sequence[int]) -> dict[int, list[int]]:
        """Ids of the photos of each vector, ascending."""
        found: dict[int, list[int]] = {}
        for vector, number in self.database.rows_in("SELECT vector, id FROM photo WHERE vector IN (?)", vectors):
            found.setdefault(vector, []).append(number)
        return {vector: sorted(numbers) for vector, numbers in found.items()}

    def photos_under(self, folder: str) -> Permitted | None:
        """The photos in a folder, absolute or below the roots; None where these are all."""
        insides = {number: below(root, folder) for root, number in self.roots().items()}
        if all(inside == "" for inside in insides.values()):
            return None
        rows: list[tuple[int, int]] = []
        for number, inside in insides.items():
            if inside is None:
                continue
            name = os.fsencode(inside)
            part = " AND path >= ? AND path < ?" if name else ""
            bounds = (name + b"/", name + b"0") if name else ()  # "0" is the byte after "/"
            rows += self.database.each(f"SELECT vector, id FROM photo WHERE root = ?{part}", (number, *bounds))  # noqa: S608
        return Permitted.of(np.array(rows, np.int64).reshape(-1, 2))

    def probes(self) -> F32:
        """Vectors of the sketches with which recall is measured, (n, D)."""
        rows = self.database.rows("SELECT embedding FROM probe ORDER BY id")
        return np.frombuffer(b"".join(row[0] for row in rows), "<f4").reshape(len(rows), self.encoder.dim)

    def last(self, table: str) -> int:
        """Highest id that a table ever had."""
        rows = self.database.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        return int(rows[0][0]) if rows else 0

    def _photos(self, condition: str, values: Sequence[int]) -> Iterator[Photo]:
        roots = {number: root for root, number in self.roots().items()}
        sql = (
            f"SELECT {_PHOTO}, v.embedding, v.crc FROM photo p LEFT JOIN vector v ON v.id = p.vector WHERE {condition}"  # noqa: S608
        )
        for *row, embedding, crc in self.database.rows(sql, values):
            root, vector = row[1], row[8]
            if embedding is None or root not in roots:
                raise damaged(self.file, f"photo {row[0]} has no vector or no folder")
            yield as_photo(
                self.file, tuple(row), roots[root], as_vector(self.file, vector, embedding, crc, self.encoder.dim)
            )

    def _matrix(self, rows: Sequence[tuple[int, bytes, int]]) -> tuple[I64, F32]:
        if any(
            len(bytes_) != 4 * self.encoder.dim or vector_crc(number, bytes_) != crc for number, bytes_, crc in rows
        ):
            for row in rows:  # says which one
                as_vector(self.file, *row, self.encoder.dim)
        matrix = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(len(rows), self.encoder.dim)
        return np.array([row[0] for row in rows], dtype=np.int64), matrix


def below(root: str, folder: str) -> str | None:
    """A folder as a path below a root; empty for the root itself and what is above it, None for another place."""
    if not os.path.isabs(folder):
        return "" if os.path.normpath(folder) == "." else os.path.normpath(folder)
    folder = os.path.normpath(folder)
    if folder == root or root.startswith(folder.rstrip("/") + "/"):
        return ""
    return os.path.relpath(folder, root) if folder.startswith(root.rstrip("/") + "/") else None
