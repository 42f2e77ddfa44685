"""The protocol that everything else of the search knows of a gallery, whatever stores it."""

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from crossx.search.gallery.rows import F32, EncoderIdentity, FileKey, Hit, How, Known, Photo, Skipped, Status


class Gallery(Protocol):
    """Embedded photos: added and removed durably, and searched by vectors."""

    @property
    def name(self) -> str:
        """What a user calls it."""

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder that the gallery was made with."""

    def setting(self, key: str) -> str:
        """A setting that is kept in the gallery; empty where nobody has set it."""

    def set_setting(self, key: str, value: str) -> None:
        """Keep a setting in the gallery."""

    def choose(self, kind: str) -> None:
        """Choose how the gallery is to be searched.

        Raises:
            InputError: When it cannot be searched so.
        """

    def count(self) -> int:
        """Number of photos."""

    def status(self) -> Status:
        """How the gallery searches at present."""

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files; an unknown file has no entry."""

    def folders(self) -> list[str]:
        """Absolute paths of the folders that were indexed."""

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> list[int]:
        """Add photos and note skipped files, all or none; returns the ids when both are durable.

        A file that the gallery has already is replaced: under its id where its content is the same, else under a new
        one.
        """

    def remove(self, ids: Sequence[int]) -> int:
        """Remove photos, all or none; returns how many were there. Durable on return; unknown ids are no mistake."""

    def skipped(self) -> list[Skipped]:
        """All files that were skipped, by path."""

    def forget_skipped(self, keys: Sequence[FileKey]) -> None:
        """Remove notes about skipped files; unknown names are no mistake."""

    def search(self, vectors: F32, k: int, offset: int = 0, under: str = "", exact: bool = False) -> list[list[Hit]]:
        """The pictures that are most similar to each vector.

        Args:
            vectors: Unit vectors, (Q, D).
            k: Most hits a vector.
            offset: Number of best hits that are left out, for a second page.
            under: Folder whose photos count: absolute, or relative to the indexed folders; empty for all.
            exact: Whether to search exactly, where there is an index that is not.

        Returns:
            A list a vector; scores fall, and equal scores are in the order of the ids.
        """

    def how(self, under: str = "", exact: bool = False) -> How:
        """How such a search compares photos; asked beside each answer, so it counts nothing."""

    def photo(self, id: int) -> Photo:  # noqa: A002 - the field's word
        """A photo with its vector.

        Raises:
            KeyError: When there is none with this id.
        """

    def scan(self, after: int = 0) -> Iterator[Photo]:
        """All photos with an id above `after`, by id."""

    def close(self) -> None:
        """Give everything back; the gallery cannot be used any more."""

    def __enter__(self) -> Self:
        """The gallery itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""
