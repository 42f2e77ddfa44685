"""How much the server does at once, and how large requests may be."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from crossx.search.serve.problems import Problem

T = TypeVar("T")

MOST_BYTES = 8 * 2**20
"""Bytes of a request's body."""
MOST_RESULTS = 200
MOST_OFFSET = 10_000
"""Best hits that can be left out; the gallery finds them before it leaves them out."""
WAITING = 32
"""Searches that may wait for a core."""
COMING = 32
"""Bodies that may be on their way at once; with those of waiting searches they take 0.5 GiB at most."""
SECONDS = 20.0
"""Time for one request."""


class Bodies:
    """Bodies of requests on their way, of which each may take `MOST_BYTES` of memory; further ones are refused at once.

    Args:
        most: Bodies that come at once.
        seconds: Longest time for one.
    """

    def __init__(self, most: int = COMING, seconds: float = SECONDS) -> None:
        self.most, self.seconds = most, seconds
        self._coming = 0

    async def read(self, request: Request) -> bytes:
        """The body of a request.

        Raises:
            Problem: When too many others are coming (503), it comes too slowly (408), or the client has gone (499).
        """
        if self._coming >= self.most:
            raise _busy("too many others are sending at the moment")
        self._coming += 1
        try:
            async with asyncio.timeout(self.seconds):
                return await request.body()
        except TimeoutError as error:
            raise Problem(408, f"The request must be here within {self.seconds:g} seconds.") from error
        except ClientDisconnect as error:  # a page gives a search up when the next stroke comes
            raise _gone_away() from error
        finally:
            self._coming -= 1


class Gate:
    """A few threads that compute, and a few requests that may wait for them; everything beyond is refused at once.

    Work whose client has gone is dropped as long as it waits. Work that has started keeps its thread until it ends,
    also after its time is over: so there is never more of it than threads.

    Args:
        threads: Requests that compute at once.
        waiting: Requests that wait.
        seconds: Longest time for one, waiting included.
        name: What waits, for the names of the threads.
    """

    def __init__(self, threads: int, waiting: int, seconds: float, name: str) -> None:
        self.threads, self.waiting, self.seconds = threads, waiting, seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._inside = 0

    @property
    def inside(self) -> int:
        """Requests that compute or wait."""
        return self._inside

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """Do work for a request in a thread.

        Raises:
            Problem: When too many others wait (503), the time is over (503), or the client has gone (499).
        """
        if self._inside >= self.threads + self.waiting:
            raise _busy("too many others are searching at the moment")
        self._inside += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await self._result(request, future)

    async def _result(self, request: Request, future: "Future[T]") -> T:
        result: asyncio.Future[T] = asyncio.wrap_future(future)
        gone = asyncio.create_task(_gone(request))
        waited: set[asyncio.Future[Any]] = {result, gone}
        try:
            await asyncio.wait(waited, timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return result.result()
            raise _gone_away() if gone.done() else _busy("it took too long")
        finally:
            gone.cancel()
            result.cancel()

    def _leave(self) -> None:
        self._inside -= 1

    def close(self) -> None:
        """Drop what waits and end the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _gone_away() -> Problem:
    return Problem(499, "The client has gone.")


def _busy(reason: str) -> Problem:
    return Problem(503, f"The server is busy: {reason}; try again in a second.", headers={"Retry-After": "1"})


async def _gone(request: Request) -> None:
    """End when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
