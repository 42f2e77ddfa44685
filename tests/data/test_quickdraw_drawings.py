"""Drawings of Quick, Draw! as a data set: splits by a hash of each name, strokes, and mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from crossx.core.errors import InputError
from crossx.data import QuickDrawDrawings
from crossx.strokes.sequence import check_normalised
from crossx.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@pytest.fixture
def root(tmp_path: Path) -> str:
    """60 cats and 40 suns, each a line of another length."""
    (tmp_path / "simplified").mkdir()
    for word, count in (("cat", 60), ("sun", 40)):
        lines = [json.dumps({"drawing": [[[0, 9 + i], [0, 20]], [[5, 5], [0, i + 1]]]}) for i in range(count)]
        (tmp_path / f"simplified/{word}.ndjson").write_text("\n".join(lines) + "\n")
    return str(tmp_path)


def test_every_drawing_is_in_one_split_whatever_else_the_file_holds(root: str) -> None:
    data = QuickDrawDrawings(["cat", "sun"], root)
    names = {split: data.names(split) for split in SPLITS}
    assert sorted(name for found in names.values() for name in found) == sorted(
        [f"cat/{i}" for i in range(60)] + [f"sun/{i}" for i in range(40)]
    )
    assert 70 < len(names["train"]) < 90
    assert all(names.values())
    file = Path(root) / "simplified/cat.ndjson"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:30]))
    fewer = QuickDrawDrawings(["cat"], root)
    assert all(set(fewer.names(split)) <= set(names[split]) for split in SPLITS)
    assert fewer.split_hash != data.split_hash


def test_labels_strokes_and_images(root: str) -> None:
    data = QuickDrawDrawings(["sun", "cat"], root, size=32)
    photos, sketches = data.images("photo", "train"), data.images("sketch", "train")
    assert data.classes == ("sun", "cat")
    assert [data.classes[label] for label in sketches.labels] == [name.partition("/")[0] for name in sketches.names]
    assert data.own_photos("train").tolist() == list(range(len(sketches)))
    assert torch.equal(photos.read(0), sketches.read(0))
    assert sketches.read(0).shape == (3, 32, 32)
    strokes = data.strokes("train", 0)
    check_normalised(strokes)
    assert [len(stroke) for stroke in strokes] == [2, 2]
    assert all(np.array_equal(a, b) for a, b in zip(strokes, data.reader.strokes(data.names("train")[0]), strict=True))


def test_words_of_the_real_data() -> None:
    data = QuickDrawDrawings(["cat", "bicycle"])
    sizes = [len(data.names(split)) for split in SPLITS]
    assert sizes[0] / sum(sizes) == pytest.approx(0.8, abs=0.05)
    for i in range(5):
        check_normalised(data.strokes("test", i))


def test_wrong_arguments_are_refused(root: str) -> None:
    with pytest.raises(InputError, match=r"^QuickDrawDrawings\.words: must have at least one word, got none$"):
        QuickDrawDrawings([])
    with pytest.raises(InputError, match=r"^QuickDrawDrawings\.size: must be at least 16, got 8$"):
        QuickDrawDrawings(["cat"], root, size=8)
    with pytest.raises(InputError, match=r"simplified/dgo\.ndjson"):
        QuickDrawDrawings(["dgo"], root).names("train")
