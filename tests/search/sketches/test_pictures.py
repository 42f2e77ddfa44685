"""Pictures of drawings: the shipped sketch teacher reads spoilt ones as it reads clean ones."""

import io
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageDraw
from support.cards import card
from support.spoilt import SPOILT, png

from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.search.sketches import sketch_from_picture
from crossx.search.sketches.ink import NoDrawingError
from crossx.teachers.teacher import load_teacher

SIDE, EACH = 384, 4


@cache
def drawings() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Ink of sketches in [0, 1], (N, H, W), and their classes."""
    images = ShapesDataset(size=SIDE, test=EACH).images("sketch", "test")
    return np.stack([1 - images.image(i)[0].numpy() / 255 for i in range(len(images))]), images.labels


def right(pictures: list[bytes]) -> float:
    """Accuracy of the shipped sketch teacher."""
    pixels = np.stack([sketch_from_picture(content, card(32)).pixels for content in pictures])
    with torch.no_grad():
        logits = load_teacher("crossx:assets/shapes_sketch.safetensors")(torch.from_numpy(pixels) / 255).logits
    return float((logits.argmax(1).numpy() == drawings()[1]).mean())


@cache
def clean() -> float:
    return right([png(Image.fromarray((255 * (1 - ink)).round().astype(np.uint8))) for ink in drawings()[0]])


@pytest.mark.parametrize("kind", SPOILT)
def test_spoilt_drawings_are_read_as_clean_ones(kind: str) -> None:
    assert clean() > 0.75
    assert right([png(SPOILT[kind](ink)) for ink in drawings()[0]]) >= clean() - 0.05


def test_the_user_is_told_what_was_done() -> None:
    ink = drawings()[0][0]
    told = {kind: sketch_from_picture(png(SPOILT[kind](ink)), card(32)).warnings for kind in SPOILT}
    assert told["inverted"] == ("inverted",)
    assert told["hard shadow and blur"] == ("uneven light removed",)
    assert told["white ink on transparency"] == ("drawn on transparency",)
    assert told["blue pen"] == ()


@pytest.mark.parametrize("side", [32, 64, 256])
def test_photos_are_noticed(side: int) -> None:
    images = ShapesDataset(size=side, test=4).images("photo", "test")
    noticed = 0
    for i in range(len(images)):
        try:
            sketch_from_picture(picture(images.image(i).numpy().transpose(1, 2, 0), "JPEG"), card(32))
        except NoDrawingError:
            noticed += 1
    assert noticed >= 0.95 * len(images)


@pytest.mark.parametrize("place", ["on a table", "filled"])
def test_drawings_in_many_colours_are_no_photos(place: str) -> None:
    """Felt pens of four colours on yellow paper, in light from a side."""
    table = place == "on a table"
    sheet = Image.new("RGB", (600, 450), (150, 110, 70) if table else (250, 245, 215))
    pens = ImageDraw.Draw(sheet)
    pens.rectangle((40, 30, 560, 420), fill=(250, 245, 215))
    pens.line((120, 350, 480, 350), fill=(60, 120, 50), width=8)
    pens.rectangle((200, 220, 400, 350), outline=(180, 30, 40), width=8)
    roof = [(180, 220), (300, 110), (420, 220)]
    pens.polygon(roof, fill=None if table else (60, 60, 200), outline=(60, 60, 200), width=8)
    pens.ellipse((450, 60, 520, 130), outline=(230, 160, 0), width=8)
    light = np.linspace(1, 0.6, 600)[None, :, None] * np.array([1, 0.98, 0.93])
    noise = np.random.default_rng(0).normal(0, 4, (450, 600, 3))
    values = (np.asarray(sheet) * light + noise).clip(0, 255).astype(np.uint8)
    assert sketch_from_picture(picture(values, "JPEG"), card(32)).pixels.min() < 128


def picture(values: npt.NDArray[np.uint8], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (picture(np.full((64, 64), 255, np.uint8)), "nothing is drawn"),
        (picture(np.full((64, 64), 9, np.uint8)), "nothing is drawn"),
        (picture(np.full((1, 1), 255, np.uint8)), "nothing is drawn"),
        (picture(RNG.integers(0, 256, (300, 300), dtype=np.uint8)), "must show a drawing|must be ink by at most"),
        (picture(np.zeros((8, 8), np.uint8), "TIFF"), "must be a PNG, JPEG, WebP, BMP or GIF"),
        (picture(RNG.integers(0, 256, (64, 64), dtype=np.uint8))[:500], "must be a PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "must be a PNG"),
        (b"", "must be a PNG"),
        (picture(np.zeros((4900, 5000), bool)), "at most 24 million pixels, got 5000 x 4900"),
    ],
    ids=range(9),
)
def test_what_is_no_drawing_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sketch_from_picture(content, card(32))
