"""The protocol that everything else of the search knows of a gallery, whatever stores it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from crossx.search.gallery.rows import F32, EncoderIdentity, FileKey, Hit, Known, Photo, Skipped, Status, Where


class Gallery(Protocol):
    """Embedded photos: added and removed durably, and searched by vectors."""

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder that the gallery was made with."""

    def count(self) -> int:
        """Number of photos."""

    def status(self) -> Status:
        """How the gallery searches at present."""

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files; an unknown file has no entry."""

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> list[int]:
        """Add photos and note skipped files, all or none; returns the ids when both are durable.

        A file that the gallery has already is replaced: under its id where its content is the same, else under a new
        one.
        """

    def remove(self, ids: Sequence[int]) -> int:
        """Remove photos, all or none; returns how many were there. Durable on return; unknown ids are no mistake."""

    def search(
        self, vectors: F32, k: int, offset: int = 0, where: Where | None = None, exact: bool = False
    ) -> list[list[Hit]]:
        """The pictures that are most similar to each vector.

        Args:
            vectors: Unit vectors, (Q, D).
            k: Most hits a vector.
            offset: Number of best hits that are left out, for a second page.
            where: Which photos count.
            exact: Whether to search exactly, where there is an index that is not.

        Returns:
            A list a vector; scores fall, and equal scores are in the order of the ids.
        """

    def photo(self, id: int) -> Photo:  # noqa: A002 - the field's word
        """A photo with its vector.

        Raises:
            KeyError: When there is none with this id.
        """

    def scan(self, after: int = 0) -> Iterator[Photo]:
        """All photos with an id above `after`, by id."""

    def close(self) -> None:
        """Give everything back; the gallery cannot be used any more."""
