"""Pens: the style of line in which a classifier learned to read sketches."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from crossx.core.checks import did_you_mean, must_be_in
from crossx.core.errors import InputError

if TYPE_CHECKING:  # a pen is a few numbers, which a search reads without torch
    from torch import Tensor

FINER = 4
"""Factor by which the resolution at which lines are redrawn exceeds that of the result."""


@dataclass(frozen=True)
class Pen:
    """Style in which sketches are redrawn for the classifier that reads them, or for an encoder that started from it.

    Sketch classifiers overfit to the lines of their training set: to one that learned thick lines, thin ones are nearly
    blank, and to one that learned white lines on black, black ones on white are nothing that it knows. A pen redraws
    dark lines on white, which is how crossx reads every sketch. Without arguments it changes nothing.

    Attributes:
        margin: White border around the drawing as a share of the image's side, in [0, 0.5); None leaves the drawing in
            its place and at its size.
        line_width: Increase of the line width as a share of the image's side, in [0, 0.5); 0.03 is about a pixel of 32.
            Lines are widened in steps of a quarter of a pixel.
        darkness: Factor of the darkness of lines in the result, in (0, 10]; above 1, thin lines, which are grey in
            small images, become black.
        white_on_black: Whether the result has light lines on black.

    Raises:
        InputError: When a value is out of range.
    """

    margin: float | None = None
    line_width: float = 0.0
    darkness: float = 1.0
    white_on_black: bool = False

    def __post_init__(self) -> None:
        for field, interval in (("margin", "[0, 0.5)"), ("line_width", "[0, 0.5)"), ("darkness", "(0, 10]")):
            value: object = getattr(self, field)
            if field == "margin" and value is None:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InputError(f"pen.{field}: must be a number in {interval}, got {value!r}")
            must_be_in(f"pen.{field}", value, interval)
        if not isinstance(self.white_on_black, bool):
            raise InputError(f"pen.white_on_black: must be true or false, got {self.white_on_black!r}")

    @classmethod
    def from_mapping(cls, values: object) -> "Pen":
        """Make a pen from values read from JSON or YAML.

        Raises:
            InputError: When a key is unknown or a value is out of range.
        """
        legal = [f.name for f in fields(cls)]
        if not isinstance(values, Mapping):
            raise InputError(f"pen: must be a mapping with keys of {legal}, got {values!r}")
        if unknown := [str(key) for key in values if key not in legal]:
            raise InputError(f"pen: must have keys of {legal}, got {unknown}{did_you_mean(unknown[0], legal)}")
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """The values that differ from a pen that changes nothing."""
        return {key: value for key, value in asdict(self).items() if value != getattr(Pen(), key)}

    @staticmethod
    def plain(pen: "Pen | None") -> dict[str, Any] | None:
        """Values of a pen, as results and files record them; None without a pen that changes anything."""
        return None if pen is None else pen.to_mapping() or None

    @property
    def redraws(self) -> bool:
        """Whether the pen changes a sketch at all."""
        return self != Pen()

    def redraw(self, sketch: "Tensor") -> "Tensor":
        """Redraw a sketch.

        Args:
            sketch: Dark lines on white at `FINER` times the side of the result, uint8 RGB, (3, FINER * S, FINER * S).

        Returns:
            uint8 RGB with three equal channels, (3, S, S).
        """
        drawing = place(sketch, self.margin)
        return (255 * self.draw(drawing[None])[0]).round().byte()

    def draw(self, drawings: "Tensor") -> "Tensor":
        """Draw the lines of drawings that stand in their place already; see `place`.

        Args:
            drawings: Ink in [0, 1], (B, 1, FINER * S, FINER * S).

        Returns:
            Images in [0, 1] with three equal channels, (B, 3, S, S) float32.
        """
        import torch.nn.functional as F

        size = drawings.shape[-1] // FINER
        reach = round(self.line_width * drawings.shape[-1])
        if reach:  # a window of reach + 1 pixels; an odd rest is on one side
            drawings = F.pad(drawings, (reach // 2, reach - reach // 2, reach // 2, reach - reach // 2))
            for window in ((1, reach + 1), (reach + 1, 1)):  # the same as a square, and faster
                drawings = F.max_pool2d(drawings, window, stride=1)
        small = F.interpolate(drawings, (size, size), mode="area").clamp(0, 1).mul(self.darkness).clamp(max=1)
        return (small if self.white_on_black else 1 - small).expand(-1, 3, -1, -1)


def place(sketch: "Tensor", margin: float | None) -> "Tensor":
    """Put the ink of a sketch where a margin wants it.

    Args:
        sketch: Dark lines on white, uint8 RGB, (3, H, H).
        margin: As in `Pen`.

    Returns:
        Ink in [0, 1], (1, H, H).
    """
    ink = 1 - sketch[:1].float() / 255
    return ink if margin is None else _scaled(_centred(ink), ink.shape[-1], margin)


def _scaled(ink: "Tensor", side: int, margin: float) -> "Tensor":
    """Scale a square drawing, (1, S, S), and surround it with a margin, (1, side, side)."""
    import torch.nn.functional as F

    inner = max(1, round(side * (1 - 2 * margin)))
    ink = F.interpolate(ink[None], (inner, inner), mode="bicubic", antialias=True)[0]
    before = (side - inner) // 2
    return F.pad(ink, (before, side - inner - before, before, side - inner - before))


def _centred(ink: "Tensor") -> "Tensor":
    """Crop to the smallest square around the drawing, (1, H, W) to (1, S, S); empty images stay as they are."""
    import torch.nn.functional as F

    drawn = (ink[0] > 0.25).nonzero()
    if len(drawn) == 0:
        return ink
    (top, left), (bottom, right) = drawn.min(0).values.tolist(), (drawn.max(0).values + 1).tolist()
    cut = ink[:, top:bottom, left:right]
    tall, wide = bottom - top, right - left
    side = max(tall, wide)
    left_pad, top_pad = (side - wide) // 2, (side - tall) // 2
    return F.pad(cut, (left_pad, side - wide - left_pad, top_pad, side - tall - top_pad))
