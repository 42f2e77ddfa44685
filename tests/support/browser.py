"""Fixtures of the search page in a browser; a test file that uses them names this module in `pytest_plugins`."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

from crossx.search.serve.app import create_app
from crossx.search.serve.run import listen
from crossx.search.serve.server import Server
from support.hands import DESKTOP, Open

pytest_plugins = ["support.serving"]


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Address of the page, served by a thread."""
    listening = listen("127.0.0.1", 0)
    runner = uvicorn.Server(uvicorn.Config(create_app(server), log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=runner.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    runner.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; a machine without it fails."""
    with sync_playwright() as playwright:
        # Root, as in a container, may not have Chromium's sandbox.
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[Open]:
    """Opens the page; at the end nothing was asked of another origin, and nothing went wrong in the page."""
    contexts, elsewhere, mistakes = [], [], []

    def refuse(route: Route, request: Request) -> None:
        elsewhere.append(request.url)
        route.abort()

    def open_page(path: str = "/", **device: Any) -> Page:  # noqa: ANN401 - what Playwright takes
        context = chromium.new_context(**(DESKTOP | device))
        contexts.append(context)
        context.route(lambda url: not url.startswith((f"{address}/", "data:", "blob:")), refuse)
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda line: mistakes.append(line.text) if _is_mistake(line.type, line.text) else None)
        page.goto(address + path)
        page.wait_for_selector(".chip")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []
    assert mistakes == []


def _is_mistake(kind: str, text: str) -> bool:
    # Chromium itself notes each answer of 4xx, which the page says in words, and that a test reads the canvas.
    return kind in ("error", "warning") and not text.startswith(
        ("Failed to load resource", "Canvas2D: Multiple readback")
    )
