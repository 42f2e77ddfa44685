"""Drawings as SVG files: one polyline a stroke out, and in the outlines of whatever a file draws.

The reader is the parser of the standard library (expat) and the path grammar in `svg_path`, and no library for SVG,
because search servers read uploads with it: a document type is refused, and with it entities; no reference is followed,
neither to a file nor inside the file (`use`, which can repeat itself exponentially); bytes, depth, elements, lines and
points have largest numbers.
"""

from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.strokes.sequence import FARTHEST, Strokes, check_strokes, fit_unit_square
from crossx.strokes.svg_elements import (
    IDENTITY,
    SHAPES,
    Attributes,
    Element,
    Matrix,
    has_outline,
    is_hidden,
    length,
    moved,
    numbers_of,
    times,
    transform,
)
from crossx.strokes.svg_path import PathData, flatten

MOST_BYTES = 4 * 2**20
"""Largest file that is read; a long drawing by hand takes some hundred KiB."""
MOST_DEPTH = 64
"""Largest number of elements inside each other."""
MOST_ELEMENTS = 20_000
"""Largest number of elements."""
MOST_POINTS = 200_000
"""Largest number of points of a drawing."""
LINE_WIDTH = 1 / 100
"""Line width of written files, in sides of the unit square."""
_TOLERANCE = 1 / 2048
"""Largest distance of a curve from the lines that it becomes, in sides of the unit square: an eighth of 256 pixels."""
_TOLERANCE_OF_PIXELS = 0.25
"""The same for files without view box and size, whose unit is one of pixels as far as anybody knows."""
_CONTAINERS = ("svg", "g", "a", "switch")


def to_svg(strokes: Strokes, size: int = 256, width: float = LINE_WIDTH) -> str:
    """Write a drawing as an SVG file: black lines on nothing, one `polyline` a stroke in drawing order.

    Args:
        strokes: A drawing in the unit square, which becomes the view box `0 0 1 1`.
        size: Side in pixels at which viewers show the file.
        width: Line width in sides of the unit square.

    Returns:
        The text of the file. `data-order` counts the strokes from 0; a stroke of one point is a dot.

    Raises:
        InputError: When an argument is not positive, or the drawing is empty or malformed.
    """
    must_be_in("size", size, "[1, inf)")
    must_be_in("width", width, "(0, inf)")
    if not strokes:
        raise InputError("strokes: must have at least one stroke, got none")
    check_strokes(strokes)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 1 1" fill="none" '
        f'stroke="black" stroke-width="{width:g}" stroke-linecap="round" stroke-linejoin="round">'
    ]
    for i, stroke in enumerate(strokes):
        points = stroke if len(stroke) > 1 else stroke.repeat(2, axis=0)  # viewers draw no line of one point
        places = " ".join(f"{x:.6g},{y:.6g}" for x, y in points.tolist())
        lines.append(f'<polyline data-order="{i}" points="{places}"/>')
    return "\n".join([*lines, "</svg>\n"])


def from_svg(content: bytes, where: str = "svg") -> Strokes:
    """Read the outlines of an SVG file as strokes, in the order of the file.

    Read are `path`, `polyline`, `polygon`, `line`, `rect`, `circle` and `ellipse`, curves as short lines, with the
    transforms of all groups around them. Not read are texts, images, styles, definitions and references, what is not
    displayed, and a rectangle without outline that fills the whole view box, which is a background.

    Args:
        content: The file's bytes.
        where: The file, for messages.

    Returns:
        A drawing in sides of the square around the view box, or around `width` and `height`; points outside of it stay
        there. A file without view box and size is fitted into the unit square.

    Raises:
        InputError: When the file is no SVG, is malformed or larger than a limit, has a document type, or draws nothing.
    """
    if len(content) > MOST_BYTES:
        raise InputError(f"{where}: must have at most {MOST_BYTES} bytes, got {len(content)}")
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise InputError(f"{where}: must be an SVG file, got what is no XML ({error})") from None
    except (ValueError, LookupError) as error:  # InputError of a part, which cannot know the file; a strange encoding
        raise InputError(f"{where}: {error}") from None
    if not reader.strokes:
        raise InputError(f"{where}: must draw at least one line, got none outside of definitions, texts and images")
    check_strokes(reader.strokes)
    return reader.strokes if reader.has_view else fit_unit_square(reader.strokes)


class _Reader:
    """Handlers of the parser; `strokes` grow while it runs."""

    def __init__(self) -> None:
        self.strokes: Strokes = []
        self.has_view = False
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._paths = PathData()
        self._elements = self._points = self._hidden = 0  # hidden: open elements inside one that is not read
        self._matrices: list[Matrix] = []  # of the open elements
        self._size = (1.0, 1.0)  # of the view box

    def _refuse_doctype(self, *_: object) -> None:
        raise InputError("must have no document type (DOCTYPE), which can define entities and name other files")

    def _start(self, name: str, attributes: Attributes) -> None:
        tag = name.rpartition(":")[2]
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise InputError(f"must have at most {MOST_ELEMENTS} elements, got more")
        if len(self._matrices) + self._hidden >= MOST_DEPTH:
            raise InputError(f"must be nested at most {MOST_DEPTH} levels deep, got more")
        if not self._matrices and not self._hidden and tag != "svg":
            raise InputError(f"must be an SVG file, got a root element <{tag[:40]}>")
        if self._hidden or tag not in (*SHAPES, *_CONTAINERS) or is_hidden(attributes):
            self._hidden += 1
            return
        outer = self._matrices[-1] if self._matrices else self._view(attributes)
        self._matrices.append(times(outer, transform(attributes.get("transform", ""))))
        if tag in SHAPES:
            may_be_background = tag == "rect" and not has_outline(attributes)
            self._draw(SHAPES[tag](Element(attributes, *self._size)), may_be_background)

    def _end(self, _: str) -> None:
        if self._hidden:
            self._hidden -= 1
        else:
            self._matrices.pop()

    def _view(self, attributes: Attributes) -> Matrix:
        """Matrix that makes the square around the root's view box the unit square."""
        x = y = 0.0
        width, height = (length(attributes.get(side, ""), 0.0) or 0.0 for side in ("width", "height"))
        if "viewBox" in attributes:
            box = numbers_of(attributes["viewBox"])
            if len(box) != 4 or not (box[2] > 0 and box[3] > 0):
                raise InputError(
                    f"viewBox: must be x, y, a positive width and a positive height, got {attributes['viewBox'][:40]!r}"
                )
            x, y, width, height = box
        if not (width > 0 and height > 0):
            return IDENTITY
        self.has_view, self._size = True, (width, height)
        side = max(width, height)
        return 1 / side, 0.0, 0.0, 1 / side, 0.5 - (x + width / 2) / side, 0.5 - (y + height / 2) / side

    def _draw(self, path: str, may_be_background: bool) -> None:
        for subpath in self._paths.read(path):
            pieces = [tuple(moved(point, self._matrices[-1]) for point in piece) for piece in subpath]
            if not all(max(abs(p.real), abs(p.imag)) <= FARTHEST for piece in pieces for p in piece):
                raise InputError(
                    f"must have coordinates of at most {FARTHEST:g} sides of the view box, got farther ones"
                )
            points = flatten(pieces, _TOLERANCE if self.has_view else _TOLERANCE_OF_PIXELS)
            self._points += len(points)
            if self._points > MOST_POINTS:
                raise InputError(f"must have at most {MOST_POINTS} points after curves have become lines, got more")
            if may_be_background and self._fills_the_view(points):
                continue
            new = np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]
            self.strokes.append(points[new].astype(np.float32))

    def _fills_the_view(self, points: npt.NDArray[np.float64]) -> bool:
        """Whether a rectangle reaches all edges of the view box."""
        half = np.array(self._size) / max(self._size) / 2 - 1e-6
        return self.has_view and bool((points.min(0) <= 0.5 - half).all() and (points.max(0) >= 0.5 + half).all())
