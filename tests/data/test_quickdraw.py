import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from support import layouts

from crossx.core.errors import InputError
from crossx.data.quickdraw import QuickDrawStrokes


def test_strokes_are_drawn_black_on_white(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"coffee cup": 12})
    sketches = QuickDrawStrokes(str(tmp_path))
    names = sketches.names("coffee cup")
    assert names == [f"coffee cup/{i}" for i in range(12)]
    left, right = (sketches.read(names[i], 64) for i in (2, 10))
    assert left.shape == (3, 64, 64)
    assert (left[0] == left[1]).all()
    assert left[0, :, 32].min() < 100  # the horizontal line
    assert left[0, 0].min() == 255  # the margin
    assert left[0, 10].argmin() < 32 < right[0, 10].argmin()  # the vertical one


def test_strokes_are_fitted_into_the_unit_square(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"cat": 3})
    fresh = QuickDrawStrokes(str(tmp_path))  # without listing first, as in a worker process
    strokes = fresh.strokes("cat/2")
    released = np.array([[[0, 128], [255, 128]], [[40, 0], [40, 255]]])
    np.testing.assert_allclose(strokes, 0.05 + 0.9 * released / 255, atol=1e-6)
    assert pickle.loads(pickle.dumps(fresh)).strokes("cat/2")[0].tolist() == strokes[0].tolist()


@pytest.mark.parametrize(
    "line",
    [
        '{"word": "cat", "drawing": [[[0, 1], [0',
        '{"word": "cat"}',
        "[]",
        "",
        '{"drawing": []}',
        '{"drawing": [[[], []]]}',
        '{"drawing": [[[0, 1], [0]]]}',
        '{"drawing": [[[0, 1], ["a", "b"]]]}',
        '{"drawing": [[[0, NaN], [0, 1]]]}',
        '{"drawing": [[[[0], [1]], [[0], [1]]]]}',
        '{"drawing": [[[0, 1]]]}',
        '{"drawing": 3}',
        json.dumps({"drawing": [[[10**400], [0]]]}),
        "\udcff",
    ],
)
def test_broken_line_is_an_error_that_names_it(line: str, tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"cat": 2})
    with (tmp_path / "simplified/cat.ndjson").open("ab") as file:
        file.write(line.encode(errors="surrogateescape") + b"\n")
    sketches = QuickDrawStrokes(str(tmp_path))
    assert len(sketches.names("cat")) == 3
    assert sketches.read("cat/1", 16).shape == (3, 16, 16)
    with pytest.raises(InputError, match=r"cat\.ndjson: line 3 "):
        sketches.read("cat/2", 16)


def test_missing_word_names_what_is_close(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"coffee cup": 1})
    with pytest.raises(InputError, match=r"coffeecup\.ndjson does not exist.*'coffee cup\.ndjson'"):
        QuickDrawStrokes(str(tmp_path)).names("coffeecup")
