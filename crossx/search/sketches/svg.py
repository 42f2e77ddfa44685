"""SVG files as sketches: their outlines as strokes, drawn as every other drawing is."""

from crossx.search.card import EncoderCard
from crossx.search.formats import MOST_SVG_BYTES, TooLargeError
from crossx.search.sketches.sketch import Sketch, fineness, finished
from crossx.strokes.quickdraw import draw_strokes
from crossx.strokes.svg import from_svg


def sketch_from_svg(content: bytes, card: EncoderCard) -> Sketch:
    """Draw an SVG file for the sketch encoder; nothing that it refers to is read, and its styles do not count.

    Args:
        content: The file's bytes.
        card: Card of the encoders.

    Raises:
        InputError: When the file is too large, malformed, has a document type, or draws nothing.
    """
    if len(content) > MOST_SVG_BYTES:
        raise TooLargeError(f"svg: must have at most {MOST_SVG_BYTES} bytes, got {len(content)}")
    strokes = from_svg(content)
    return finished(draw_strokes(strokes, card.sketch.size * fineness(card), card.line_width), card)
