"""A sketch as the encoder gets it."""

from dataclasses import dataclass

from crossx.pixels.fit import U8, repeat_grey
from crossx.pixels.pen import FINER
from crossx.pixels.redraw import redraw
from crossx.search.card import EncoderCard
from crossx.search.seen import sketch_png


@dataclass(frozen=True)
class Sketch:
    """One query.

    Attributes:
        pixels: What the encoder gets, uint8 RGB with three equal channels, (3, S, S).
        warnings: What was done to the drawing, or is wrong with it, for the user; empty for a clean drawing.
    """

    pixels: U8
    warnings: tuple[str, ...] = ()

    def png(self) -> bytes:
        """The picture that the encoder sees, as a PNG."""
        return sketch_png(self.pixels[0])


def fineness(card: EncoderCard) -> int:
    """Factor of the resolution in which a sketch is drawn before the card's pen redraws it; 1 without a pen."""
    return FINER if card.pen is not None and card.pen.redraws else 1


def finished(grey: U8, card: EncoderCard, warnings: tuple[str, ...] = ()) -> Sketch:
    """Redraw a drawing with the card's pen.

    Args:
        grey: Dark lines on white, (F * S, F * S) with F = `fineness(card)`.
        card: Card of the encoders.
        warnings: What to tell the user.
    """
    pixels = redraw(grey, card.pen) if card.pen is not None and card.pen.redraws else grey
    return Sketch(repeat_grey(pixels), warnings)
