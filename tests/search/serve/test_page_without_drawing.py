"""The page in a browser without a drawing: keyboard, screen reader, pictures from elsewhere, one photo's details."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect
from support.drawings import as_png, drawing
from support.hands import PHONE, Open, draw, shown, wait_for_photos_of

pytest_plugins = ["support.browser"]

Photo = dict[str, Any]
_FILE = (
    "([content, name, type]) => { const data = new DataTransfer();"
    "data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, {type})); return data; }"
)


def umbrella() -> list[str]:
    """A picture of a drawing, as the browser's side of a test takes it."""
    return [base64.b64encode(as_png(drawing("umbrella"))).decode(), "umbrella.png", "image/png"]


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def focused(page: Page) -> str:
    alt: str = page.evaluate("document.activeElement.querySelector('img')?.alt ?? ''")
    return alt.partition(",")[0]


def stays_at_its_photo(page: Page) -> None:
    """Answers that come meanwhile move the photo with the focus, and take it away; the photos stay the page's own."""

    def answer(change: Callable[[list[Photo]], list[Photo]]) -> None:
        def changed(route: Route) -> None:
            response = route.fetch()
            found = response.json()
            route.fulfill(response=response, json=found | {"results": change(found["results"])})

        page.route("**/api/v1/search/class?*", changed, times=1)
        with page.expect_response("**/api/v1/search/class?*"):
            page.evaluate("dispatchEvent(new PopStateEvent('popstate', {state: history.state}))")

    at, names = focused(page), shown(page)
    place = names.index(at)
    answer(lambda photos: photos[::-1])
    page.wait_for_function("(last) => document.querySelector('#grid img').alt.startsWith(last)", arg=names[-1])
    assert (focused(page), shown(page).index(at)) == (at, 23 - place)
    answer(lambda photos: [photo for photo in photos if photo["name"] != at])
    page.wait_for_function("() => document.querySelectorAll('#grid img').length === 23")
    assert focused(page) == shown(page)[min(23 - place, 22)] != at
    answer(lambda photos: photos)
    page.wait_for_function("() => document.querySelectorAll('#grid img').length === 24")


def test_the_keyboard_alone_reaches_photos_and_more_like_them(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the photos"
    tab_to(page, "button.chip:nth-child(1)")
    while page.evaluate("document.activeElement.textContent") != "mushroom":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for_photos_of(page, "mushroom")
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    tab_to(page, ".photo")
    names = shown(page)
    assert focused(page) == names[0]
    expect(page.locator("#how")).to_have_text("Every photo was compared.")
    page.keyboard.press("ArrowRight")
    assert focused(page) == names[1]
    page.keyboard.press("ArrowDown")
    assert names.index(focused(page)) > 2
    stays_at_its_photo(page)
    page.keyboard.press("Home")
    assert focused(page) == shown(page)[0] == names[0]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=names[0])
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert focused(page) == names[0]
    page.keyboard.press("Enter")
    tab_to(page, "#like")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?like=*")
    wait_for_photos_of(page, "mushroom")
    expect(page.locator("#grid").get_by_alt_text(names[0])).to_have_count(0)  # the photo itself is no answer
    page.wait_for_function("() => document.activeElement === document.querySelector('.photo')")


def test_photos_stay_while_somebody_is_among_them(opened: Open) -> None:
    page = opened("/?show=cup")
    page.clock.install()
    page.reload()
    wait_for_photos_of(page, "cup")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/search/" in request.url else None)
    count = {"count": 82, "classes": ["cup"]}  # one more than there were
    page.route("**/api/v1/gallery", lambda route: route.fulfill(json=count))
    page.locator(".photo").first.focus()
    page.clock.run_for(9000)
    assert asked == []
    page.locator("#upload").focus()
    with page.expect_request("**/api/v1/search/class?*"):
        page.clock.run_for(9000)


def test_a_picture_is_uploaded_pasted_or_dropped(opened: Open) -> None:
    page = opened()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files({"name": "u.png", "mimeType": "image/png", "buffer": as_png(drawing("umbrella"))})
    wait_for_photos_of(page, "umbrella")
    expect(page.get_by_role("radio", name="a drawing")).to_be_checked()
    expect(page.get_by_alt_text("The picture that is searched with")).to_be_visible()

    for kind in ("paste", "drop"):
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".photo")).to_have_count(0)
        data = page.evaluate_handle(_FILE, umbrella())
        if kind == "drop":
            page.dispatch_event("#canvas", "dragenter", {"dataTransfer": data})
            expect(page.get_by_text("Drop the picture here")).to_have_css("opacity", "1")
        key = "clipboardData" if kind == "paste" else "dataTransfer"
        event = "ClipboardEvent" if kind == "paste" else "DragEvent"
        options = f"{{{key}: data, bubbles: true, cancelable: true}}"
        page.evaluate(f"(data) => document.body.dispatchEvent(new {event}('{kind}', {options}))", data)
        wait_for_photos_of(page, "umbrella")


def test_a_photo_is_searched_as_a_photo(opened: Open, photos: Path) -> None:
    """Where the server sees that it is no drawing, at once; otherwise when the user says so."""
    page = opened()
    drawn, photo = (page.get_by_role("radio", name=name, exact=True) for name in ("a drawing", "a photo"))
    page.set_input_files("#file", photos / "car-0002.jpg")
    wait_for_photos_of(page, "car")
    expect(photo).to_be_checked()
    drawn.check()
    expect(page.get_by_role("alert")).to_contain_text("photograph")
    expect(drawn).to_be_checked()
    photo.check()
    expect(page.get_by_role("alert")).to_be_hidden()
    wait_for_photos_of(page, "car")
    page.set_input_files("#file", {"name": "u.png", "mimeType": "image/png", "buffer": as_png(drawing("umbrella"))})
    wait_for_photos_of(page, "umbrella")
    expect(drawn).to_be_checked()
    with page.expect_response("**/api/v1/search/photo?*"):
        photo.check()


def test_what_cannot_be_read_is_said(opened: Open) -> None:
    page = opened()
    page.set_input_files("#file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_role("alert")).to_contain_text("must be a")
    page.get_by_role("button", name="Draw instead").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    draw(page, drawing("fish"))
    wait_for_photos_of(page, "fish")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_details_and_a_folder(opened: Open) -> None:
    page = opened("/?show=fish")
    wait_for_photos_of(page, "fish")
    page.get_by_role("button", name="fish-0001.jpg").click()
    expect(page.get_by_role("dialog")).to_contain_text("96 × 96 pixels")
    with page.expect_response("**/api/v1/search/class?*under=odd"):
        page.get_by_role("button", name="Search in this folder").click()
    page.wait_for_function("() => document.querySelectorAll('#grid img').length === 24")
    wait_for_photos_of(page, "fish", least=3)
    expect(page.get_by_alt_text("fish-0000.jpg")).to_have_count(0)  # it is in the other folder
    page.get_by_role("button", name="search everywhere again").click()
    wait_for_photos_of(page, "fish")
    page.get_by_role("button", name="Show more").click()
    page.wait_for_function("() => document.querySelectorAll('#grid img').length === 48")


@pytest.mark.parametrize("device", [{}, PHONE, {"color_scheme": "dark"}], ids=["desktop", "phone", "dark"])
def test_axe_finds_nothing_to_mend(opened: Open, device: dict[str, object]) -> None:
    page = opened(**device)
    axe = Axe()

    def clean(state: str) -> None:
        found = axe.run(page)
        assert found.violations_count == 0, f"{state}: {found.generate_report()}"

    clean("empty")
    page.set_input_files("#file", {"name": "u.png", "mimeType": "image/png", "buffer": as_png(drawing("umbrella"))})
    wait_for_photos_of(page, "umbrella")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    clean("photos of an uploaded drawing")
    page.locator(".photo").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    clean("one photo")


def test_small_windows_and_large_letters_lose_nothing(opened: Open) -> None:
    """320 px wide, which is also 1280 px at 400 %, without a bar to scroll sideways."""
    page = opened("/?show=cup", viewport={"width": 320, "height": 640})
    wait_for_photos_of(page, "cup")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
