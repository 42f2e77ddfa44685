"""The replay of a drawing: one file, whole, small, and correct HTML and JavaScript."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from crossx.core.errors import InputError
from crossx.strokes.replay import replay_html
from crossx.strokes.sequence import Strokes

DRAWING: Strokes = [
    np.array([[0.25, 0.5], [0.75, 0.5], [0.75, 0.25]], np.float32),
    np.array([[0.5, 0.5]], np.float32),
]


def photo(size: int = 256) -> npt.NDArray[np.uint8]:
    """Noise, which compresses worst."""
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)


class Page(HTMLParser):
    """Tags of a page, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)

    def first(self, name: str) -> dict[str, str | None]:
        return next(attributes for tag, attributes in self.tags if tag == name)


def test_one_file_that_fetches_nothing_and_is_small() -> None:
    many = [np.random.default_rng(i).random((5, 2)).astype(np.float32) for i in range(50)]
    text = replay_html(many, photo(), np.random.default_rng(0).random((250, 16, 16)))
    assert len(text.encode()) < 300 * 1024
    assert "http" not in text
    assert not re.search(r"@import|url\(|fetch\(|import\(|XMLHttp", text)
    page = Page(text)
    assert [value for _, attributes in page.tags for name, value in attributes.items() if name == "href"] == []
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name == "src"]
    assert len(sources) == 1
    assert str(sources[0]).startswith("data:image/jpeg;base64,")


def test_photo_and_points_are_in_it() -> None:
    page = Page(replay_html(DRAWING, photo(600), title="A <photo> & more"))
    source = str(page.first("img")["src"]).partition(",")[2]
    assert Image.open(BytesIO(base64.b64decode(source))).size == (256, 256)
    data = json.loads(page.scripts[0])
    assert data == {
        "strokes": [[[0.25, 0.5], [0.75, 0.5], [0.75, 0.25]], [[0.5, 0.5]]],
        "maps": None,
        "cells": None,
    }
    assert [tag for tag, _ in page.tags].count("polyline") == 2
    slider = next(attributes for _, attributes in page.tags if attributes.get("type") == "range")
    assert (slider["min"], slider["max"]) == ("0", "4")
    assert "photo>" not in [tag for tag, _ in page.tags]
    assert "<title>A &lt;photo&gt; &amp; more</title>" in replay_html(DRAWING, photo(8), title="A <photo> & more")


def test_attention_of_a_stroke_is_the_mean_over_its_points() -> None:
    attention = np.zeros((4, 2, 3))
    attention[0, 0, 0] = attention[1, 0, 0] = attention[2, 1, 2] = attention[3, 1, 1] = 1
    data = json.loads(Page(replay_html(DRAWING, photo(8), attention)).scripts[0])
    assert data["cells"] == [3, 2]
    found = np.frombuffer(base64.b64decode(data["maps"]), np.uint8).reshape(2, 2, 3)
    assert found.tolist() == [[[255, 0, 0], [0, 0, 128]], [[0, 0, 0], [0, 255, 0]]]


RUN = """
const elements = {};
const make = () => ({set: {}, classList: {toggle(name, on) { this[name] = on; }}, handlers: {},
  setAttribute(name, value) { this.set[name] = value; }, addEventListener(name, f) { this.handlers[name] = f; },
  getContext() { return {putImageData: (image) => { this.image = image; }}; }});
const polylines = [make(), make()];
const document = {getElementById: (id) => elements[id] ??= make(), querySelectorAll: () => polylines};
class ImageData { constructor(w, h) { this.data = new Uint8ClampedArray(4 * w * h); } }
elements.data = {textContent: DATA};
elements.place = {...make(), value: "4", max: "4"};
elements.shown = {...make(), checked: true};
SCRIPT
const seen = [];
for (const at of ["4", "2", "0"]) {
  elements.place.value = at;
  elements.place.handlers.input();
  seen.push([lines.map((line) => line.set.points), elements.said.textContent, elements.map.hidden,
    lines.map((line) => line.classList.now)]);
}
console.log(JSON.stringify(seen));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js to run the page's script")
def test_the_script_draws_as_many_points_as_the_slider_says(tmp_path: Path) -> None:
    page = Page(replay_html(DRAWING, photo(8), np.ones((4, 2, 2))))
    script = RUN.replace("DATA", json.dumps(page.scripts[0])).replace("SCRIPT", page.scripts[1])
    (tmp_path / "page.js").write_text(script)
    found = subprocess.run(["node", tmp_path / "page.js"], capture_output=True, text=True, check=True)  # noqa: S607
    assert json.loads(found.stdout) == [
        [["0.25,0.5 0.75,0.5 0.75,0.25", "0.5,0.5 0.5,0.5"], "stroke 2 of 2", False, [False, False]],
        [["0.25,0.5 0.75,0.5", ""], "stroke 1 of 2", False, [True, False]],
        [["", ""], "stroke 0 of 2", True, [False, False]],
    ]


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match=r"^strokes: must have at least one stroke, got none$"):
        replay_html([], photo(8))
    with pytest.raises(InputError, match=r"^strokes\[0\]: must be finite"):
        replay_html([DRAWING[0] * np.nan], photo(8))
    with pytest.raises(
        InputError, match=r"^photo: must be \(H, W, 3\) or \(H, W\) of uint8, got \(3, 8, 8\) of uint8$"
    ):
        replay_html(DRAWING, np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(
        InputError, match=r"^attention: must have the shape \(L, h, w\) with L = 4 points, got \(3, 2, 2\)"
    ):
        replay_html(DRAWING, photo(8), np.ones((3, 2, 2)))
    with pytest.raises(InputError, match=r"^attention: must be finite and at least 0, got other values$"):
        replay_html(DRAWING, photo(8), -np.ones((4, 2, 2)))
