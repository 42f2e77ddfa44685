"""SVG files out and in: round trip, geometry by hand, and files of strangers."""

import time
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from crossx.core.errors import InputError
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.strokes.svg import MOST_BYTES, from_svg, to_svg

Points = npt.NDArray[np.float32]
TOLERANCE = 1 / 2048 + 1e-6


def stroke(*points: tuple[float, float]) -> Points:
    return np.array(points, dtype=np.float32)


def read(body: str, view: str = 'viewBox="0 0 100 100"') -> list[Points]:
    return from_svg(f'<svg xmlns="http://www.w3.org/2000/svg" {view}>{body}</svg>'.encode())


def path(d: str) -> list[Points]:
    return read(f'<path d="{d}"/>')


def in_percent(strokes: list[Points]) -> list[list[list[float]]]:
    return [np.round(100 * s.astype(np.float64), 3).tolist() for s in strokes]


def test_round_trip_within_half_a_pixel_of_256() -> None:
    reader = QuickDrawStrokes()
    for name in [*reader.names("cat")[:10], *reader.names("bicycle")[:10]]:
        drawing = reader.strokes(name)
        found = from_svg(to_svg(drawing).encode())
        assert len(found) == len(drawing)
        for a, b in zip(found, drawing, strict=True):
            assert 256 * np.abs(a[[0, -1]] - b[[0, -1]]).max() < 0.01
            changed = np.r_[True, (np.abs(np.diff(b, axis=0)) > 1e-6).any(axis=1)]  # a pen that rests repeats its point
            assert 256 * np.abs(a - b[changed]).max() < 0.01


def test_a_file_has_one_polyline_for_each_stroke_in_order() -> None:
    root = ET.fromstring(to_svg([stroke((0, 0), (1, 0.5)), stroke((0.25, 0.25))], size=300, width=0.02))  # noqa: S314
    assert root.attrib["viewBox"] == "0 0 1 1"
    assert root.attrib["width"] == root.attrib["height"] == "300"
    assert root.attrib["stroke-width"] == "0.02"
    lines = list(root)
    assert [line.tag for line in lines] == ["{http://www.w3.org/2000/svg}polyline"] * 2
    assert [line.attrib["data-order"] for line in lines] == ["0", "1"]
    assert [line.attrib["points"] for line in lines] == ["0,0 1,0.5", "0.25,0.25 0.25,0.25"]
    assert [s.tolist() for s in from_svg(ET.tostring(root))] == [[[0, 0], [1, 0.5]], [[0.25, 0.25]]]


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        ("M10 20 30 40L50 60", [[[10, 20], [30, 40], [50, 60]]]),
        ("m10,20 20 20-5-5", [[[10, 20], [30, 40], [25, 35]]]),
        ("M0 0h10v10H0z", [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]),
        (
            "M10 10h5zl0 5M1 1V.5.25",
            [[[10, 10], [15, 10], [10, 10]], [[10, 10], [10, 15]], [[1, 1], [1, 0.5], [1, 0.25]]],
        ),
        ("M1e1 1E+1L2.e1-.5", [[[10, 10], [20, -0.5]]]),
        ("M5 5M6 6L7 7", [[[6, 6], [7, 7]]]),
        ("M3 3L3 3", [[[3, 3]]]),
        ("M0 0C0 0 30 30 30 30", None),
        ("M0 0A0 5 0 0 1 10 10", [[[0, 0], [10, 10]]]),  # an arc without radius is a line
        ("M0 0Q5 5 10 10T20 20", None),
    ],
)
def test_paths_by_hand(d: str, expected: list[list[list[float]]] | None) -> None:
    found = in_percent(path(d))
    if expected is None:  # a straight curve
        assert all(abs(x - y) < 1e-6 for x, y in found[0])
    else:
        assert found == expected


FIRST = "M10 50c0 30 20 30 30 0"
CUBIC = [10 + 50j, 10 + 80j, 30 + 80j, 40 + 50j]


def bezier(points: list[complex], count: int = 400) -> Points:
    """Points of a Bézier curve by de Casteljau's construction."""
    t = np.linspace(0, 1, count)
    level = [np.full(count, point) for point in points]
    while len(level) > 1:
        level = [(1 - t) * a + t * b for a, b in pairwise(level)]
    return np.stack([level[0].real, level[0].imag], axis=1).astype(np.float32) / np.float32(100)


def farthest(places: Points, line: Points) -> float:
    """Largest distance of places from a polyline."""
    a, b = line[:-1, None].astype(np.float64), line[1:, None].astype(np.float64)
    t = np.clip(((places - a) * (b - a)).sum(-1) / np.maximum(((b - a) ** 2).sum(-1), 1e-30), 0, 1)
    return float(np.linalg.norm(places - a - t[..., None] * (b - a), axis=-1).min(0).max())


@pytest.mark.parametrize(
    ("d", "curves"),
    [
        ("M10 10C20 90 60 -20 90 80", [[10 + 10j, 20 + 90j, 60 - 20j, 90 + 80j]]),
        ("M10 10q40 80 80 0", [[10 + 10j, 50 + 90j, 90 + 10j]]),
        ("M10 10q20 40 40 0t40 0", [[10 + 10j, 30 + 50j, 50 + 10j], [50 + 10j, 70 - 30j, 90 + 10j]]),
        (f"{FIRST}s30 -30 40 0", [CUBIC, [40 + 50j, 50 + 20j, 70 + 20j, 80 + 50j]]),
        (f"{FIRST}t30 30", [CUBIC, [40 + 50j, 70 + 80j]]),  # no quadratic curve whose control point would be reflected
    ],
)
def test_curves_stay_within_the_tolerance(d: str, curves: list[list[complex]]) -> None:
    (line,) = path(d)
    assert farthest(np.concatenate([bezier(curve) for curve in curves]), line) < TOLERANCE
    assert 4 < len(line) < 100


@pytest.mark.parametrize(("flags", "centre"), [("0 1", (50, 50)), ("0 0", (50, 50)), ("1 1", (50, 50))])
def test_an_arc_is_on_its_circle_and_turns_the_right_way(flags: str, centre: tuple[float, float]) -> None:
    (line,) = path(f"M20 50A30 30 0 {flags} 80 50")
    radius = np.linalg.norm(100 * line - centre, axis=1)
    np.testing.assert_allclose(radius, 30, atol=0.02)
    upper = 100 * line[len(line) // 2, 1] < 50
    assert upper == flags.endswith("1")  # with sweep clockwise on the screen: from the left over the top


def test_of_four_arcs_the_flags_choose_one() -> None:
    """Two circles of radius 50 through both ends, around (40, 30) and (40, -30): a triangle of 30, 40 and 50."""
    for flags, centre, far in (("01", 30, -20), ("00", -30, 20), ("11", -30, -80), ("10", 30, 80)):
        (line,) = path(f"M0 0a50 50 0 {flags}80 0")  # flags need no space
        np.testing.assert_allclose(np.linalg.norm(100 * line - [40, centre], axis=1), 50, atol=0.03)
        y = 100 * line[:, 1]
        assert y[np.abs(y).argmax()] == pytest.approx(far, abs=0.1)


def test_radii_that_are_too_small_grow() -> None:
    (line,) = path("M10 50A1 2 0 0 1 90 50")  # grows to 40 and 80
    np.testing.assert_allclose(np.linalg.norm((100 * line - [50, 50]) / [40, 80], axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<line x1="1" y1="2" x2="3" y2="4"/>', [[[1, 2], [3, 4]]]),
        ('<polyline points="1,2 3,4,5 6"/>', [[[1, 2], [3, 4], [5, 6]]]),
        ('<polygon points="1,2 3,4 5,6"/>', [[[1, 2], [3, 4], [5, 6], [1, 2]]]),
        ('<rect x="10%" y="2" width="3" height="4px"/>', [[[10, 2], [13, 2], [13, 6], [10, 6], [10, 2]]]),
        ('<s:line xmlns:s="http://www.w3.org/2000/svg" x2="1"/>', [[[0, 0], [1, 0]]]),
        ('<g transform="translate(10 20)"><line x2="1" transform="scale(2)"/></g>', [[[10, 20], [12, 20]]]),
        ('<line x2="10" transform="rotate(90)"/>', [[[0, 0], [0, 10]]]),
        ('<line x2="10" transform="rotate(90, 10 0)"/>', [[[10, -10], [10, 0]]]),
        ('<line x1="1" x2="10" y2="10" transform="skewX(45)"/>', [[[1, 0], [20, 10]]]),
        ('<line x2="10" y2="10" transform="skewY(45)"/>', [[[0, 0], [10, 20]]]),
        ('<line x2="1" y2="1" transform="matrix(1 2 3 4 5 6) scale(1,-1)"/>', [[[5, 6], [3, 4]]]),
        ('<polyline points=""/><path d=""/><rect/><circle/><line x2="1"/>', [[[0, 0], [1, 0]]]),
        ('<rect width="100%" height="100%" fill="white"/><line x2="1"/>', [[[0, 0], [1, 0]]]),
    ],
)
def test_shapes_and_transforms_by_hand(body: str, expected: list[list[list[float]]]) -> None:
    assert in_percent(read(body)) == expected


def test_rings_and_round_corners() -> None:
    circle, ellipse, corners = read(
        '<circle cx="50" cy="40" r="30"/><ellipse cx="50" cy="40" rx="30" ry="10" transform="matrix(1 .5 -.2 1 3 4)"/>'
        '<rect x="10" y="10" width="80" height="40" rx="5"/>'
    )
    np.testing.assert_allclose(np.linalg.norm(100 * circle - [50, 40], axis=1), 30, atol=0.02)
    back = np.linalg.solve([[1, -0.2], [0.5, 1]], (100 * ellipse - [3, 4]).T).T
    np.testing.assert_allclose(np.linalg.norm((back - [50, 40]) / [30, 10], axis=1), 1, atol=2e-3)
    assert farthest(stroke((0.15, 0.1), (0.9, 0.3), (0.1, 0.45)), corners) < TOLERANCE
    assert farthest(stroke((0.1 + 0.05 * (1 - 2**-0.5), 0.1 + 0.05 * (1 - 2**-0.5))), corners) < TOLERANCE
    assert farthest(stroke((0.1, 0.1)), corners) > 0.01


def test_what_is_not_drawn_is_not_read() -> None:
    hidden = (
        '<defs><path d="M0 0L9 9"/></defs><symbol><line x2="5"/></symbol><g display="none"><line x2="5"/></g>'
        '<g style="opacity:1; display: none"><g><line x2="5"/></g></g><line x2="5" visibility="hidden"/>'
        '<text x="3">M0 0L1 1</text><use href="#a"/><image href="file:///etc/passwd"/><script>alert(1)</script>'
    )
    assert in_percent(read(f'{hidden}<line x2="1"/>')) == [[[0, 0], [1, 0]]]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ('viewBox="10 10 40 20"', [[0, 0.25], [1, 0.75]]),  # wide: centred in the square around it
        ('viewBox="-10 10,20 60"', [[2 / 3, 0], [4 / 3, 1 / 3]]),  # the line leaves it
        ('width="200" height="100px"', [[0.05, 0.3], [0.25, 0.4]]),
        ('width="100%" height="100%"', [[0.05, 0.275], [0.95, 0.725]]),  # unknown: fitted with a margin
        ("", [[0.05, 0.275], [0.95, 0.725]]),
    ],
)
def test_view_boxes(view: str, expected: list[list[float]]) -> None:
    (line,) = read('<line x1="10" y1="10" x2="50" y2="30"/>', view)
    np.testing.assert_allclose(line, expected, atol=1e-6)


BOMB = '<!DOCTYPE svg [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be an SVG file, got what is no XML"),
        (b"\x89PNG\r\n\x1a\n", "must be an SVG file, got what is no XML"),
        (b"<svg><path d='M0 0L1 1'/>", "must be an SVG file, got what is no XML"),
        (b"<html><body/></html>", "must be an SVG file, got a root element <html>"),
        (f"{BOMB}<svg><text>&b;</text></svg>".encode(), r"must have no document type \(DOCTYPE\)"),
        (b'<!DOCTYPE svg SYSTEM "file:///etc/passwd"><svg/>', r"must have no document type \(DOCTYPE\)"),
        (b'<svg xmlns="x"/>', "must draw at least one line, got none"),
        (b"<svg>&a;</svg>", "must be an SVG file, got what is no XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><svg/>', "encoding"),
        (b"<svg>" + b"<g>" * 64 + b"</g>" * 64 + b"</svg>", "must be nested at most 64 levels deep, got more"),
        (b"<svg>" + b"<x>" * 64 + b"</x>" * 64 + b"</svg>", "must be nested at most 64 levels deep, got more"),
        (b"<svg>" + b"<g/>" * 20_000 + b"</svg>", "must have at most 20000 elements, got more"),
        (b" " * (MOST_BYTES + 1), "must have at most 4194304 bytes, got 4194305"),
        (b'<svg viewBox="0 0 0 10"><line x2="1"/></svg>', "viewBox: must be x, y, a positive width"),
        (b'<svg viewBox="a b c d"><line x2="1"/></svg>', "must have numbers, got 'a'"),
        (b'<svg><path d="L1 1"/></svg>', "path: must start with M or m, got 'L1 1'"),
        (b'<svg><path d="M1 1L2"/></svg>', "path: must have 2 numbers after L, got ''"),
        (b'<svg><path d="M1 1X"/></svg>', "path: must have 2 numbers after L, got 'X'"),
        (b'<svg><path d="M1 1Z5"/></svg>', "path: must have a command at position 5, got '5'"),
        (b'<svg><path d="M1 1L1e999 0"/></svg>', r"must have numbers in \[-1e\+09, 1e\+09\], got 1e999"),
        (b'<svg><path d="M1 1LNaN 0"/></svg>', "path: must have 2 numbers after L, got 'NaN 0'"),
        (b'<svg viewBox="0 0 1 1"><path d="M1 1L1e8 0"/></svg>', "must have coordinates of at most 10000 sides"),
        (
            b'<svg><g transform="scale(1e9) scale(1e9)"><line x2="1"/></g></svg>',
            "must have coordinates of at most 10000",
        ),
        (b'<svg><g transform="turn(3)"/></svg>', "transform: must be one of SVG with its numbers, got turn with 1"),
        (b'<svg><g transform="rotate(1 2)"/></svg>', "transform: must be one of .*, got rotate with 2"),
        (b'<svg><g transform="3 4"/></svg>', "transform: must be transforms such as translate"),
    ],
)
def test_files_of_strangers(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"^a\.svg: .*{message}"):
        from_svg(content, "a.svg")


@pytest.mark.parametrize(
    "body",
    [
        '<path d="M0 0' + "L1 1" * 60_000 + '"/>',
        '<path d="M0 0' + "M1 1" * 60_000 + '"/>',
        '<path d="M0 0' + "c99 0 0 99 99 99" * 10_000 + '"/>',
        '<polyline points="' + "1,1 " * 200_000 + '"/>',
        '<path d="M0 0L' + "1" * 4_000_000 + ' 0"/>',
        '<path d="M0 0' + " " * 1_000_000 + 'x"/>',
        '<path d="M0 0' + "a9 9 0 1 1 9 9" * 20_000 + '"/>',
        '<g transform="' + "scale(1)" * 400_000 + 'x"/>',
        "".join(f'<path d="M0 0{"L1 1" * 100}"/>' for _ in range(600)),
    ],
    ids=["lines", "moves", "curves", "points", "digits", "blanks", "arcs", "transforms", "paths"],
)
def test_large_files_are_refused_in_time(body: str) -> None:
    start = time.process_time()
    with pytest.raises(InputError):
        read(body)
    assert time.process_time() - start < 5


def test_a_drawing_to_write_must_have_points() -> None:
    with pytest.raises(InputError, match=r"^strokes: must have at least one stroke, got none$"):
        to_svg([])
    with pytest.raises(InputError, match=r"^strokes\[0\]: must be finite, got NaN or infinity$"):
        to_svg([stroke((0, float("nan")))])
    with pytest.raises(InputError, match=r"^size: must be at least 1, got 0$"):
        to_svg([stroke((0, 0))], size=0)
    with pytest.raises(InputError, match=r"^width: must be above 0, got 0$"):
        to_svg([stroke((0, 0))], width=0)
