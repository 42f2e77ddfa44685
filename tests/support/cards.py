"""Cards of encoders that need no files."""

from crossx.pixels.pen import Pen
from crossx.search.card import EncoderCard, Side


def card(size: int, pen: Pen | None = None) -> EncoderCard:
    """A card of encoders for images of one size."""
    side = Side(size, "PosteriorEncoder", 1, "a" * 64, None)
    return EncoderCard(side, side, dim=4, version="0.2.0", pen=pen)
