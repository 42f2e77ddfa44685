"""Files that a reader leaves out, and one warning that names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossx.core.distributed import warn
from crossx.data.listing import ENDINGS, HIDDEN, Rest, in_words


class LeftOut:
    """Record of what a reader has left out of each folder; hidden files are recorded and not warned about.

    A folder is warned about when it is listed for the first time; `told_together` joins the warnings of many folders.
    """

    def __init__(self) -> None:
        self._rests: dict[Path, Rest] = {}
        self._untold: list[Path] = []
        self._wait = False

    def add(self, folder: Path, rest: Rest) -> None:
        """Record a folder."""
        if folder not in self._rests:
            self._untold.append(folder)
        self._rests[folder] = rest
        if not self._wait:
            self._tell()

    def of(self, folder: Path) -> str:
        """What is left out of one folder, as the end of a message; empty where that is nothing."""
        words = in_words([self._rests[folder]]) if folder in self._rests else ""
        return f"; left out: {words}" if words else ""

    @contextmanager
    def told_together(self) -> Iterator[None]:
        """Warn once, at the end of the block, of all that is left out in it."""
        self._wait = True
        try:
            yield
        finally:
            self._wait = False
        self._tell()

    def _tell(self) -> None:
        told = [
            Rest(
                {reason: paths for reason, paths in self._rests[folder].files.items() if reason != HIDDEN},
                {inner: n for inner, n in self._rests[folder].folders.items() if inner not in self._rests},
            )
            for folder in self._untold
        ]
        self._untold.clear()
        if words := in_words(told):
            warn(f"data: not all files are read; left out: {words}; images end in {', '.join(ENDINGS)}")
