"""Photo files as pixels for the encoder, decoded in other processes: a file can end one, and costs only itself."""

import hashlib
import io
import multiprocessing
import os
import resource
import signal
import stat
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

from crossx.core.errors import InputError, WorkError
from crossx.pixels.decode import open_rgb
from crossx.pixels.fit import U8, fit_photo
from crossx.search.formats import PHOTOS
from crossx.search.indexing.scan import Found

SECONDS = 30.0
"""Longest time for one file."""
_LARGEST = 1 << 29
"""Longest file in bytes."""
_MEMORY = 6 << 30
"""Address space of a decoder: Pillow's limit of 178 megapixels takes 0.5 GB an array, and conversions take a few."""
_AHEAD = 2
"""Files that a decoder has been sent: one to decode, and one so that it does not wait for the next."""
_STARTS = 3
"""Decoders that may die before their first file."""


class Decoded(NamedTuple):
    """A decoded photo.

    Attributes:
        sha256: SHA-256 of the file.
        width: Width of the upright picture in pixels.
        height: Its height.
        pixels: uint8 RGB, (3, S, S).
    """

    sha256: bytes
    width: int
    height: int
    pixels: U8


class Failed(NamedTuple):
    """A file that could not be decoded.

    Attributes:
        reason: Why, in words.
        vanished: Whether the file is no longer there.
    """

    reason: str
    vanished: bool = False


Outcome = Decoded | Failed


def decode(path: str, size: int) -> Outcome:
    """Decode a photo as training does: upright, central square, resized.

    Args:
        path: The file.
        size: Side S of the result.
    """
    try:
        # Not to wait for a writer, where the file has become a pipe since it was found.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return Failed("is no regular file")
            if status.st_size > _LARGEST:
                return Failed(f"has {status.st_size >> 20} MB, more than {_LARGEST >> 20}")
            data = file.read()
    except FileNotFoundError:
        return Failed("is gone", vanished=True)
    except OSError as error:
        return Failed(error.strerror or "cannot be read")
    try:
        image = open_rgb(io.BytesIO(data), PHOTOS)
        return Decoded(hashlib.sha256(data).digest(), image.width, image.height, fit_photo(image, size))
    except InputError as error:
        return Failed(str(error).removeprefix("image: "))
    except MemoryError:
        return Failed("needs too much memory to decode")
    except Exception as error:  # a decoder can fail in any way on a hostile file, and the next file is not its fault
        return Failed(f"cannot be read as an image ({type(error).__name__})")


@dataclass
class _Decoder:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    sent: deque[int] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    ready: bool = False


class DecodePool:
    """Processes that decode photos.

    Args:
        size: Side S of the results.
        workers: Number of processes.
        seconds: Longest time for one file.
    """

    def __init__(self, size: int, workers: int, seconds: float = SECONDS) -> None:
        self._size, self._seconds = size, seconds
        self._context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self._deaths_at_start = 0
        self._decoders = [self._start() for _ in range(workers)]

    def run(self, files: Iterable[Found], window: int) -> Iterator[tuple[Found, Outcome]]:
        """Decode files; the results come in the order of the files.

        Args:
            files: The files.
            window: Most results that wait for an earlier one.
        """
        source = iter(files)
        taken: dict[int, Found] = {}
        done: dict[int, Outcome] = {}
        again: deque[int] = deque()
        first = after = 0
        while True:
            for decoder in sorted(self._decoders, key=lambda decoder: len(decoder.sent)):
                while len(decoder.sent) < _AHEAD:
                    if not again and after - first < window and (found := next(source, None)) is not None:
                        taken[after] = found
                        again.append(after)
                        after += 1
                    if not again or not self._send(decoder, again[0], taken[again[0]]):
                        break
                    again.popleft()
            if first == after:
                return
            done.update(self._received(again))
            while first in done:
                yield taken.pop(first), done.pop(first)
                first += 1

    def close(self) -> None:
        """End the processes."""
        for decoder in self._decoders:
            decoder.process.kill()
            decoder.process.join()
            decoder.pipe.close()
        self._decoders = []

    def __enter__(self) -> "DecodePool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> _Decoder:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._size), daemon=True)
        process.start()
        theirs.close()
        return _Decoder(process, ours)

    def _send(self, decoder: _Decoder, number: int, found: Found) -> bool:
        """Give a file to a decoder; False where it has died, which `_received` notices."""
        try:
            decoder.pipe.send(os.path.join(*found.key))
        except OSError:
            return False
        if not decoder.sent:
            decoder.since = time.monotonic()
        decoder.sent.append(number)
        return True

    def _received(self, again: deque[int]) -> Iterator[tuple[int, Outcome]]:
        """What has come from any decoder within a moment; a dead or late decoder is replaced."""
        ready = wait([decoder.pipe for decoder in self._decoders], timeout=0.2)
        for i, decoder in enumerate(self._decoders):
            reason = ""
            if decoder.pipe in ready:
                try:
                    outcome = decoder.pipe.recv()
                except (EOFError, OSError):
                    reason = "the decoder died"
                else:
                    decoder.since = time.monotonic()
                    if outcome is not None:
                        yield decoder.sent.popleft(), outcome
                    decoder.ready = True
            elif decoder.ready and decoder.sent and time.monotonic() - decoder.since > self._seconds:
                reason = f"took more than {self._seconds:g} s to decode"
            if reason:
                decoder.process.kill()
                decoder.process.join()
                decoder.pipe.close()
                if decoder.ready and decoder.sent:
                    yield decoder.sent.popleft(), Failed(reason)
                elif not decoder.ready:
                    self._deaths_at_start += 1
                    if self._deaths_at_start >= _STARTS:
                        raise WorkError("decoders die before they decode anything: is there memory left?")
                again.extendleft(reversed(decoder.sent))
                self._decoders[i] = self._start()


def _work(pipe: Connection, size: int) -> None:
    """Decode what comes through a pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    warnings.simplefilter("ignore")  # of damaged EXIF blocks, of which only the orientation is wanted
    pipe.send(None)
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        pipe.send(decode(path, size))
