"""A few requests compute, a few wait, and everything beyond is refused."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import Request

from crossx.search.serve.limits import Bodies, Gate
from crossx.search.serve.problems import Problem


def request(gone: asyncio.Event | None = None) -> Request:
    async def receive() -> dict[str, str]:
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def test_few_bodies_come_at_once_and_a_slow_one_gives_its_place_back() -> None:
    async def test() -> None:
        bodies, go = Bodies(most=2, seconds=0.2), asyncio.Event()

        def sending(chunk: bytes, wait: asyncio.Event | None) -> Request:
            async def receive() -> dict[str, object]:
                await wait.wait() if wait else None
                return {"type": "http.request", "body": chunk, "more_body": False}

            return Request({"type": "http", "headers": []}, receive)

        slow = [asyncio.create_task(bodies.read(sending(b"ab", wait))) for wait in (go, asyncio.Event())]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many others are sending") as refused:
            await bodies.read(sending(b"c", None))
        assert (refused.value.status, dict(refused.value.headers or {})) == (503, {"Retry-After": "1"})
        go.set()
        assert await slow[0] == b"ab"
        assert await bodies.read(sending(b"c", None)) == b"c"
        with pytest.raises(Problem, match=r"within 0\.2 seconds"):
            await slow[1]
        gone = asyncio.Event()
        gone.set()
        for _ in range(3):  # places of clients that have gone are free, too
            with pytest.raises(Problem, match="has gone"):
                await bodies.read(request(gone))

    in_loop(test)


def test_results_and_mistakes_come_back() -> None:
    async def test() -> None:
        gate = Gate(1, 1, 5, "test")
        assert await gate.run(request(), lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await gate.run(request(), lambda: 1 / 0)
        await asyncio.sleep(0)
        assert gate.inside == 0
        gate.close()

    in_loop(test)


def test_beyond_the_queue_is_refused_at_once_with_a_time_to_come_back() -> None:
    async def test() -> None:
        gate, go = Gate(1, 2, 5, "test"), threading.Event()
        waiting = [asyncio.create_task(gate.run(request(), go.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many others") as refused:
            await gate.run(request(), lambda: None)
        assert (refused.value.status, dict(refused.value.headers or {})) == (503, {"Retry-After": "1"})
        go.set()
        assert all(await asyncio.gather(*waiting))
        gate.close()

    in_loop(test)


def test_never_more_at_once_than_threads() -> None:
    async def test() -> None:
        gate, lock = Gate(2, 20, 5, "test"), threading.Lock()
        now, most = 0, 0

        def work() -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1

        await asyncio.gather(*(gate.run(request(), work) for _ in range(12)))
        assert most == 2
        gate.close()

    in_loop(test)


def test_work_of_a_client_that_has_gone_is_never_started() -> None:
    async def test() -> None:
        gate, go, gone, started = Gate(1, 5, 5, "test"), threading.Event(), asyncio.Event(), threading.Event()
        first = asyncio.create_task(gate.run(request(), go.wait))
        second = asyncio.create_task(gate.run(request(gone), started.set))
        await asyncio.sleep(0.02)
        gone.set()
        with pytest.raises(Problem, match="has gone") as refused:
            await second
        assert refused.value.status == 499
        go.set()
        await first
        await gate.run(request(), lambda: None)
        assert not started.is_set()
        gate.close()

    in_loop(test)


def test_work_that_takes_too_long_keeps_its_place_until_it_ends() -> None:
    async def test() -> None:
        gate, go = Gate(1, 0, 0.05, "test"), threading.Event()
        with pytest.raises(Problem, match="too long"):
            await gate.run(request(), go.wait)
        assert gate.inside == 1
        with pytest.raises(Problem, match="too many"):
            await gate.run(request(), lambda: None)
        go.set()
        while gate.inside:
            await asyncio.sleep(0.005)
        assert await gate.run(request(), lambda: 1) == 1
        gate.close()

    in_loop(test)
