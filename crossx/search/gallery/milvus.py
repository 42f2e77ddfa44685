"""A gallery in Milvus: a server for galleries beyond one machine, or a file of milvus-lite for a try."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.search.gallery.milvus_rows import (
    IDS_AT_ONCE,
    NOTHING,
    PHOTO_FIELDS,
    as_photo,
    as_row,
    condition_of,
    escaped,
    file_note,
    first_number,
    plain,
)
from crossx.search.gallery.milvus_server import Collections, connect, is_file, note
from crossx.search.gallery.packing import check_vectors
from crossx.search.gallery.rows import EXACT, F32, EncoderIdentity, FileKey, Hit, How, Known, Photo, Skipped, Status

_MOST = 16_384
"""Most hits that Milvus gives to one query."""
_BESIDE = 32
"""Hits beyond the wanted number: copies of one photo are one hit, and ties are put in order."""


class MilvusGallery:
    """A gallery in Milvus, as `Gallery` in `crossx.search.gallery.protocol` describes it.

    Three things differ from a folder, because Milvus has no transactions. An `add` that is killed may have added a part
    of its photos; each of them is whole, and adding all again completes it. The id of a photo follows from its folder,
    path and content, so that many machines may write at once. And a server searches by its own index, whose recall is
    not measured here; a file of milvus-lite is searched exactly.

    Args:
        uri: `http://host:19530` of a server, whose token is in the environment as `CROSSX_MILVUS_TOKEN`, or the name of
            a file that ends with `.db`.
        write: Whether to make the gallery where it is not there.
        encoder: The encoder; must be that of the gallery, where there is one.
        collection: Name of the gallery in the database.

    Raises:
        InputError: When Milvus cannot be reached, or holds no gallery, or one of another encoder.
    """

    def __init__(
        self, uri: str, write: bool = False, encoder: EncoderIdentity | None = None, collection: str = "crossx"
    ) -> None:
        self.name = f"milvus:{uri}"
        self._is_file = is_file(uri)
        self._client = connect(uri, must_exist=not write)
        try:
            self._stored = Collections(self._client, collection, uri)
            self._encoder = self._stored.open(encoder if write else None)
            if encoder is not None and encoder.sha256 != self._encoder.sha256:
                raise InputError(
                    f"--encoder: must be the encoder that {self.name} was made with ({self._encoder.sha256[:12]}), "
                    f"got {encoder.sha256[:12]}, whose vectors mean something else; index into another one beside it"
                )
        except BaseException:
            self._client.close()
            raise

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder that the gallery was made with."""
        return self._encoder

    def setting(self, key: str) -> str:
        """A setting that is kept in the gallery; empty where nobody has set it."""
        values = self._stored.values("setting ", [f"setting {key}"])
        return str(values[0]) if values else ""

    def set_setting(self, key: str, value: str) -> None:
        """Store a setting."""
        self._stored.put_notes([note(f"setting {key}", value)])

    def choose(self, kind: str) -> None:
        """Refuse another way to search: the server's index is the server's matter.

        Raises:
            InputError: Always.
        """
        raise InputError(f"--index: must not be given for a gallery in Milvus, which has its own index, got {kind}")

    def count(self) -> int:
        """Number of photos."""
        return self._stored.count()

    def status(self) -> Status:
        """How the gallery searches at present."""
        count = self.count()
        skipped = len(self._stored.values("skipped "))
        kind, recall = ("exact", 1.0) if self._is_file else ("milvus", None)
        return Status(count, count, skipped, kind, recall, {}, 0, 0, 0, due=False)

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files; an unknown file has no entry."""
        known: dict[FileKey, Known] = {}
        for entry in self.skipped(keys):
            known[entry.key] = Known(entry.size, entry.mtime_ns, None, entry.reason)
        for row in self._of_files(keys, ["id", "root", "path", "size", "mtime_ns", "sha256"]):
            file = (row["size"], row["mtime_ns"], row["id"], "", bytes.fromhex(row["sha256"]))
            known[FileKey(plain(row["root"]), plain(row["path"]))] = Known(*file)
        return known

    def folders(self) -> list[str]:
        """Absolute paths of the folders that were indexed."""
        return sorted(map(plain, self._stored.values("root ")))

    def skipped(self, keys: Sequence[FileKey] | None = None) -> list[Skipped]:
        """Files that were skipped, by path; all of them, or those with these names."""
        names = None if keys is None else [file_note(key) for key in keys]
        rows = self._stored.values("skipped ", names)
        found = [Skipped(plain(root), plain(path), *others) for root, path, *others in rows]
        return sorted(found, key=lambda entry: entry.key)

    def forget_skipped(self, keys: Sequence[FileKey]) -> None:
        """Remove notes about skipped files."""
        self._stored.remove_notes([file_note(key) for key in keys])

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> list[int]:
        """Add photos and note skipped files; returns the ids when Milvus has both in its log."""
        if photos:
            check_vectors(np.stack([photo.vector for photo in photos]), self.encoder.dim, "photos")
        numbers = self._numbered(photos)
        keys = [photo.key for photo in photos]
        replaced = [row["id"] for row in self._of_files([*keys, *(entry.key for entry in skipped)], ["id"])]
        self._stored.put_notes([note(f"root {escaped(root)}", escaped(root)) for root in {key.root for key in keys}])
        self._stored.put([as_row(photo, number) for photo, number in zip(photos, numbers, strict=True)])
        self._stored.put_notes(
            [note(file_note(s.key), [escaped(s.root), escaped(s.path), s.size, s.mtime_ns, s.reason]) for s in skipped]
        )
        self.forget_skipped(keys)
        self._stored.remove(set(replaced) - set(numbers))
        return numbers

    def remove(self, ids: Iterable[int]) -> int:
        """Remove photos; returns how many were there."""
        legal = [number for number in ids if 0 < number < 2**63]
        there = [row["id"] for row in self._stored.rows_of("id", legal, ["id"])]
        self._stored.remove(there)
        return len(there)

    def search(self, vectors: F32, k: int, offset: int = 0, under: str = "", exact: bool = False) -> list[list[Hit]]:
        """The pictures that are most similar to each vector; see `Gallery.search`.

        Raises:
            InputError: When `exact` is asked of a server, whose index decides what is compared, or more hits are asked
                for than Milvus gives.
        """
        must_be_in("k", k, "[1, inf)")
        must_be_in("offset", offset, "[0, inf)")
        must_be_in("k + offset", k + offset, f"[1, {_MOST - _BESIDE}]")
        if exact and not self._is_file:
            raise InputError("exact: must be false for a Milvus server, whose index decides what is compared, got true")
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        check_vectors(vectors, self.encoder.dim, "vectors")
        condition = condition_of(under, self.folders()) if under else ""
        if condition == NOTHING:
            return [[] for _ in vectors]
        return [self._search(vector, k + offset, condition)[offset:] for vector in vectors]

    def how(self, under: str = "", exact: bool = False) -> How:
        """How such a search compares photos: a server's own index decides it, and nobody has measured its recall."""
        return EXACT if self._is_file else How(exact=False, recall=None)

    def photo(self, id: int) -> Photo:  # noqa: A002 - the field's word
        """A photo with its vector; KeyError when there is none with this id."""
        for row in self._stored.rows_of("id", [id] if 0 < id < 2**63 else [], PHOTO_FIELDS):
            return as_photo(row)
        raise KeyError(id)

    def scan(self, after: int = 0) -> Iterator[Photo]:
        """All photos with an id above `after`, by id."""
        numbers = sorted(self._stored.ids(after))
        for start in range(0, len(numbers), IDS_AT_ONCE):
            rows = self._stored.rows_of("id", numbers[start : start + IDS_AT_ONCE], PHOTO_FIELDS)
            yield from sorted(map(as_photo, rows), key=lambda photo: photo.id)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _search(self, vector: F32, wanted: int, condition: str) -> list[Hit]:
        """The first hits of one vector, scored again from the stored vectors, whatever has found them."""
        size = min(wanted + _BESIDE, _MOST)
        while True:
            rows = self._stored.nearest(vector, size, condition)
            shas = {row["sha256"] for row in rows}
            if len(shas) >= wanted or len(rows) < size or size == _MOST:
                break
            size = min(2 * size, _MOST)  # many copies of few photos
        groups: dict[str, list[int]] = {}
        for row in self._stored.rows_of("sha256", sorted(shas), ["id", "sha256"], condition):
            groups.setdefault(row["sha256"], []).append(row["id"])
        vectors = {row["sha256"]: row["vector"] for row in rows}
        hits = []
        for sha, ids in groups.items():
            # In float64, as `LocalGallery` has it: the same score from any store.
            score = np.float32(np.asarray(vectors[sha], np.float32).astype(np.float64) @ vector.astype(np.float64))
            first, *copies = sorted(ids)
            hits.append(Hit(first, float(score), tuple(copies)))
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:wanted]

    def _of_files(self, keys: Sequence[FileKey], fields: list[str]) -> list[dict[str, Any]]:
        """Rows of files, some fields each."""
        by_root: dict[str, list[str]] = {}
        for key in keys:
            by_root.setdefault(key.root, []).append(escaped(key.path))
        return [
            row
            for root, paths in by_root.items()
            for row in self._stored.rows_of("path", paths, fields, f'root == "{escaped(root)}"')
        ]

    def _numbered(self, photos: Sequence[Photo]) -> list[int]:
        """Ids for photos: from folder, path and content; where two photos agree, the next that is free."""
        numbers = [first_number(photo) for photo in photos]
        mine = [(escaped(photo.root), escaped(photo.path), photo.sha256.hex()) for photo in photos]
        while True:
            rows = self._stored.rows_of("id", sorted(set(numbers)), ["id", "root", "path", "sha256"])
            owner = {row["id"]: (row["root"], row["path"], row["sha256"]) for row in rows}
            moved = False
            for place, number in enumerate(numbers):
                if owner.setdefault(number, mine[place]) != mine[place]:
                    numbers[place] += 1
                    moved = True
            if not moved:
                return numbers
