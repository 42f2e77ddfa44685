"""Elements of SVG: shapes as path data, lengths, styles and transforms."""

import math
import re
from collections.abc import Callable

from crossx.core.errors import InputError
from crossx.strokes.svg_path import Point, bounded

Attributes = dict[str, str]
"""Attributes of an element."""
Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f of SVG: x' = a x + c y + e, y' = b x + d y + f."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_LONGEST = 2000
"""Most characters of a list of transforms; with as many elements as are read a file takes seconds, and not minutes."""
_LENGTH = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z%]*)\s*", re.ASCII)
_TRANSFORM = re.compile(r"[\s,]*([A-Za-z]+)\s*\(([^()]*)\)", re.ASCII)


def times(outer: Matrix, inner: Matrix) -> Matrix:
    """Matrix of the transform that applies `inner` first."""
    a, b, c, d, e, f = outer
    g, h, i, j, k, m = inner
    return a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * m + e, b * k + d * m + f


def moved(point: Point, matrix: Matrix) -> Point:
    """Place of a point after a transform."""
    a, b, c, d, e, f = matrix
    return complex(a * point.real + c * point.imag + e, b * point.real + d * point.imag + f)


def transform(text: str) -> Matrix:
    """Read a `transform` attribute.

    Raises:
        InputError: When the text is no list of transforms, or too long, or one has a wrong number of arguments.
    """
    if len(text) > _LONGEST:
        raise InputError(f"transform: must have at most {_LONGEST} characters, got {len(text)}")
    matrix, place, text = IDENTITY, 0, text.strip()
    while place < len(text):
        match = _TRANSFORM.match(text, place)
        if match is None:
            raise InputError(f"transform: must be transforms such as translate(1 2), got {text[place : place + 20]!r}")
        matrix = times(matrix, _matrix(match[1], numbers_of(match[2])))
        place = match.end()
    return matrix


def _matrix(name: str, n: list[float]) -> Matrix:
    if name == "matrix" and len(n) == 6:
        return n[0], n[1], n[2], n[3], n[4], n[5]
    if name == "translate" and len(n) in (1, 2):
        return 1.0, 0.0, 0.0, 1.0, n[0], n[1] if len(n) == 2 else 0.0
    if name == "scale" and len(n) in (1, 2):
        return n[0], 0.0, 0.0, n[-1], 0.0, 0.0
    if name == "rotate" and len(n) in (1, 3):
        cosine, sine = math.cos(math.radians(n[0])), math.sin(math.radians(n[0]))
        x, y = n[1:] or (0.0, 0.0)
        return cosine, sine, -sine, cosine, x - cosine * x + sine * y, y - sine * x - cosine * y
    if name in ("skewX", "skewY") and len(n) == 1:
        slope = math.tan(math.radians(n[0]))
        return (1.0, 0.0, slope, 1.0, 0.0, 0.0) if name == "skewX" else (1.0, slope, 0.0, 1.0, 0.0, 0.0)
    raise InputError(f"transform: must be one of SVG with its numbers, got {name[:20]} with {len(n)}")


def length(text: str, whole: float) -> float | None:
    """Read a length in the unit of the view box.

    Args:
        text: Such as `12`, `12.5px`, `3mm` or `50%`.
        whole: Length that is 100 %.

    Returns:
        The length; None where there is none, or one of another unit, such as `auto` and `2em`.

    Raises:
        InputError: When it is astronomical.
    """
    match = _LENGTH.fullmatch(text)
    if match is None or match[2] not in (*_UNITS, "%"):
        return None
    return bounded(match[1]) * (whole / 100 if match[2] == "%" else _UNITS[match[2]])


def numbers_of(text: str) -> list[float]:
    """Read numbers with blanks or commas between them, such as a view box.

    Raises:
        InputError: When one is no number, or astronomical.
    """
    return [_plain(word) for word in re.split(r"[\s,]+", text.strip()) if word]


def _plain(word: str) -> float:
    match = _LENGTH.fullmatch(word)
    if match is None or match[2]:
        raise InputError(f"svg: must have numbers, got {word[:20]!r}")
    return bounded(match[1])


def is_hidden(attributes: Attributes) -> bool:
    """Whether an element is not displayed, by an attribute or by its style."""
    style = _style(attributes)
    return style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse")


def has_outline(attributes: Attributes) -> bool:
    """Whether an element names a colour of its outline."""
    return _style(attributes).get("stroke", "none") != "none"


def _style(attributes: Attributes) -> Attributes:
    """Properties of an element; those in `style` win."""
    pairs = (part.partition(":") for part in attributes.get("style", "").split(";"))
    return {**attributes, **{name.strip(): value.strip() for name, _, value in pairs}}


class Element:
    """Attributes of a shape as numbers.

    Args:
        attributes: As they stand in the file; what is missing or of an unknown unit is 0.
        width: Width of the view box, which is 100 % across.
        height: Height of the view box, which is 100 % down.
    """

    def __init__(self, attributes: Attributes, width: float, height: float) -> None:
        self.attributes = attributes
        self.wholes = {"across": width, "down": height, "around": math.hypot(width, height) / math.sqrt(2)}

    def number(self, name: str, way: str) -> float:
        """A length, where `way` says what 100 % is."""
        return length(self.attributes.get(name, ""), self.wholes[way]) or 0.0

    def points(self) -> str:
        """Path data of the lines between `points`; empty where there is none."""
        points = self.attributes.get("points", "").strip()
        return f"M{points}" if points else ""

    def line(self) -> str:
        """Path data of a `line`."""
        x1, x2 = (self.number(name, "across") for name in ("x1", "x2"))
        y1, y2 = (self.number(name, "down") for name in ("y1", "y2"))
        return f"M{x1} {y1}L{x2} {y2}"

    def rect(self) -> str:
        """Path data of a `rect`, with round corners where it has any."""
        x, w, rx = (self.number(name, "across") for name in ("x", "width", "rx"))
        y, h, ry = (self.number(name, "down") for name in ("y", "height", "ry"))
        if not (w > 0 and h > 0):
            return ""
        rx, ry = min(rx or ry, w / 2), min(ry or rx, h / 2)
        if not (rx > 0 and ry > 0):
            return f"M{x} {y}h{w}v{h}h{-w}Z"
        corner, along, down = f"a{rx} {ry} 0 0 1 ", w - 2 * rx, h - 2 * ry
        return (
            f"M{x + rx} {y}h{along}{corner}{rx} {ry}v{down}{corner}{-rx} {ry}h{-along}{corner}{-rx} {-ry}v{-down}"
            f"{corner}{rx} {-ry}Z"
        )

    def ring(self, rx: float, ry: float) -> str:
        """Path data of a `circle` or `ellipse`, in two halves."""
        if not (rx > 0 and ry > 0):
            return ""
        x, y = self.number("cx", "across"), self.number("cy", "down")
        return f"M{x + rx} {y}a{rx} {ry} 0 0 1 {-2 * rx} 0a{rx} {ry} 0 0 1 {2 * rx} 0"


def _circle(shape: Element) -> str:
    radius = shape.number("r", "around")
    return shape.ring(radius, radius)


SHAPES: dict[str, Callable[[Element], str]] = {
    "path": lambda shape: shape.attributes.get("d", ""),
    "polyline": Element.points,
    "polygon": lambda shape: shape.points() and f"{shape.points()}Z",
    "line": Element.line,
    "rect": Element.rect,
    "circle": _circle,
    "ellipse": lambda shape: shape.ring(shape.number("rx", "across"), shape.number("ry", "down")),
}
"""Tag -> function from an element to path data, which is empty where nothing is drawn."""
