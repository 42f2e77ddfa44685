"""The server follows its gallery: photos that an index run adds are found without a restart."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from crossx.core.errors import InputError, WorkError
from crossx.search.gallery.local import LocalGallery

SECONDS = 1.0
"""Time between two looks."""
_LATELY = 5.0
"""Seconds after the last change for which photos are said to be being added."""
_log = logging.getLogger(__name__)


class Follower:
    """Looks at a gallery once a second, and builds its index anew in the background when that is due.

    Args:
        gallery: The gallery.
    """

    def __init__(self, gallery: LocalGallery) -> None:
        self.gallery = gallery
        self._changed = float("-inf")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="follow")

    @property
    def indexing(self) -> bool:
        """Whether photos have been added or removed within the last seconds."""
        return time.monotonic() - self._changed < _LATELY

    async def run(self) -> None:
        """Follow until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(SECONDS)
                await loop.run_in_executor(self._pool, self.look)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """See what has changed."""
        try:
            if self.gallery.follow():
                self._changed = time.monotonic()
            elif not self.indexing and self.gallery.status().due:
                self.gallery.rebuild()
        except (InputError, WorkError, OSError) as error:  # searches go on with what they have
            _log.warning("gallery: %s", error)
