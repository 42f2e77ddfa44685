"""Strokes from a page or from Quick, Draw! as a sketch, drawn as the training sketches of Quick, Draw! are."""

import json
from collections.abc import Mapping

import numpy as np

from crossx.core.errors import InputError
from crossx.search.card import EncoderCard
from crossx.search.sketches.sketch import Sketch, fineness, finished
from crossx.strokes.quickdraw import draw_strokes
from crossx.strokes.sequence import Strokes

MOST_STROKES, MOST_POINTS = 500, 20_000
_LARGEST = 1e6
"""Largest coordinate: a page has thousands of pixels, and float32 has seven digits."""
_FORM = '{"strokes": [[[x, ...], [y, ...]], ...]}'


def sketch_from_strokes(values: object, card: EncoderCard) -> Sketch:
    """Draw strokes for the sketch encoder.

    Args:
        values: `{"strokes": [[[x, ...], [y, ...]], ...]}`, or `drawing` in place of `strokes` as in the files of Quick,
            Draw!; x to the right and y down, in any unit. Further rows of a stroke, such as times, are not read.
        card: Card of the encoders.

    Raises:
        InputError: When the values are of another form, not finite or too many, or nothing is drawn.
    """
    strokes = check_drawing(values)
    factor = fineness(card)
    size = card.sketch.size * factor
    return finished(draw_strokes(strokes, size, card.line_width), card, _warnings(strokes))


def sketch_from_json(text: str | bytes, card: EncoderCard) -> Sketch:
    """Draw the strokes of a JSON text, such as a line of a file of Quick, Draw!; see `sketch_from_strokes`.

    Raises:
        InputError: When the text is not JSON, and as `sketch_from_strokes`.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"strokes: must be the JSON {_FORM}: {type(error).__name__}") from error
    return sketch_from_strokes(values, card)


def check_drawing(values: object) -> Strokes:
    """Read strokes of a stranger; arguments and errors as in `sketch_from_strokes`."""
    if not isinstance(values, Mapping) or len(values.keys() & {"strokes", "drawing"}) != 1:
        raise InputError(f"strokes: must be {_FORM}, got {_shown(values)}")
    drawing = values.get("strokes", values.get("drawing"))
    if not isinstance(drawing, list) or len(drawing) == 0:
        raise InputError(f"strokes: must be a list of at least one stroke, got {_shown(drawing)}")
    if len(drawing) > MOST_STROKES:
        raise InputError(f"strokes: must be at most {MOST_STROKES} strokes, got {len(drawing)}")
    points = 0
    strokes: Strokes = []
    for i, stroke in enumerate(drawing):
        if (
            not isinstance(stroke, list)
            or not 2 <= len(stroke) <= 3
            or not all(isinstance(row, list) for row in stroke)
        ):
            raise InputError(f"strokes[{i}]: must be [[x, ...], [y, ...]], got {_shown(stroke)}")
        x, y = stroke[:2]
        if len(x) != len(y) or not x:
            raise InputError(f"strokes[{i}]: must have as many x as y, at least one, got {len(x)} and {len(y)}")
        points += len(x)
        if points > MOST_POINTS:
            raise InputError(f"strokes: must have at most {MOST_POINTS} points, got more")
        if any(type(number) not in (int, float) or not abs(number) <= _LARGEST for number in (*x, *y)):
            raise InputError(f"strokes[{i}]: must be finite numbers of at most {_LARGEST:g}, got another value")
        strokes.append(np.array([x, y], dtype=np.float32).T)
    return strokes


def _warnings(strokes: Strokes) -> tuple[str, ...]:
    return ("only one dot is drawn",) if len(np.unique(np.concatenate(strokes), axis=0)) == 1 else ()


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text[:60]}..." if len(text) > 60 else text
