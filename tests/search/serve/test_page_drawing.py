"""The page in a browser: drawing with mouse, finger and pen, and what the tools do."""

import math
from functools import partial

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from support.drawings import drawing
from support.hands import PHONE, Open, Strokes, draw, pen, shown, strokes_drawn, touch, wait_for_photos_of

pytest_plugins = ["support.browser"]


def ink(page: Page) -> int:
    """Number of pixels on the sheet that are drawn."""
    count: int = page.evaluate(
        "() => { const c = document.getElementById('canvas');"
        "const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let n = 0; for (let i = 3; i < p.length; i += 4) n += p[i] > 128; return n; }"
    )
    return count


def test_an_umbrella_drawn_with_the_mouse_finds_umbrellas_while_it_is_drawn(opened: Open) -> None:
    page = opened()
    expect(page.get_by_role("heading", name="Draw what you are looking for")).to_be_visible()
    strokes = drawing("umbrella")
    draw(page, [[axis[: len(axis) // 3] for axis in strokes[0]]], lift=False)  # the button is still down
    page.wait_for_selector(".photo")
    early = shown(page)
    page.mouse.up()
    draw(page, strokes)
    wait_for_photos_of(page, "umbrella")
    assert shown(page) != early
    expect(page.locator("#guesses li").first).to_contain_text("umbrella")
    expect(page.get_by_role("status")).to_contain_text("Looks like umbrella")
    assert str(page.locator("#seen").get_attribute("src")).startswith("data:image/png")
    loaded = "() => [...document.querySelectorAll('#grid img')].slice(0, 4).every((image) => image.naturalWidth > 0)"
    page.wait_for_function(loaded)

    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".photo")).to_have_count(0)
    draw(page, drawing("fish"))
    wait_for_photos_of(page, "fish")


def test_a_finger_on_a_phone_draws_and_does_not_scroll(opened: Open) -> None:
    page = opened(**PHONE)
    touch(page, drawing("umbrella"))
    wait_for_photos_of(page, "umbrella")
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390  # nothing sticks out
    first = page.locator(".photo").first.bounding_box()
    assert first is not None
    assert first["y"] + first["height"] < 844  # photos are seen while drawing
    small = page.eval_on_selector_all(
        "button, a[href], label:has(input)",
        "all => all.filter((e) => e.checkVisibility() && !e.matches('.skip') && e.getBoundingClientRect().height < 44)"
        ".map((e) => e.outerHTML)",
    )
    assert small == []


def test_a_palm_beside_a_pen_draws_nothing(opened: Open) -> None:
    page = opened(**PHONE)
    start = page.evaluate("Date.now()") / 1000
    pen(page, drawing("umbrella")[:1], at=start)
    assert strokes_drawn(page) == 1
    touch(page, [[[30, 60], [200, 200]]], at=start + 0.3)
    assert strokes_drawn(page) == 1
    touch(page, [[[30, 60], [200, 200]]], at=start + 0.9)
    assert strokes_drawn(page) == 2


def test_undo_redo_clear_and_width(opened: Open) -> None:
    page = opened()
    button = partial(page.get_by_role, "button")
    undo, redo, clear = (button(name=name, exact=True) for name in ("Undo", "Redo", "Clear"))
    for tool in (undo, redo, clear):
        expect(tool).to_be_disabled()
    strokes: Strokes = [[[20, 230], [40, 40]], [[20, 230], [120, 120]], [[20, 230], [200, 200]]]
    draw(page, strokes[:1])
    medium = ink(page)
    draw(page, strokes[1:])
    assert strokes_drawn(page) == 3
    undo.click()
    undo.click()
    assert strokes_drawn(page) == 1
    redo.click()
    assert strokes_drawn(page) == 2
    page.keyboard.press("Control+Shift+Z")
    assert strokes_drawn(page) == 3
    expect(redo).to_be_disabled()
    page.keyboard.press("Control+Z")
    assert strokes_drawn(page) == 2
    clear.click()
    assert ink(page) == 0
    undo.click()  # what was cleared comes back
    assert strokes_drawn(page) == 2
    clear.click()
    page.get_by_title("Broad").click()
    draw(page, strokes[:1])
    assert ink(page) > 1.4 * medium


def test_the_window_may_change_its_size_under_a_drawing(opened: Open) -> None:
    page = opened()
    draw(page, drawing("house"))
    wait_for_photos_of(page, "house")
    before = page.url
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_function("() => document.getElementById('canvas').width < 700")
    assert ink(page) > 100
    page.set_viewport_size({"width": 1280, "height": 800})
    draw(page, [[[1, 2], [1, 2]]])
    assert page.url.startswith(before.partition("-")[0])  # the first stroke is where it was


def test_back_and_reload_keep_a_drawing_that_is_too_long_for_an_address(opened: Open) -> None:
    turns = [i / 8 for i in range(2400)]
    spiral = [round(640 + (5 + t) * wave(t)) for t in turns for wave in (math.cos, math.sin)]
    page = opened("/#" + "".join(np.base_repr(number, 36).lower().zfill(2) for number in spiral))
    page.wait_for_selector(".photo")
    draw(page, [[[1, 20], [1, 20]]])
    page.wait_for_function("() => !location.hash")
    drawn = ink(page)
    page.get_by_role("button", name="rocket", exact=True).click()
    wait_for_photos_of(page, "rocket")
    page.go_back()
    page.wait_for_function("() => document.getElementById('ask').dataset.kind === 'drawing'")
    assert ink(page) == pytest.approx(drawn, rel=0.05)
    page.reload()
    page.wait_for_selector(".photo")
    assert ink(page) == pytest.approx(drawn, rel=0.05)


def test_a_drawing_is_a_bookmark_and_back_works(opened: Open) -> None:
    page = opened()
    draw(page, drawing("tree"))
    wait_for_photos_of(page, "tree")
    kept = page.url
    skip = page.get_by_role("link", name="Skip to the photos")
    skip.focus()
    skip.press("Enter")
    assert page.evaluate("document.activeElement.id") == "found"
    assert page.url == kept
    page.evaluate("location.hash = 'found'")  # by a hand in the address: a place on the page, and no other query
    page.go_back()
    page.wait_for_url(kept)
    assert ink(page) > 100
    assert shown(page)
    page.get_by_role("button", name="rocket", exact=True).click()
    wait_for_photos_of(page, "rocket")
    assert ink(page) == 0
    page.go_back()
    wait_for_photos_of(page, "tree")
    assert ink(page) > 100
    again = opened(kept[kept.index("/", 8) :])
    wait_for_photos_of(again, "tree")
    assert shown(again)[:8] == shown(page)[:8]
