"""Eleven ways in which drawings of users differ from those of a data set."""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Array = npt.NDArray[np.float64]


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _coloured(ink: Array, line: tuple[float, float, float], paper: tuple[float, float, float]) -> Image.Image:
    """Lines of a colour on paper of a colour, of ink in [0, 1]."""
    return _image(ink[..., None] * np.array(line) + (1 - ink[..., None]) * np.array(paper))


def _image(values: Array) -> Image.Image:
    return Image.fromarray((255 * values.clip(0, 1)).round().astype(np.uint8))


def _noise(picture: Image.Image, deviation: float) -> Image.Image:
    values = np.asarray(picture, dtype=np.float64) / 255
    return _image(values + _rng().normal(0, deviation, values.shape))


def _inverted(ink: Array) -> Image.Image:
    return _coloured(ink, (1, 1, 1), (0, 0, 0))


def _white_on_transparency(ink: Array) -> Image.Image:
    white = np.ones((*ink.shape, 3))
    return _image(np.concatenate([white, ink[..., None]], axis=2))


def _yellow(ink: Array) -> Image.Image:
    return _coloured(ink, (1, 0.9, 0.1), (1, 1, 1))


def _blue(ink: Array) -> Image.Image:
    return _coloured(ink, (0.35, 0.5, 0.95), (1, 1, 1))


def _chalk(ink: Array) -> Image.Image:
    return _noise(_coloured(ink, (0.85, 0.85, 0.8), (0.1, 0.3, 0.2)), 0.03)


def _pencil(ink: Array) -> Image.Image:
    return _noise(_coloured(ink, (0.5, 0.5, 0.52), (0.78, 0.76, 0.7)), 0.015)


def _uneven(ink: Array) -> Image.Image:
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]] / len(ink)
    light = 1.0 - 0.65 * np.hypot(x, y) / 2**0.5
    return _noise(_image((1 - 0.8 * ink)[..., None] * light[..., None] * np.array([1, 0.97, 0.9])), 0.01)


def _shadow(ink: Array) -> Image.Image:
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]] / len(ink)
    light = np.where(x + 0.4 * y > 0.75, 0.45, 0.95)
    picture = _image((1 - 0.8 * ink)[..., None] * light[..., None] * np.ones(3))
    return _noise(picture.filter(ImageFilter.GaussianBlur(2)), 0.01)


def _corner(ink: Array) -> Image.Image:
    small = Image.fromarray((255 * (1 - ink)).astype(np.uint8)).resize((len(ink) // 4,) * 2, Image.Resampling.BOX)
    sheet = Image.new("L", ink.shape[::-1], 255)
    sheet.paste(small, (int(0.7 * len(ink)), int(0.1 * len(ink))))
    return sheet.convert("RGB")


def _grainy(ink: Array) -> Image.Image:
    return _noise(_coloured(ink, (0.1, 0.1, 0.1), (0.9, 0.9, 0.9)), 0.1)


def _compressed(ink: Array) -> Image.Image:
    buffer = io.BytesIO()
    _coloured(ink, (0.1, 0.1, 0.1), (0.95, 0.95, 0.95)).save(buffer, "JPEG", quality=10)
    with Image.open(buffer) as image:
        return image.convert("RGB")


SPOILT: dict[str, Callable[[Array], Image.Image]] = {
    "inverted": _inverted,
    "white ink on transparency": _white_on_transparency,
    "yellow pen": _yellow,
    "blue pen": _blue,
    "chalk on a board": _chalk,
    "pencil on grey paper": _pencil,
    "uneven light": _uneven,
    "hard shadow and blur": _shadow,
    "small in a corner": _corner,
    "grainy": _grainy,
    "strongly compressed": _compressed,
}
"""Kind -> makes a picture of ink in [0, 1], (H, W)."""


def png(picture: Image.Image) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
