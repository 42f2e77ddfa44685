import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from support import layouts

from crossx.core.errors import InputError
from crossx.data.quickdraw import QuickDrawBitmaps, QuickDrawStrokes


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


def test_strokes_as_released(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"cat": 3})
    fresh = QuickDrawStrokes(str(tmp_path))  # without listing first, as in a worker process
    strokes = fresh.strokes("cat/2")
    assert [s.tolist() for s in strokes] == [[[0, 128], [255, 128]], [[40, 0], [40, 255]]]
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


def test_bitmaps_become_black_on_white(tmp_path: Path) -> None:
    layouts.quickdraw_bitmaps(tmp_path, {"cat": 3})
    sketches = QuickDrawBitmaps(str(tmp_path))
    assert sketches.names("cat") == ["cat/0", "cat/1", "cat/2"]
    image = sketches.read("cat/2", 28)
    assert image.shape == (3, 28, 28)
    assert (image[:, 4:24, 6:8] == 0).all()
    assert (image == 0).sum() == 3 * 20 * 2
    assert sketches.read("cat/2", 56)[0, 28].argmin() in range(12, 16)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 28, 28), np.uint8),
        np.zeros((2, 784), np.float32),
        np.zeros(784, np.uint8),
        np.zeros((), np.uint8),
    ],
)
def test_array_of_another_kind_is_an_error(array: np.ndarray, tmp_path: Path) -> None:
    layouts.quickdraw_bitmaps(tmp_path, {})
    np.save(tmp_path / "numpy_bitmap/cat.npy", array)
    with pytest.raises(InputError, match=r"cat\.npy: must hold \(N, 784\) uint8, holds"):
        QuickDrawBitmaps(str(tmp_path)).names("cat")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was run')",)


def test_pickles_are_not_run_and_damaged_files_named(tmp_path: Path) -> None:
    layouts.quickdraw_bitmaps(tmp_path, {"half": 2})
    folder = tmp_path / "numpy_bitmap"
    np.save(folder / "objects.npy", np.array([Evil()], dtype=object))
    (folder / "raw.npy").write_bytes(pickle.dumps(Evil()))
    (folder / "half.npy").write_bytes((folder / "half.npy").read_bytes()[:-700])
    (folder / "empty.npy").write_bytes(b"")
    with (folder / "archive.npy").open("wb") as file:
        np.savez(file, np.zeros((1, 784), np.uint8))
    for word in ("objects", "raw", "half", "empty", "archive"):
        with pytest.raises(InputError, match=rf"{word}\.npy"):
            QuickDrawBitmaps(str(tmp_path)).names(word)


def test_missing_word_names_what_is_close(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"coffee cup": 1})
    layouts.quickdraw_bitmaps(tmp_path, {"coffee cup": 1})
    with pytest.raises(InputError, match=r"coffeecup\.ndjson does not exist.*'coffee cup\.ndjson'"):
        QuickDrawStrokes(str(tmp_path)).names("coffeecup")
    with pytest.raises(InputError, match=r"coffeecup\.npy does not exist.*'coffee cup\.npy'"):
        QuickDrawBitmaps(str(tmp_path)).names("coffeecup")
