"""What goes into a gallery and comes out of it."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
I64: TypeAlias = npt.NDArray[np.int64]


class FileKey(NamedTuple):
    """Name of a file.

    Attributes:
        root: Absolute path of the folder that was indexed.
        path: Path below the root, with `/` between its parts; bytes that are no UTF-8 stand as surrogates
            (`os.fsdecode`).
    """

    root: str
    path: str


class Known(NamedTuple):
    """What a gallery knows of a file.

    Attributes:
        size: Length in bytes when the file was read.
        mtime_ns: Time of its last change then, in nanoseconds.
        id: Id of the photo; None for a file that was skipped.
        reason: Why it was skipped; empty for a photo.
        sha256: SHA-256 of a photo's file, 32 bytes; empty for a file that was skipped.
    """

    size: int
    mtime_ns: int
    id: int | None
    reason: str = ""
    sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a gallery.

    Attributes:
        root: Absolute path of the folder that was indexed.
        path: Path below the root.
        size: Length of the file in bytes.
        mtime_ns: Time of the file's last change, in nanoseconds.
        sha256: SHA-256 of the file, 32 bytes: photos with the same one share a vector.
        width: Width of the upright picture in pixels.
        height: Its height.
        vector: The embedding, (D,) float32 of length 1.
        id: Number of the photo in its gallery, never used for another one; 0 before the photo is added.
    """

    root: str
    path: str
    size: int
    mtime_ns: int
    sha256: bytes
    width: int
    height: int
    vector: F32 = field(repr=False)
    id: int = 0

    @property
    def key(self) -> FileKey:
        """Name of the file."""
        return FileKey(self.root, self.path)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is no photo, or cannot be read.

    Attributes:
        root: Absolute path of the folder that was indexed.
        path: Path below the root.
        size: Length of the file in bytes.
        mtime_ns: Time of the file's last change, in nanoseconds.
        reason: Why it was skipped, in words.
    """

    root: str
    path: str
    size: int
    mtime_ns: int
    reason: str

    @property
    def key(self) -> FileKey:
        """Name of the file."""
        return FileKey(self.root, self.path)


class Hit(NamedTuple):
    """A picture that a search has found.

    Attributes:
        id: Lowest id among the photos of this picture.
        score: Cosine of query and stored vector, computed exactly whatever the engine.
        copies: Ids of the other photos with the same file content, ascending.
    """

    id: int
    score: float
    copies: tuple[int, ...] = ()


class How(NamedTuple):
    """How a search compares photos.

    Attributes:
        exact: Whether every photo that may be found is compared.
        recall: Recall@10 for sketch queries, measured on this gallery; 1.0 for exact search, None where nobody knows.
    """

    exact: bool
    recall: float | None


EXACT = How(exact=True, recall=1.0)
"""Every photo is compared."""


class EncoderIdentity(NamedTuple):
    """The encoder that a gallery was made with.

    Attributes:
        sha256: Hash of the encoder; galleries and queries of other encoders are refused.
        dim: Length D of its vectors.
        card: The encoder's card as JSON, so that a gallery explains itself.
    """

    sha256: str
    dim: int
    card: str


class Status(NamedTuple):
    """How a gallery searches at present.

    Attributes:
        photos: Number of photos.
        vectors: Number of vectors; copies share one.
        skipped: Number of files that were skipped.
        kind: `exact` or the kind of the index, such as `ivf`.
        recall: Recall@10 for sketch queries, measured on this gallery; 1.0 for exact search, None where no sketch
            queries are stored.
        parameters: What the index was built and tuned with.
        side: Vectors that are newer than the index and are searched exactly.
        removed: Vectors in the index that are no longer in the gallery.
        seq: Number of the newest change that the search knows.
        due: Whether the index should be built anew.
        notes: What was wrong with index files, and what was done.
    """

    photos: int
    vectors: int
    skipped: int
    kind: str
    recall: float | None
    parameters: dict[str, float]
    side: int
    removed: int
    seq: int
    due: bool
    notes: tuple[str, ...] = ()
