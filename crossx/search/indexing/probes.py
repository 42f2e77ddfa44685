"""Sketches with which the recall of an index is measured: drawn by chance, as the encoder's own sketches are drawn."""

import numpy as np

from crossx.pixels.fit import U8
from crossx.search.card import EncoderCard
from crossx.search.sketches.sketch import fineness, finished
from crossx.strokes.contours import contour
from crossx.strokes.quickdraw import draw_strokes

NUMBER = 500
"""Sketches that are drawn."""
_MOST_PARTS = 3


def probe_sketches(card: EncoderCard, number: int = NUMBER, seed: int = 0) -> U8:
    """Draw random contours with parts for the sketch encoder.

    They show no object, but they are sketches: their vectors lie where those of sketches lie, off the photos.

    Args:
        card: Card of the encoders.
        number: Number N of sketches.
        seed: Seed of the drawings.

    Returns:
        uint8 RGB, (N, 3, S, S).
    """
    size = card.sketch.size * fineness(card)
    images = []
    for i in range(number):
        draw = np.random.default_rng([seed, i])
        parts = draw.integers(0, _MOST_PARTS + 1)
        inner = [contour(draw) * draw.uniform(0.1, 0.5) + draw.uniform(-0.4, 0.4, 2) for _ in range(parts)]
        strokes = [stroke.astype(np.float32) for stroke in (contour(draw), *inner)]
        images.append(finished(draw_strokes(strokes, size, card.line_width), card).pixels)
    return np.stack(images)
