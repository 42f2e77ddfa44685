"""The path of images without torch: the same pixels as in training, and pens within a level of torch's."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from crossx.data import images
from crossx.data.shapes.dataset import ShapesDataset
from crossx.pixels import fit
from crossx.pixels.pen import FINER, Pen
from crossx.pixels.redraw import redraw

TORCHLESS = (
    "crossx.core.atomic",
    "crossx.core.paths",
    "crossx.strokes.raster",
    "crossx.strokes.sequence",
    "crossx.strokes.quickdraw",
    "crossx.pixels.decode",
    "crossx.pixels.redraw",
    "crossx.search.card",
    "crossx.search.predictor",
    "crossx.search.onnx_run",
    "crossx.search.sketches",
)


def test_a_search_imports_no_torch() -> None:
    lines = [*(f"import {name}" for name in TORCHLESS), "import sys"]
    lines.append("print(sorted({'torch', 'lightning', 'torchvision'} & sys.modules.keys()))")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr[-1000:]


def test_photos_and_sketches_are_those_of_training() -> None:
    rng = np.random.default_rng(0)
    for side in ((70, 50), (31, 64), (32, 32)):
        picture = Image.fromarray(rng.integers(0, 256, (*side, 3), dtype=np.uint8))
        for mine, training in ((fit.fit_photo, images.fit_photo), (fit.fit_sketch, images.fit_sketch)):
            assert torch.equal(torch.from_numpy(mine(picture, 32)), training(picture, 32))


@pytest.mark.parametrize(
    "pen",
    [
        Pen(darkness=2),
        Pen(line_width=0.03),
        Pen(margin=0.1, line_width=0.05, darkness=1.5, white_on_black=True),
        Pen(margin=0.0),
    ],
    ids=str,
)
def test_a_pen_draws_as_with_torch(pen: Pen) -> None:
    size = 32
    sketches = ShapesDataset(size=size * FINER, test=1).images("sketch", "test")
    blank = torch.full((3, size * FINER, size * FINER), 255, dtype=torch.uint8)
    for sketch in [*(sketches.image(i) for i in range(4)), blank]:
        wanted = pen.redraw(sketch)[0].numpy().astype(int)
        found = redraw(sketch[0].numpy(), pen).astype(int)
        assert np.abs(found - wanted).max() <= 1
        assert (found != wanted).mean() < 0.01
