"""Everything that one server has: gallery, encoder, queues, small pictures and numbers."""

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from crossx.core.cores import cores
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import Photo
from crossx.search.serve.follow import Follower
from crossx.search.serve.limits import SECONDS, WAITING, Bodies, Gate
from crossx.search.serve.metrics import Metrics
from crossx.search.serve.problems import Problem
from crossx.search.serve.queries import Queries
from crossx.search.serve.searching import Searcher
from crossx.search.serve.thumbs import Thumbs

_PICTURES_WAITING = 256
"""Small pictures that may wait: a browser asks for all of a page at once."""


@dataclass(frozen=True)
class Settings:
    """What a user chooses for a server.

    Attributes:
        originals: Whether the files themselves are given, with all that is in them, such as places in EXIF.
        threads: Searches that compute at once; 0 for one a core.
        hosts: Names by which the server may be called, beside addresses and localhost.
    """

    originals: bool = False
    threads: int = 0
    hosts: tuple[str, ...] = ()


class Server:
    """The parts of one server.

    Args:
        gallery: The photos.
        queries: The encoder's side.
        settings: The user's choices.
    """

    def __init__(self, gallery: Gallery, queries: Queries, settings: Settings) -> None:
        self.gallery, self.settings = gallery, settings
        self.metrics = Metrics()
        self.searcher = Searcher(gallery, queries, self.metrics)
        self.bodies = Bodies()
        self.searches = Gate(settings.threads or cores(), WAITING, SECONDS, "search")
        self.pictures = Gate(settings.threads or cores(), _PICTURES_WAITING, SECONDS, "picture")
        self.follower = Follower(gallery) if isinstance(gallery, LocalGallery) else None
        self._scratch: TemporaryDirectory[str] | None = None
        if isinstance(gallery, LocalGallery):
            self.thumbs = Thumbs(gallery.folder / "thumbs")
        else:
            self._scratch = TemporaryDirectory(prefix="crossx-thumbs-")
            self.thumbs = Thumbs(Path(self._scratch.name))
        self.metrics.watch("photos", "Photos of the gallery.", gallery.count)
        self.metrics.watch("recall", "Measured recall@10 for sketches; NaN where it is unknown.", self._recall)
        self.metrics.watch("searches_inside", "Searches that compute or wait.", lambda: self.searches.inside)
        self.metrics.watch("pictures_inside", "Pictures that are made or wait.", lambda: self.pictures.inside)

    @property
    def indexing(self) -> bool:
        """Whether photos are being added."""
        return self.follower is not None and self.follower.indexing

    def _recall(self) -> float:
        recall = self.gallery.status().recall
        return math.nan if recall is None else recall

    def photo(self, number: int) -> Photo:
        """A photo by its number.

        Raises:
            Problem: When there is none.
        """
        try:
            return self.gallery.photo(number)
        except KeyError as error:
            raise Problem(404, f"id: must be the number of a photo, got {number}", field="id", value=number) from error

    def close(self) -> None:
        """End the threads and remove what is temporary; the gallery belongs to the caller."""
        self.searches.close()
        self.pictures.close()
        if self._scratch is not None:
            self._scratch.cleanup()
