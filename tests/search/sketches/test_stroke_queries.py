"""Strokes and SVG as queries: drawn as training sketches are, and refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.cards import card

from crossx.core.errors import InputError
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.pixels.pen import Pen
from crossx.search.sketches import sketch_from_json, sketch_from_strokes, sketch_from_svg

TREE = [[[0, 50, 100], [100, 0, 100]], [[50, 50], [100, 160]]]


@pytest.mark.parametrize("size", [32, 64, 224])
def test_strokes_are_drawn_as_the_reader_of_training_data_draws_them(size: int, tmp_path: Path) -> None:
    (tmp_path / "simplified").mkdir()
    (tmp_path / "simplified/tree.ndjson").write_text(json.dumps({"drawing": TREE}) + "\n")
    expected = QuickDrawStrokes(str(tmp_path)).read("tree/0", size).numpy()
    for values in ({"strokes": TREE}, {"drawing": TREE}):
        assert np.array_equal(sketch_from_strokes(values, card(size)).pixels, expected)
    timed = {"strokes": [[*stroke, [0] * len(stroke[0])] for stroke in TREE]}
    assert np.array_equal(sketch_from_json(json.dumps(timed), card(size)).pixels, expected)


def test_the_pen_of_the_card_redraws() -> None:
    plain = sketch_from_strokes({"strokes": TREE}, card(32))
    white = sketch_from_strokes({"strokes": TREE}, card(32, Pen(white_on_black=True)))
    assert plain.pixels[0, 0, 0] == 255
    assert white.pixels[0, 0, 0] == 0
    assert white.pixels.shape == (3, 32, 32)
    assert plain.png().startswith(b"\x89PNG")


def test_svg_is_drawn_as_its_lines() -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 160"><path d="M0 100L50 0L100 100"/></svg>'
    strokes = sketch_from_strokes({"strokes": TREE[:1]}, card(64)).pixels.astype(int)
    assert np.abs(sketch_from_svg(svg, card(64)).pixels.astype(int) - strokes).mean() < 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"strokes: must be \{\"strokes\""),
        ({"strokes": [], "drawing": []}, "strokes: must be"),
        ({"strokes": []}, "a list of at least one stroke"),
        ({"strokes": [[[1, 2]]]}, r"strokes\[0\]: must be \[\[x, ...\], \[y, ...\]\]"),
        ({"strokes": [[[1, 2], [1]]]}, r"strokes\[0\]: must have as many x as y.*got 2 and 1"),
        ({"strokes": [[[], []]]}, "at least one, got 0"),
        ({"strokes": [[[1e308], [0]]]}, r"strokes\[0\]: must be finite numbers of at most 1e\+06"),
        ({"strokes": [[[float("nan")], [0]]]}, "must be finite"),
        ({"strokes": [[["1"], [0]]]}, "must be finite"),
        ({"strokes": [[[True], [0]]]}, "must be finite"),
        ({"strokes": [[[0], [0]]] * 501}, "at most 500 strokes, got 501"),
        ({"strokes": [[[0] * 20_001, [0] * 20_001]]}, "at most 20000 points"),
    ],
)
def test_strokes_of_strangers_are_refused(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sketch_from_strokes(values, card(32))


def test_text_that_is_no_json_is_refused() -> None:
    for text in ("{", b"\xff\xfe", "[" * 100_000):
        with pytest.raises(InputError, match="strokes: must be"):
            sketch_from_json(text, card(32))


def test_one_dot_is_drawn_with_a_warning() -> None:
    sketch = sketch_from_strokes({"strokes": [[[5, 5], [5, 5]]]}, card(32))
    assert sketch.pixels.min() < 150
    assert sketch.warnings == ("only one dot is drawn",)
