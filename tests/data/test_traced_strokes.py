"""Strokes that are traced from the sketches of a data set of pictures."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.traced_strokes import TracedStrokes
from crossx.strokes.raster import rasterise
from crossx.types import MODALITIES


@pytest.fixture(scope="module")
def data() -> ShapesDataset:
    return ShapesDataset(size=64, detail="fine", train=1, validation=1, test=1)


def test_strokes_lie_on_the_lines_of_the_picture(data: ShapesDataset) -> None:
    traced = TracedStrokes(data)
    for i in range(5):
        picture = data.images("sketch", "train").read(i)[0].numpy()
        strokes = traced.strokes("train", i)
        drawn = rasterise(strokes, 64, traced.line_width(64))
        ink = picture < 128
        assert (drawn[ink] < 255).mean() > 0.9
        assert strokes is traced.strokes("train", i), "each sketch is traced once"


def test_the_line_width_is_that_of_the_pictures(data: ShapesDataset) -> None:
    traced = TracedStrokes(data)
    assert traced.line_width(64) == pytest.approx(data.line_width(64), rel=0.25)
    assert traced.line_width(128) == pytest.approx(2 * traced.line_width(64))


def test_all_else_is_the_data_set(data: ShapesDataset) -> None:
    traced = TracedStrokes(data)
    assert (traced.classes, traced.size, traced.split_hash) == (data.classes, data.size, data.split_hash)
    assert (traced.held_out, traced.separate_galleries) == (data.held_out, data.separate_galleries)
    assert traced.labelled(0.5) == data.labelled(0.5)
    for modality in MODALITIES:
        assert torch.equal(traced.images(modality, "test").read(3), data.images(modality, "test").read(3))


@pytest.mark.parametrize("size", [32, 64])
def test_the_embedded_sketches_have_the_mean_width_that_they_say(size: int) -> None:
    """Ink by length of a hundred drawings, against drawings of exactly that width."""
    data = ShapesDataset(size=size, train=200, sketches=1)
    shares: list[list[float]] = [[], []]
    for i in range(100):
        picture = data.images("sketch", "train").read(i)[0].numpy()
        same = rasterise(data.strokes("train", i), data.size, data.line_width(data.size))
        for share, image in zip(shares, (picture, same), strict=True):
            share.append(float(255 - image.astype(np.float64).mean()))
    means = [float(np.mean(share)) for share in shares]
    assert all(b == pytest.approx(a, rel=0.05) for a, b in pairwise(means))


def test_a_sketch_without_a_line_is_named(data: ShapesDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    images = data.images("sketch", "train")
    monkeypatch.setattr(type(images), "read", lambda *_: torch.full((3, 128, 128), 255, dtype=torch.uint8))
    message = rf"^shapes-fine: a sketch must show a line to be traced, got none in '{images.names[2]}'$"
    with pytest.raises(InputError, match=message):
        TracedStrokes(data).strokes("train", 2)
