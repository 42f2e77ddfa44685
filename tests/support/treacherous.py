"""Decoders that die at one file and hang at another; in a module of its own, because each of them imports it."""

import os
import signal

from crossx.search.indexing import decode as module

DIES, HANGS = "b.jpg", "d.jpg"
_decode, _work = module.decode, module._work


def treacherous(path: str, size: int) -> module.Outcome:
    if path.endswith(DIES):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.endswith(HANGS):
        signal.pause()
    return _decode(path, size)


class Trapped:
    """The work of a decoder with the traps set; pickled by name into the other process."""

    def __call__(self, pipe: object, size: int) -> None:
        module.decode = treacherous
        _work(pipe, size)  # type: ignore[arg-type]
