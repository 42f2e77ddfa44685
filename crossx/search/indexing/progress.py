"""How far a long piece of work is: done, rate, time left; on a terminal at once, else a line every ten seconds."""

import sys
import time
from typing import TextIO

_ON_TERMINAL, _ELSEWHERE = 0.2, 10.0


class Progress:
    """Progress of work on files.

    Args:
        total: Number of files.
        out: Where it is written; None for standard error.
    """

    def __init__(self, total: int, out: TextIO | None = None) -> None:
        self._total, self._out = total, out or sys.stderr
        self._terminal = self._out.isatty()
        self._started = self._shown = time.monotonic()
        self._width = 0

    def show(self, done: int, skipped: int) -> None:
        """Say how far the work is, where it is time to say it.

        Args:
            done: Files done, skipped ones included.
            skipped: Files skipped.
        """
        now = time.monotonic()
        if now - self._shown < (_ON_TERMINAL if self._terminal else _ELSEWHERE):
            return
        self._shown = now
        self._write(self._line(done, skipped, now - self._started))

    def end(self) -> None:
        """Leave the terminal's line free for what comes next."""
        if self._terminal and self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()

    def _line(self, done: int, skipped: int, seconds: float) -> str:
        rate = done / seconds
        left = "" if not done else f", {in_words((self._total - done) / rate)} left"
        return f"{done:,} of {self._total:,} files, {rate:.1f} a second{left}, {skipped} skipped"

    def _write(self, line: str) -> None:
        if self._terminal:
            self._out.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._out.write(line + "\n")
        self._out.flush()


def in_words(seconds: float) -> str:
    """A time, such as `3 min` or `2 h 5 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
