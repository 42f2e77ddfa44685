"""Sketches in another style: where they are, how wide and how dark their lines are, and nothing else."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from support import layouts
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.folders import ImageFolder
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.restyled import RestyledSketches
from crossx.data.sketchy import Sketchy

SIZE = 32


@pytest.fixture
def sketches(tmp_path: Path) -> Sketchy:
    """A black square of 32 of 128 pixels, near a corner."""
    layouts.sketchy(tmp_path, {"box": ["n1_1"]}, sketches=1)
    reader = Sketchy("sketch", str(tmp_path))
    image = Image.new("L", (128, 128), 255)
    image.paste(0, (8, 12, 40, 44))
    image.save(reader.path / reader.names("box")[0])
    return reader


def drawn(sketches: Sketchy, **style: float) -> Tensor:
    return RestyledSketches(sketches, **style).read(sketches.names("box")[0], SIZE)


def ink(image: Tensor) -> Tensor:
    return 1 - image[0].float() / 255


def test_the_drawing_stands_in_the_middle_with_a_margin(sketches: Sketchy) -> None:
    image = drawn(sketches, margin=0.25, line_width=0.0, darkness=1.0)
    assert image.shape == (3, SIZE, SIZE)
    assert image.dtype == torch.uint8
    assert (image[0] == image[2]).all()
    rows, columns = (ink(image) > 0.5).nonzero().T
    assert [int(x) for x in (rows.min(), rows.max(), columns.min(), columns.max())] == [8, 23, 8, 23]
    whole = drawn(sketches, margin=0.0, line_width=0.0, darkness=1.0)
    assert (ink(whole) > 0.9).all()


def test_lines_become_wider_and_lighter(sketches: Sketchy) -> None:
    style = {"margin": 0.25, "line_width": 0.0, "darkness": 1.0}
    wide = ink(drawn(sketches, **{**style, "line_width": 2.0}))
    assert int((wide[16] > 0.5).sum()) == int((wide[:, 16] > 0.5).sum()) == 18  # two pixels more than 16
    faded = ink(drawn(sketches, **{**style, "line_width": 2.0, "darkness": 0.5}))
    torch.testing.assert_close(faded, wide / 2, atol=3 / 255, rtol=0)


def test_an_empty_sheet_stays_empty(tmp_path: Path) -> None:
    layouts.save_photo(tmp_path / "nothing" / "0.png", 255)
    Image.new("L", (64, 64), 255).save(tmp_path / "nothing" / "0.png")
    reader = ImageFolder(str(tmp_path), "sketch")
    assert (RestyledSketches(reader).read("nothing/0.png", SIZE) == 255).all()


def test_names_and_instances_are_those_of_the_reader(sketches: Sketchy, tmp_path: Path) -> None:
    restyled = RestyledSketches(sketches)
    names = restyled.names("box")
    assert names == sketches.names("box")
    assert restyled.instances(names) == ["n1_1"]
    layouts.quickdraw_strokes(tmp_path, {"cat": 2})
    assert RestyledSketches(QuickDrawStrokes(str(tmp_path))).read("cat/1", 16).shape == (3, 16, 16)


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ({"margin": 0.5}, r"RestyledSketches\.margin: must be in \[0, 0\.5\), got 0\.5"),
        ({"line_width": -1.0}, r"RestyledSketches\.line_width: must be at least 0, got -1\.0"),
        ({"darkness": 0.0}, r"RestyledSketches\.darkness: must be in \(0, 1\], got 0\.0"),
    ],
)
def test_mistakes_are_named(style: dict[str, float], message: str, sketches: Sketchy) -> None:
    with pytest.raises(InputError, match=message):
        RestyledSketches(sketches, **style)


def test_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"RestyledSketches\.reader: must be .* of sketches, got ImageFolder of photos"
    ):
        RestyledSketches(ImageFolder(str(tmp_path), "photo"))
