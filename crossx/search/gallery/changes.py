"""Changes of a gallery's database, each one transaction: photos added, replaced and removed."""

import os
import secrets
from collections.abc import Iterable, Sequence

import numpy as np

from crossx.search.gallery.packing import check_vectors, photo_crc, vector_crc
from crossx.search.gallery.rows import F32, FileKey, Photo, Skipped
from crossx.search.gallery.truth import Truth


class Changes:
    """Writes to a database.

    Args:
        truth: The database, open for writing.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth, self._database = truth, truth.database

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped]) -> list[int]:
        """Add photos and skipped files; returns the photos' ids."""
        keys = [photo.key for photo in photos] + [entry.key for entry in skipped]
        if len(set(keys)) < len(keys):
            raise ValueError("photos and skipped: must name each file once")
        if photos:
            check_vectors(np.stack([photo.vector for photo in photos]), self._truth.encoder.dim, "photos")
        if not keys:
            return []
        with self._database.transaction():
            roots = self._roots({key.root for key in keys})
            ids, idle = self._add_photos(photos, roots)
            unreadable = self._at([(roots[entry.root], os.fsencode(entry.path)) for entry in skipped])
            idle |= self._delete_photos([number for number, _, _ in unreadable.values()])
            self._database.run_each(
                "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?)",
                [(roots[s.root], os.fsencode(s.path), s.size, s.mtime_ns, s.reason) for s in skipped],
            )
            self._close_change(idle)
        return ids

    def remove(self, ids: Iterable[int]) -> int:
        """Remove photos; returns how many were there."""
        wanted = sorted({number for number in ids if -(2**63) <= number < 2**63})
        with self._database.transaction():
            there = [row[0] for row in self._database.rows_in("SELECT id FROM photo WHERE id IN (?)", wanted)]
            if there:
                self._close_change(self._delete_photos(there))
        return len(there)

    def forget_skipped(self, keys: Sequence[FileKey]) -> None:
        """Remove notes about skipped files, such as of those that are gone."""
        roots = self._truth.roots()
        with self._database.transaction():
            rows = [(roots[key.root], os.fsencode(key.path)) for key in keys if key.root in roots]
            self._database.run_each("DELETE FROM skipped WHERE root = ? AND path = ?", rows)

    def set_probes(self, vectors: F32) -> None:
        """Store the vectors of the sketches with which recall is measured, in place of those before."""
        check_vectors(vectors, self._truth.encoder.dim, "probes")
        with self._database.transaction():
            self._database.run("DELETE FROM probe")
            rows = [(vector.astype("<f4").tobytes(),) for vector in vectors]
            self._database.run_each("INSERT INTO probe (embedding) VALUES (?)", rows)

    def set_setting(self, key: str, value: str) -> None:
        """Store a setting of the gallery."""
        with self._database.transaction():
            self._database.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _add_photos(self, photos: Sequence[Photo], roots: dict[str, int]) -> tuple[list[int], set[int]]:
        """Insert rows; returns the photos' ids, and vectors that may have lost their last photo."""
        places = [(roots[photo.root], os.fsencode(photo.path)) for photo in photos]
        earlier = self._at(places)
        hashes = sorted({photo.sha256 for photo in photos})
        shared = dict(self._database.rows_in("SELECT sha256, vector FROM photo WHERE sha256 IN (?)", hashes))
        next_vector, next_photo = self._truth.last("vector") + 1, self._truth.last("photo") + 1
        vectors, rows, ids = [], [], []
        for photo, place in zip(photos, places, strict=True):
            if photo.sha256 not in shared:
                embedding = photo.vector.astype("<f4").tobytes()
                vectors.append((next_vector, embedding, vector_crc(next_vector, embedding)))
                shared[photo.sha256] = next_vector
                next_vector += 1
            number, content, _ = earlier.get(place, (0, b"", 0))
            if content != photo.sha256:  # another picture at this path gets another id
                number, next_photo = next_photo, next_photo + 1
            file = (photo.size, photo.mtime_ns, photo.sha256, photo.width, photo.height)
            row = (number, *place, *file, shared[photo.sha256])
            rows.append((*row, photo_crc(row)))
            ids.append(number)
        idle = self._delete_photos([number for number, _, _ in earlier.values()])
        self._database.run_each("INSERT INTO vector VALUES (?, ?, ?)", vectors)
        self._database.run_each("INSERT INTO photo VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._database.run_each("DELETE FROM skipped WHERE root = ? AND path = ?", places)
        return ids, idle

    def _at(self, places: Sequence[tuple[int, bytes]]) -> dict[tuple[int, bytes], tuple[int, bytes, int]]:
        """Id, SHA-256 and vector of the photos at these places (root, path)."""
        found = {}
        for root in {root for root, _ in places}:
            paths = [path for number, path in places if number == root]
            sql = "SELECT path, id, sha256, vector FROM photo WHERE root = ? AND path IN (?)"
            for path, *rest in self._database.rows_in(sql, paths, (root,)):
                found[root, path] = (rest[0], rest[1], rest[2])
        return found

    def _delete_photos(self, ids: Sequence[int]) -> set[int]:
        """Delete rows; returns vectors that may have lost their last photo."""
        vectors = {row[0] for row in self._database.rows_in("SELECT vector FROM photo WHERE id IN (?)", ids)}
        self._database.run_each("DELETE FROM photo WHERE id = ?", [(number,) for number in ids])
        return vectors

    def _close_change(self, idle: set[int]) -> None:
        """Delete vectors without photos, and record the change."""
        used = {row[0] for row in self._database.rows_in("SELECT vector FROM photo WHERE vector IN (?)", sorted(idle))}
        gone = sorted(idle - used)
        seq = self._truth.last("change") + 1
        self._database.run_each("DELETE FROM vector WHERE id = ?", [(number,) for number in gone])
        self._database.run_each("INSERT INTO removal VALUES (?, ?)", [(number, seq) for number in gone])
        values = (seq, secrets.token_bytes(8), self._truth.last("vector"))
        self._database.run("INSERT INTO change VALUES (?, ?, ?)", values)

    def _roots(self, paths: set[str]) -> dict[str, int]:
        rows = [(os.fsencode(path),) for path in sorted(paths)]
        self._database.run_each("INSERT OR IGNORE INTO root (path) VALUES (?)", rows)
        return self._truth.roots()
