"""Sketches in another style: where they are, how wide and how dark their lines are, and nothing else."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps
from support import layouts
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.images import load_image
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.redrawn import RedrawnSketches, redrawn
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.sketchy import Sketchy
from crossx.pixels.fit import is_white_on_black
from crossx.pixels.pen import FINER, Pen

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


def drawn(sketches: Sketchy, **style: Any) -> Tensor:  # noqa: ANN401 - of a pen
    return load_image(sketches.path / sketches.names("box")[0], "sketch", SIZE, Pen(**style))


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
    wide = ink(drawn(sketches, **{**style, "line_width": 2 / SIZE}))
    assert int((wide[16] > 0.5).sum()) == int((wide[:, 16] > 0.5).sum()) == 18  # two pixels more than 16
    faded = ink(drawn(sketches, **{**style, "line_width": 2 / SIZE, "darkness": 0.5}))
    torch.testing.assert_close(faded, wide / 2, atol=3 / 255, rtol=0)


def test_white_on_black_is_the_negative(sketches: Sketchy) -> None:
    black = drawn(sketches, margin=0.25, line_width=1 / SIZE, darkness=0.8)
    assert torch.equal(
        drawn(sketches, margin=0.25, line_width=1 / SIZE, darkness=0.8, white_on_black=True), 255 - black
    )


def test_without_a_margin_the_drawing_keeps_its_place(sketches: Sketchy) -> None:
    rows, columns = (ink(drawn(sketches, darkness=0.9)) > 0.5).nonzero().T
    assert [int(x) for x in (rows.min(), rows.max(), columns.min(), columns.max())] == [3, 10, 2, 9]


def test_a_pen_without_arguments_changes_nothing(sketches: Sketchy) -> None:
    path = sketches.path / sketches.names("box")[0]
    assert torch.equal(load_image(path, "sketch", SIZE, Pen()), load_image(path, "sketch", SIZE))
    data = ShapesDataset(train=1, validation=1, test=1)
    assert redrawn(data, Pen()) is data
    assert redrawn(data, None) is data


def test_a_photo_has_no_pen(sketches: Sketchy) -> None:
    path = sketches.path / sketches.names("box")[0]
    assert torch.equal(load_image(path, "photo", SIZE, Pen(darkness=0.5)), load_image(path, "photo", SIZE))


def test_an_empty_sheet_stays_empty(tmp_path: Path) -> None:
    Image.new("L", (64, 64), 255).save(tmp_path / "0.png")
    assert (load_image(tmp_path / "0.png", "sketch", SIZE, Pen(margin=0.1, line_width=0.1)) == 255).all()


def test_a_data_set_keeps_photos_names_and_pairs() -> None:
    data = ShapesDataset(train=1, validation=2, test=1)
    again = redrawn(data, Pen(margin=0.1, line_width=1 / SIZE))
    assert (again.name, again.classes, again.size) == (data.name, data.classes, data.size)
    assert again.split_hash == data.split_hash
    photos, sketches = again.images("photo", "validation"), again.images("sketch", "validation")
    assert torch.equal(photos.image(3), data.images("photo", "validation").image(3))
    before = data.images("sketch", "validation")
    assert isinstance(sketches, RedrawnSketches)
    assert (sketches.names, sketches.instances, sketches.labels.tolist()) == (
        before.names,
        before.instances,
        before.labels.tolist(),
    )
    assert sketches.image(3).shape == (3, SIZE, SIZE)
    assert torch.equal(sketches.image(3), again.pen.redraw(before.read(3, FINER)))  # type: ignore[attr-defined]
    assert ink(sketches.image(3)).sum() > 1.2 * ink(before.image(3)).sum()


def test_every_reader_reads_finer_for_a_pen(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"cat": 2})
    fine = QuickDrawStrokes(str(tmp_path)).read("cat/1", FINER * 16)
    assert Pen(margin=0.15, line_width=0.5 / 16).redraw(fine).shape == (3, 16, 16)


def test_values_of_a_file() -> None:
    pen = Pen(margin=0.15, darkness=0.6, white_on_black=True)
    assert Pen.from_mapping(pen.to_mapping()) == pen
    assert pen.to_mapping() == {"margin": 0.15, "darkness": 0.6, "white_on_black": True}
    assert Pen().to_mapping() == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margin": 0.5}, r"^pen\.margin: must be in \[0, 0\.5\), got 0\.5"),
        ({"line_width": -1.0}, r"^pen\.line_width: must be in \[0, 0\.5\), got -1\.0"),
        ({"line_width": 2}, r"^pen\.line_width: must be in \[0, 0\.5\), got 2"),
        ({"darkness": 0.0}, r"^pen\.darkness: must be in \(0, 10\], got 0\.0"),
        ({"darkness": "dark"}, r"^pen\.darkness: must be a number in \(0, 10\], got 'dark'"),
        ({"white_on_black": 1}, r"^pen\.white_on_black: must be true or false, got 1"),
        ({"line_with": 1}, r"^pen: must have keys of .*, got \['line_with'\] \(did you mean 'line_width'\?\)"),
        ([1], r"^pen: must be a mapping with keys of .*, got \[1\]"),
    ],
)
def test_mistakes_are_named(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Pen.from_mapping(values)


def negative(path: Path, target: Path) -> Path:
    ImageOps.invert(Image.open(path).convert("L")).save(target)
    return target


def test_white_on_black_files_are_read_as_dark_on_white(tmp_path: Path) -> None:
    data_root = Path(os.environ["CROSSX_DATA"]) / "tuberlin/png"
    paths = sorted(data_root.glob("*/*.png"))[::400]
    assert len(paths) >= 50
    for i, path in enumerate(paths):
        inverted = negative(path, tmp_path / f"{i}.png")
        assert torch.equal(load_image(inverted, "sketch", SIZE), load_image(path, "sketch", SIZE)), path


def test_dense_drawings_white_on_black_have_a_black_ground() -> None:
    """As in Quick, Draw!, which draws lines 16 pixels wide on 288 and shrinks the drawing to 28 pixels."""
    shares = []
    for count in range(2, 40, 2):
        drawing = Image.new("L", (288, 288), 0)
        points = np.random.default_rng(count).integers(24, 264, (count, 2)).tolist()
        ImageDraw.Draw(drawing).line([tuple(point) for point in points], fill=255, width=16, joint="curve")
        small = np.asarray(drawing.resize((28, 28), Image.Resampling.BOX))
        shares.append((small < 64).mean())
        assert shares[-1] < 0.5 or is_white_on_black(small)
        assert not is_white_on_black(255 - small)
    assert len([share for share in shares if 0.5 <= share < 0.6]) >= 2


def test_a_real_drawing_has_one_ground() -> None:
    root = Path(os.environ["CROSSX_DATA"])
    words = sorted(root.glob("quickdraw/numpy_bitmap/*.npy"))
    bitmaps = [bitmap.reshape(28, 28) for path in words for bitmap in np.load(path, "r")[:20]]
    assert len(bitmaps) >= 500
    assert all(map(is_white_on_black, bitmaps))
    kinds = {"sketchy/256x256/sketch": "*/*/*.png", "qmul_v1": "*/*/*/*.png", "tuberlin/png": "*/*.png"}
    for folder, names in kinds.items():
        paths = sorted((root / folder).glob(names))
        assert len(paths) >= 1000
        for path in paths[:: len(paths) // 30]:
            assert not is_white_on_black(np.asarray(Image.open(path).convert("L"))), path


def test_a_frame_or_a_filled_part_is_no_ground() -> None:
    framed = Image.new("L", (64, 64), 0)
    framed.paste(255, (2, 2, 62, 62))
    framed.paste(0, (20, 20, 24, 50))
    filled = Image.new("L", (64, 64), 255)
    filled.paste(0, (4, 4, 60, 60))
    for image in (framed, filled):
        assert not is_white_on_black(np.asarray(image))


def test_plain_values_are_those_that_change_something() -> None:
    assert Pen.plain(Pen(margin=0.1, white_on_black=True)) == {"margin": 0.1, "white_on_black": True}
    assert Pen.plain(Pen()) is Pen.plain(None) is None
