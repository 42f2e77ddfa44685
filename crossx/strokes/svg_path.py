"""Path data of SVG: from text to lines and curves, and from curves to points.

The grammar of https://www.w3.org/TR/SVG11/paths.html, in a time that grows with the length of the text, because search
servers read files from strangers.
"""

import math
import re

import numpy as np
import numpy.typing as npt

from crossx.core.errors import InputError

Point = complex
"""A place in the plane, x + iy, which makes turns and reflections products."""
Piece = tuple[Point, ...]
"""A line as its two ends, or a cubic Bézier curve as its four control points."""

MOST_PIECES = 20_000
"""Largest number of lines and curves of one file; a long drawing by hand has some thousand."""
_MOST_STEPS = 100
"""Largest number of lines that a curve becomes."""
_LARGEST = 1e9
_LONGEST = 100
_NUMBER = re.compile(r"[\s,]*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", re.ASCII)
_FLAG = re.compile(r"[\s,]*([01])", re.ASCII)
_COMMAND = re.compile(r"[\s,]*([MmZzLlHhVvCcSsQqTtAa])", re.ASCII)
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


class PathData:
    """Lines and curves of the paths of one file, which have a largest number together.

    Args:
        most: Largest number of pieces.
    """

    def __init__(self, most: int = MOST_PIECES) -> None:
        self.most = most
        self.count = 0

    def read(self, text: str) -> list[list[Piece]]:
        """Read a path.

        Args:
            text: Path data, such as `M 0 0 L 10 10`.

        Returns:
            Its subpaths, each a list of pieces that continue each other; moves without a line are no subpaths.

        Raises:
            InputError: When the text breaks the grammar, or the file has too many pieces.
        """
        path = _Path()
        text = text.strip(" \t\r\n\f,")
        place, command = 0, ""
        while place < len(text):
            match = _COMMAND.match(text, place)
            if match:
                command, place = match[1], match.end()
            elif command in ("", "Z", "z"):
                raise InputError(f"path: must have a command at position {place}, got {text[place : place + 20]!r}")
            elif command in "Mm":
                command = "L" if command == "M" else "l"  # further pairs after a move are lines
            if not path.started and command not in "Mm":
                raise InputError(f"path: must start with M or m, got {text[:20]!r}")
            numbers, place = _numbers(text, place, command)
            path.add(command, numbers)
            self._count(path)
        return path.subpaths()

    def _count(self, path: "_Path") -> None:
        self.count += path.new
        path.new = 0
        if self.count > self.most:
            raise InputError(f"path: must have at most {self.most} lines and curves in one file, got more")


def flatten(pieces: list[Piece], tolerance: float) -> npt.NDArray[np.float64]:
    """Points of a line that is nowhere farther from the pieces than a tolerance, (N, 2)."""
    points = [pieces[0][0]]
    for piece in pieces:
        if len(piece) == 2:
            points.append(piece[1])
            continue
        a, b, c, d = piece
        bend = max(abs(a - 2 * b + c), abs(b - 2 * c + d))  # a sixth of the largest second derivative
        steps = min(_MOST_STEPS, max(1, math.ceil(math.sqrt(0.75 * bend / tolerance))))
        for i in range(1, steps + 1):
            t = i / steps
            s = 1 - t
            points.append(s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d)
    return np.array([(point.real, point.imag) for point in points])


class _Path:
    """A path that grows command by command."""

    def __init__(self) -> None:
        self.started = False
        self.new = 0  # pieces that have not been counted
        self._done: list[list[Piece]] = []
        self._pieces: list[Piece] = []
        self._start = self._at = 0j
        self._control: tuple[str, Point] = ("", 0j)  # kind of the last curve, and its last control point

    def subpaths(self) -> list[list[Piece]]:
        self._finish()
        return self._done

    def add(self, command: str, n: list[float]) -> None:
        """Add one command with its numbers."""
        origin = self._at if command.islower() else 0j
        kind = command.upper()
        at = self._at
        control = ("", 0j)
        if kind == "M":
            self._finish()
            self.started = True
            self._start = self._at = origin + complex(*n)
            self.new += 1
        elif kind == "Z":
            if self._pieces:
                self._line(self._start)
            self._finish()
            self._at = self._start
        elif kind == "L":
            self._line(origin + complex(*n))
        elif kind == "H":
            self._line(complex(origin.real + n[0], at.imag))
        elif kind == "V":
            self._line(complex(at.real, origin.imag + n[0]))
        elif kind in "CS":
            points = [origin + complex(*n[i : i + 2]) for i in range(0, len(n), 2)]
            b, c, d = points if kind == "C" else (self._reflected("C"), *points)
            self._piece(at, b, c, d)
            control = ("C", c)
        elif kind in "QT":
            points = [origin + complex(*n[i : i + 2]) for i in range(0, len(n), 2)]
            q, d = points if kind == "Q" else (self._reflected("Q"), *points)
            self._piece(at, at + (q - at) * 2 / 3, d + (q - d) * 2 / 3, d)
            control = ("Q", q)
        else:
            for piece in _arc(at, abs(n[0]), abs(n[1]), n[2], bool(n[3]), bool(n[4]), origin + complex(*n[5:])):
                self._piece(*piece)
        self._control = control

    def _line(self, end: Point) -> None:
        self._piece(self._at, end)

    def _piece(self, *points: Point) -> None:
        self._pieces.append(points)
        self._at = points[-1]
        self.new += 1

    def _finish(self) -> None:
        if self._pieces:
            self._done.append(self._pieces)
            self._pieces = []

    def _reflected(self, kind: str) -> Point:
        """First control point of a smooth curve: the last one of a curve of its kind before it, reflected."""
        last, control = self._control
        return 2 * self._at - control if last == kind else self._at


def _numbers(text: str, place: int, command: str) -> tuple[list[float], int]:
    """Read the numbers of one command; those of an arc have two flags that need no space behind them."""
    kind = command.upper()
    numbers = []
    for i in range(_NUMBERS[kind]):
        match = (_FLAG if kind == "A" and i in (3, 4) else _NUMBER).match(text, place)
        if match is None:
            raise InputError(
                f"path: must have {_NUMBERS[kind]} numbers after {command}, got {text[place : place + 20]!r} at "
                f"position {place}"
            )
        numbers.append(bounded(match[1]))
        place = match.end()
    return numbers, place


def bounded(number: str) -> float:
    """Read a number.

    Raises:
        InputError: When it is astronomical; products of such numbers would overflow.
    """
    if len(number) > _LONGEST or abs(value := float(number)) > _LARGEST:
        raise InputError(f"svg: must have numbers in [-{_LARGEST:g}, {_LARGEST:g}], got {number[:20]}")
    return value


def _arc(start: Point, rx: float, ry: float, degrees: float, large: bool, sweep: bool, end: Point) -> list[Piece]:
    """Write an elliptic arc as cubic curves of at most a quarter turn, after the appendix F.6 of SVG 1.1.

    In the frame in which the ellipse is a circle of radius 1.
    """
    if start == end:
        return []
    if not (rx > 0 and ry > 0) or not math.isfinite(abs(end - start) / rx + abs(end - start) / ry):
        return [(start, end)]
    turn = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))

    def to_circle(point: Point) -> Point:
        turned = point / turn
        return complex(turned.real / rx, turned.imag / ry)

    def to_plane(point: Point) -> Point:
        return complex(point.real * rx, point.imag * ry) * turn

    a, b = to_circle(start), to_circle(end)
    half = abs(b - a) / 2
    grown = max(1.0, half)  # radii that are too small grow until the ellipse reaches both ends
    rx, ry, a, b, half = rx * grown, ry * grown, a / grown, b / grown, half / grown
    away = math.sqrt(max(0.0, 1 - half * half)) / half if half else 0.0
    centre = (a + b) / 2 + (b - a) / 2 * 1j * (away if large != sweep else -away)
    first, last = (math.atan2((p - centre).imag, (p - centre).real) for p in (a, b))
    angle = (last - first) % (2 * math.pi)
    if not sweep:
        angle -= 2 * math.pi
    steps = max(1, math.ceil(abs(angle) / (math.pi / 2) - 1e-9))
    handle = 4 / 3 * math.tan(angle / steps / 4)
    pieces: list[Piece] = []
    at = start
    for i in range(steps):
        u, v = (_on_circle(first + angle * k / steps) for k in (i, i + 1))
        following = end if i == steps - 1 else to_plane(centre + v)
        pieces.append(
            (at, to_plane(centre + u * (1 + 1j * handle)), to_plane(centre + v * (1 - 1j * handle)), following)
        )
        at = following
    return pieces


def _on_circle(angle: float) -> Point:
    """Point of the unit circle at an angle."""
    return complex(math.cos(angle), math.sin(angle))
