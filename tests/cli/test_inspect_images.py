"""The images that `crossx inspect` looks at: which, at which size, and which it leaves out."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageOps
from support.inspecting import SHIPPED, Inspect, card, printed, save_drawings
from torch import Tensor

from crossx.inspection.images import folder_images
from crossx.inspection.pen_fit import PenFit
from crossx.pixels.fit import is_white_on_black
from crossx.pixels.pen import FINER, Pen
from crossx.teachers.teacher import FrozenTeacher


@pytest.fixture
def inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inspect:
    """Run the command in a folder of its own; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    return partial(printed, capsys)


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Class folders of sketches, in full resolution."""
    return save_drawings(tmp_path / "drawings")


def test_the_images_add_up(inspect: Inspect, drawings: Path) -> None:
    """Images that are looked at, and all others by the reason why they are not."""
    (drawings / "cup").rename(drawings / "cups")
    (drawings / "car/more").mkdir()
    for i in range(3):
        Image.new("L", (40, 40), 255).save(drawings / f"car/more/{i}.png")
    for i in range(2):
        (drawings / f"car/phone{i}.heic").touch()
    (drawings / "car/more/phone.heic").touch()
    (drawings / "tree/.hidden").touch()
    (drawings / "Thumbs.db").touch()
    (drawings / "labels.csv").touch()
    tree = next(drawings.glob("tree/*.png"))
    for i in range(600):
        (drawings / f"tree/copy{i}.png").symlink_to(tree)
    printed = inspect(SHIPPED, "--images", "drawings")
    assert all(len(line) <= 80 for line in printed.splitlines())
    text = " ".join(printed.split())
    looked_at, of = map(int, re.findall(r" images (\d+) of (\d+), ", text)[0])
    words = text.partition(" left out ")[2].partition(" accuracy ")[0]
    total, *counts = map(int, re.findall(r"(?:^|: |; )(\d+)(?= |:)", words))
    assert 300 < looked_at <= 500
    assert sum(counts) == total == of - looked_at
    assert of == 40 + 4 + 2 + 1 + 600
    for part in (
        "2 with the ending .heic, such as drawings/car/phone0.heic",
        "1 with the ending .csv, such as drawings/labels.csv",
        "4 in folders inside class folders, such as drawings/car/more/0.png",
        "4 in folders that are no class of the teacher, such as drawings/cups/",
        f"{of - looked_at - 11} beyond the limit of 500 images",
    ):
        assert part in words


def test_a_folder_without_images_says_what_it_has(inspect: Inspect, drawings: Path) -> None:
    (drawings.parent / "outer").mkdir()
    drawings.rename(drawings.parent / "outer/train")
    error = inspect(SHIPPED, "--images", "outer", status=2)
    assert "got 40 in folders inside class folders, such as outer/train/car" in error
    assert error.endswith("; class folders with images are one folder deeper: name outer/train\n")


def test_a_flat_folder_needs_no_label(inspect: Inspect, drawings: Path) -> None:
    for path in drawings.glob("*/*.png"):
        path.rename(drawings / path.name)
    for folder in drawings.glob("*/"):
        folder.rmdir()
    text = inspect(SHIPPED, "--images", "drawings", "--sheet", "s.png").partition("images")[2]
    assert "40, 0 of them" in text
    assert "accuracy" not in text
    assert "nats, mutual information" in text


def test_a_folder_that_is_no_class_is_named_with_the_nearest_one(inspect: Inspect, drawings: Path) -> None:
    (drawings / "cup").rename(drawings / "cups")
    text = " ".join(inspect(SHIPPED, "--images", "drawings").split())
    assert "no class of the teacher is called 'cups' (did you mean 'cup'?)" in text
    assert "images 36 of 40, 36 of them" in text
    assert "left out 4: 4 in folders that are no class of the teacher, such as drawings/cups/" in text


@pytest.mark.usefixtures("drawings")
def test_images_are_looked_at_in_the_size_of_the_data_set(inspect: Inspect) -> None:
    plain = inspect(SHIPPED, "--images", "drawings")
    assert "size         32 x 32 pixels, the input size of the teacher" in plain
    assert inspect(SHIPPED, "--images", "drawings", "--size", "32") == plain
    large = inspect(SHIPPED, "--images", "drawings", "--size", "128")
    assert "size         128 x 128 pixels, which the teacher resizes to its input" in large
    assert large.partition("accuracy")[2] != plain.partition("accuracy")[2]


@pytest.mark.usefixtures("drawings")
def test_a_pen_is_fitted_at_that_size_and_replaces_another_one_aloud(
    inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def fitted(_: FrozenTeacher, sketches: list[Tensor], drawn: Tensor) -> PenFit:
        sizes.append((sketches[0].shape[-1], drawn.shape[-1]))
        return PenFit(Pen(margin=0.1), 1.0, 2.0, 3)

    monkeypatch.setattr("crossx.cli.inspect.fit_pen", fitted)
    spec = card(tmp_path, pen={"line_width": 1 / 48, "white_on_black": True})
    text = " ".join(inspect(spec, "--images", "drawings", "--fit-pen", "--size", "48").split())
    assert sizes == [(FINER * 48, 48)]
    assert "pen before line_width 0.02083, white_on_black True; replaced pen fitted margin 0.1" in text
    assert "3 pens on 40 sketches of 48 pixels" in text


def test_sketches_of_two_kinds_are_named(inspect: Inspect, drawings: Path) -> None:
    assert "read as light lines" not in inspect(SHIPPED, "--images", "drawings")
    paths = sorted(drawings.glob("*/*.png"))
    for path in paths[5:8]:
        ImageOps.invert(Image.open(path)).save(path)
    text = " ".join(inspect(SHIPPED, "--images", "drawings").split())
    assert "3 of 40 sketches are read as light lines on black" in text
    assert f"such as {paths[5].relative_to(drawings.parent)}" in text


def test_blank_images(inspect: Inspect, tmp_path: Path) -> None:
    (tmp_path / "blank").mkdir()
    for i in range(3):
        Image.new("L", (40, 40), 255).save(tmp_path / "blank" / f"{i}.png")
    text = " ".join(inspect(SHIPPED, "--images", "blank").split())
    assert "3 of 3 images are blank" in text
    assert "100% of the images are predicted as" in text


def test_each_sketch_is_asked_once_for_its_polarity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, (ground, line) in enumerate([(255, 0), (0, 255)]):
        picture = Image.new("L", (40, 40), ground)
        picture.paste(line, (10, 18, 30, 22))
        picture.save(tmp_path / f"{i}.png")
    asked: list[bool] = []

    def ask(grey: npt.NDArray[np.uint8]) -> bool:
        asked.append(is_white_on_black(grey))
        return asked[-1]

    for module in ("crossx.pixels.fit", "crossx.inspection.images"):
        monkeypatch.setattr(f"{module}.is_white_on_black", ask)
    for pen in (None, Pen(darkness=2)):
        asked.clear()
        images, light = folder_images(tmp_path, ["cup"]).read("sketch", 20, pen)
        assert asked == light.tolist() == [False, True]
        assert torch.allclose(images[0], images[1], atol=1 / 255), "both are dark lines on white"
