"""The server follows its gallery: photos that an index run adds are found without a restart."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from crossx.search.gallery.local import LocalGallery

SECONDS = 1.0
"""Time between two looks."""
_LATELY = 5.0
"""Seconds after the last change for which photos are said to be being added."""
_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0
"""Seconds without another try after an index could not be built, doubled each time: building one takes a core."""
_log = logging.getLogger(__name__)


class Follower:
    """Looks at a gallery once a second, and builds its index anew in the background when that is due.

    Args:
        gallery: The gallery.
    """

    def __init__(self, gallery: LocalGallery) -> None:
        self.gallery = gallery
        self._changed = self._not_before = float("-inf")
        self._pause = _PAUSE
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
        """See what has changed; whatever is wrong is logged, and searches go on with what they have."""
        try:
            if self.gallery.follow():
                self._changed = time.monotonic()
            elif not self.indexing and time.monotonic() >= self._not_before and self.gallery.due():
                self._rebuild()
        except Exception as error:  # FAISS and the system have many, and none may end the following
            _log.warning("gallery: %s: %s", type(error).__name__, error)

    def _rebuild(self) -> None:
        try:
            self.gallery.rebuild()
        except BaseException:
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            raise
        self._pause = _PAUSE
