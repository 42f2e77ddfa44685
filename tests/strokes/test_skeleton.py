"""Skeletons as graphs: lines between nodes, contraction, spurs, joining."""

import numpy as np
import pytest

from crossx.strokes.skeleton import Line, contract, join, lines_of, prune


def skeleton(*rows: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def line(ends: tuple[int, int], *points: tuple[float, float]) -> Line:
    return Line(ends, np.array(points, dtype=np.float64))


def test_a_path_is_one_line_from_end_to_end() -> None:
    (path,) = lines_of(skeleton("#....", ".#...", "..###"))
    assert path.points.tolist() == [[0, 0], [1, 1], [2, 2], [3, 2], [4, 2]]
    assert path.length == pytest.approx(2 * np.sqrt(2) + 2)


def test_a_ring_is_one_closed_line() -> None:
    (ring,) = lines_of(skeleton(".##.", "#..#", ".##."))
    assert ring.ends[0] == ring.ends[1]
    assert ring.points[0].tolist() == ring.points[-1].tolist()
    assert len(ring.points) == 7


def test_a_pixel_by_itself_is_a_line_of_one_point() -> None:
    assert [found.points.tolist() for found in lines_of(skeleton("...", ".#.", "..."))] == [[[1, 1]]]


def test_a_crossing_has_four_lines_of_one_node() -> None:
    found = lines_of(skeleton("..#..", "..#..", "#####", "..#..", "..#.."))
    assert len(found) == 4
    assert all(12 in found_line.ends for found_line in found)  # row 2, column 2 of rows of 5
    assert sum(len(found_line.points) for found_line in found) == 4 * 3


def test_a_step_is_no_branching() -> None:
    assert len(lines_of(skeleton("##...", ".##..", "..##.", "...##"))) == 1


def test_contraction_makes_one_crossing_of_two_branchings() -> None:
    lines = [
        line((0, 1), (0, 0), (4, 4)),
        line((2, 1), (0, 8), (4, 4)),
        line((1, 3), (4, 4), (6, 4)),  # the piece that two thick lines share
        line((3, 4), (6, 4), (10, 0)),
        line((3, 5), (6, 4), (10, 8)),
    ]
    found = contract(lines, 2.5)
    assert len(found) == 4
    nodes = [set(each.ends) for each in found]
    (centre,) = set.intersection(*nodes)
    assert all(each.points[each.ends.index(centre) * -1].tolist() == [5, 4] for each in found)
    assert sorted(stroke[[0, -1]].tolist() for stroke in join(found)) == [[[0, 0], [10, 8]], [[0, 8], [10, 0]]]
    assert len(contract(lines, 1.5)) == 5


def test_contraction_takes_tiny_holes_with_it_and_leaves_rings() -> None:
    outer = (line((0, 1), (0, 0), (4, 0)), line((2, 3), (5, 0), (9, 0)))
    hole = (line((1, 2), (4, 0), (5, 0)), line((1, 2), (4, 0), (4.5, 0.5), (5, 0)))
    ring = line((1, 2), (4, 0), (4, 6), (5, 6), (5, 0))
    assert len(contract([*outer, *hole], 1.0)) == 2
    assert len(contract([*outer, hole[0], ring], 1.0)) == 3


def test_a_spur_goes_and_what_would_be_an_end_stays() -> None:
    bar = [line((0, 1), (0, 0), (9, 0)), line((1, 2), (9, 0), (18, 0))]
    spur = line((1, 3), (9, 0), (9, 2))
    assert prune([*bar, spur], 4) == sorted(bar, key=lambda kept: kept.length)
    assert len(prune([*bar, spur], 2)) == 3
    star = [line((0, i), (0, 0), (np.cos(i), np.sin(i))) for i in (1, 2, 3)]
    assert len(prune(star, 4)) == 2, "the first spur that goes leaves no branching behind"


def test_lines_go_on_where_they_turn_least() -> None:
    straight = [line((0, 1), (0, 0), (9, 0)), line((1, 2), (9, 0), (18, 1))]
    stem = line((1, 3), (9, 0), (9, 9))
    found = sorted((stroke.tolist() for stroke in join([straight[0], stem, straight[1]])), key=len)
    assert found == [[[9, 0], [9, 9]], [[0, 0], [9, 0], [18, 1]]]


def test_a_ring_of_two_lines_is_one_closed_stroke() -> None:
    (found,) = join([line((0, 1), (0, 0), (4, 4), (8, 0)), line((0, 1), (0, 0), (4, -4), (8, 0))])
    assert found[0].tolist() == found[-1].tolist()
    assert len(found) == 5
