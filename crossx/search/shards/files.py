"""One shard: a Parquet file of photos, written whole or not at all, that says what it belongs to."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossx.core.atomic import atomic_path, write_text
from crossx.core.errors import InputError
from crossx.search.gallery.packing import check_vectors
from crossx.search.gallery.rows import EncoderIdentity, Photo, Skipped

FORMAT = "crossx-shard/1"
SHARD_ROWS = 65_536
"""Photos of one shard: what a killed part loses at most, and 34 MB at 128 numbers a photo."""
_NAME = re.compile(r"part-(\d+)-(\d+)\.parquet")
_KEY = b"crossx"


@dataclass(frozen=True)
class About:
    """What a shard belongs to.

    Attributes:
        encoder: The encoder that made the vectors.
        encoder_folder: Where its folder was.
        root: Folder that the photos' names begin at.
        part: Number of the part, 1 to `parts`.
        parts: Number of parts that the photos were divided into.
    """

    encoder: EncoderIdentity
    encoder_folder: str
    root: str
    part: int
    parts: int

    @property
    def whole(self) -> tuple[str, str, int]:
        """What shards that belong together share; the encoder's folder may be another one on another machine."""
        return self.encoder.sha256, self.root, self.parts


@dataclass(frozen=True)
class Shard:
    """What a shard says of itself before its rows are read.

    Attributes:
        path: The file.
        about: What it belongs to.
        rows: Number of photos.
        skipped: Files that were no photos, below its root.
    """

    path: Path
    about: About
    rows: int
    skipped: tuple[Skipped, ...]


def part_of(path: str, parts: int) -> int:
    """The part, 1 to `parts`, that embeds a photo of this name, on every machine."""
    number = int.from_bytes(hashlib.sha1(os.fsencode(path), usedforsecurity=False).digest()[:8]) >> 1
    return number % parts + 1


def write_shard(folder: Path, number: int, about: About, photos: Sequence[Photo], skipped: Sequence[Skipped]) -> Path:
    """Write a shard.

    Args:
        folder: Where.
        number: Number of the shard in its part, from 0.
        about: What it belongs to.
        photos: Its photos.
        skipped: Files that were skipped beside them.
    """
    schema = _schema(about.encoder.dim)
    matrix = np.stack([photo.vector for photo in photos]) if photos else np.empty((0, about.encoder.dim), np.float32)
    flat = pa.array(matrix.reshape(-1), pa.float32())
    columns = [
        pa.array([os.fsencode(photo.path) for photo in photos], pa.binary()),
        *(pa.array([getattr(photo, name) for photo in photos], pa.int64()) for name in ("size", "mtime_ns")),
        pa.array([photo.sha256 for photo in photos], pa.binary(32)),
        *(pa.array([getattr(photo, name) for photo in photos], pa.int32()) for name in ("width", "height")),
        pa.FixedSizeListArray.from_arrays(flat, about.encoder.dim),
    ]
    values: dict[str, Any] = {"format": FORMAT, **asdict(about), "encoder": about.encoder._asdict()}
    values["skipped"] = [[entry.path, entry.size, entry.mtime_ns, entry.reason] for entry in skipped]
    table = pa.table(columns, schema.with_metadata({_KEY: json.dumps(values).encode()}))
    path = folder / f"part-{about.part}-{number:05}.parquet"
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="none")  # vectors do not shrink
    return path


def read_shard(path: Path) -> Shard:
    """Read what a shard says of itself.

    Raises:
        InputError: When the file is no shard, or not whole.
    """
    try:
        schema = pq.read_schema(path)
        values = json.loads((schema.metadata or {})[_KEY])
        if values.pop("format") != FORMAT:
            raise ValueError("another format")
        skipped = tuple(Skipped(values["root"], *entry) for entry in values.pop("skipped"))
        about = About(**{**values, "encoder": EncoderIdentity(**values["encoder"])})
        if not schema.equals(_schema(about.encoder.dim)):
            raise ValueError(f"columns must be {_schema(about.encoder.dim).names} of their types")
        return Shard(path, about, pq.read_metadata(path).num_rows, skipped)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def photos_of(shard: Shard, root: str | None = None, together: int = 1024) -> Iterator[list[Photo]]:
    """Read the photos of a shard.

    Args:
        shard: The shard.
        root: Folder of the photos on this machine; None for that of the shard.
        together: Photos that are read at once.

    Raises:
        InputError: When a row is damaged: a vector that is not of length 1, or a name outside of the root.
    """
    root = shard.about.root if root is None else root
    try:
        for batch in pq.ParquetFile(shard.path).iter_batches(together):
            columns = {name: batch.column(name) for name in batch.schema.names}
            vectors = columns.pop("embedding").flatten().to_numpy().reshape(len(batch), shard.about.encoder.dim)
            check_vectors(vectors, shard.about.encoder.dim, "embedding")
            rows = zip(*(columns[name].to_pylist() for name in _FIELDS), strict=True)
            yield [_photo(root, row, vector) for row, vector in zip(rows, vectors, strict=True)]
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(shard.path, error) from error


def shards_in(folder: Path, part: int | None = None) -> list[Path]:
    """The shards in a folder, by part and number; of one part, or of all."""
    named = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    found = sorted((int(match[1]), int(match[2]), path) for match, path in named if match)
    return [path for number, _, path in found if part in (None, number)]


def close_part(folder: Path, about: About, shards: int) -> None:
    """Note that a part is whole, with the number of its shards."""
    write_text(folder / f"_done-{about.part}", json.dumps({"parts": about.parts, "shards": shards}))


def shards_of_closed_part(folder: Path, part: int) -> int | None:
    """Number of shards of a part that is whole; None where it is not.

    Raises:
        InputError: When the note is damaged.
    """
    path = folder / f"_done-{part}"
    try:
        return int(json.loads(path.read_text())["shards"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


_FIELDS = ("path", "size", "mtime_ns", "sha256", "width", "height")


def _schema(dim: int) -> pa.Schema:
    fields = [("path", pa.binary()), ("size", pa.int64()), ("mtime_ns", pa.int64())]
    fields += [("sha256", pa.binary(32)), ("width", pa.int32()), ("height", pa.int32())]
    return pa.schema([*fields, ("embedding", pa.list_(pa.float32(), dim))])


def _photo(root: str, row: tuple[Any, ...], vector: np.ndarray) -> Photo:
    path, size, mtime_ns, sha256, width, height = row
    name = os.fsdecode(path)
    if os.path.isabs(name) or os.path.normpath(name) != name or name.startswith(".."):
        raise ValueError(f"path: must be a name below the root, got {name!r}")
    return Photo(root, name, size, mtime_ns, sha256, width, height, vector)


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: must be what `crossx embed` or `crossx gallery export-vectors` has written: {error}; embed its part "
        "again, or export the gallery again"
    )
