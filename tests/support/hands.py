"""Hands that draw on the search page, and eyes that see what it shows."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as NotInTimeError

Strokes = list[list[list[float]]]
Open = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
_MARGIN = 0.1


def on_sheet(page: Page, strokes: Strokes) -> list[list[tuple[float, float]]]:
    """Points of the screen for strokes in 256ths."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    unit = (1 - 2 * _MARGIN) * side / 256
    return [
        [(left + _MARGIN * side + a * unit, top + _MARGIN * side + b * unit) for a, b in zip(x, y, strict=True)]
        for x, y in strokes
    ]


def draw(page: Page, strokes: Strokes, lift: bool = True) -> None:
    """Draw with the mouse; the last stroke may stay unfinished."""
    points = on_sheet(page, strokes)
    for number, stroke in enumerate(points):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        if lift or number < len(points) - 1:
            page.mouse.up()


def touch(page: Page, strokes: Strokes, at: float | None = None) -> None:
    """Draw with a finger, at a time in seconds."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        when = {} if at is None else {"timestamp": at}
        places = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places, **when})

    for stroke in on_sheet(page, strokes):
        send("touchStart", stroke[0])
        for point in stroke[1:]:
            send("touchMove", point)
        send("touchEnd")
    session.detach()


def pen(page: Page, strokes: Strokes, at: float) -> None:
    """Draw with a pen, at a time in seconds."""
    session = page.context.new_cdp_session(page)
    for stroke in on_sheet(page, strokes):
        kinds = ["mousePressed", *["mouseMoved"] * (len(stroke) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*stroke, stroke[-1]], strict=True):
            event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": int(kind != "mouseReleased")}
            session.send(
                "Input.dispatchMouseEvent",
                event | {"clickCount": 1, "pointerType": "pen", "timestamp": at, "force": 0.5},
            )
    session.detach()


def shown(page: Page) -> list[str]:
    """Files of the photos on the page, the best first."""
    names: list[str] = page.eval_on_selector_all("#grid img", "images => images.map((image) => image.alt)")
    return [name.partition(",")[0] for name in names]


def wait_for_photos_of(page: Page, kind: str, least: int = 4, among: int = 5) -> None:
    """Wait until so many of the first photos are of a class."""
    ready = (
        "([kind, least, among]) => [...document.querySelectorAll('#grid img')].slice(0, among)"
        ".filter((image) => image.alt.startsWith(kind)).length >= least"
    )
    try:
        page.wait_for_function(ready, arg=[kind, least, among], timeout=20_000)
    except NotInTimeError:
        pytest.fail(f"{least} of the first {among} photos must be of {kind}, got {shown(page)[:among]}")


def strokes_drawn(page: Page) -> int:
    """Number of strokes, as the address of the page has them."""
    words: str = page.evaluate("location.hash")
    return len([stroke for stroke in words.removeprefix("#").split("-") if stroke])
