"""Skeletons of line drawings as graphs: lines between nodes, without spurs, joined into strokes where they go on."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Positions (x, y) along a line, (N, 2), in pixels; the centre of the first pixel is (0, 0)."""
_AHEAD = 6.0
"""Length over which the direction of a line at its end is measured, in pixels."""


@dataclass
class Line:
    """A line of a skeleton between two nodes.

    Attributes:
        ends: Numbers of the nodes at its first and its last point; equal ones for a ring.
        points: Its points, both nodes among them.
    """

    ends: tuple[int, int]
    points: Points

    @property
    def length(self) -> float:
        """Its length in pixels."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())


def lines_of(skeleton: npt.NDArray[np.bool_]) -> list[Line]:
    """Cut a skeleton at its ends and branchings.

    Args:
        skeleton: Lines of one pixel's width, (H, W).

    Returns:
        Its lines; a pixel without a neighbour is a line of one point.
    """
    neighbours = _neighbours(skeleton)
    width = skeleton.shape[1]
    nodes = [pixel for pixel, near in neighbours.items() if len(near) != 2]
    lines: list[Line] = []
    passed: set[int] = set()  # pixels between nodes
    left: set[tuple[int, int]] = set()  # steps out of nodes

    def walk(first: int, second: int) -> None:
        path = [first, second]
        while len(neighbours[path[-1]]) == 2 and path[-1] != first:
            a, b = neighbours[path[-1]]
            path.append(b if a == path[-2] else a)
        passed.update(path)
        left.update({(first, second), (path[-1], path[-2])})
        y, x = np.divmod(path, width)
        lines.append(Line((first, path[-1]), np.stack([x, y], axis=1).astype(np.float64)))

    for node in nodes:
        if not neighbours[node]:
            lines.append(Line((node, node), np.array([[node % width, node // width]], dtype=np.float64)))
        for near in neighbours[node]:
            if (node, near) not in left:
                walk(node, near)
    for pixel in neighbours:  # what is left are rings
        if len(neighbours[pixel]) == 2 and pixel not in passed:
            walk(pixel, neighbours[pixel][0])
    return lines


def _neighbours(skeleton: npt.NDArray[np.bool_]) -> dict[int, list[int]]:
    """Neighbours of each pixel; diagonal ones only where no third pixel connects them."""
    padded = np.pad(skeleton, 1)
    width = skeleton.shape[1]
    found: dict[int, list[int]] = {}
    for y, x in np.argwhere(skeleton).tolist():
        near = padded[y : y + 3, x : x + 3]
        pixels = [(dy, dx) for dy, dx in ((-1, 0), (0, -1), (0, 1), (1, 0)) if near[1 + dy, 1 + dx]]
        pixels += [
            (dy, dx)
            for dy, dx in ((-1, -1), (-1, 1), (1, -1), (1, 1))
            if near[1 + dy, 1 + dx] and not near[1 + dy, 1] and not near[1, 1 + dx]
        ]
        found[y * width + x] = [(y + dy) * width + x + dx for dy, dx in pixels]
    return found


def contract(lines: list[Line], length: float) -> list[Line]:
    """Make one node of two that a short line connects, as where two thick lines cross at an angle.

    Args:
        lines: The lines.
        length: Longest line that vanishes, in pixels.

    Returns:
        The other lines, led to the centres of the new nodes.
    """
    degree = _degrees(lines)
    group = {end: end for line in lines for end in line.ends}
    place = {end: line.points[i] for line in lines for end, i in zip(line.ends, (0, -1), strict=True)}

    def root(node: int) -> int:
        while group[node] != node:
            node = group[node]
        return node

    kept = []
    for line in lines:
        inner = min(degree[end] for end in line.ends) > 2
        if inner and line.ends[0] != line.ends[1] and line.length <= length:
            group[root(line.ends[0])] = root(line.ends[1])
        else:
            kept.append(line)
    members = defaultdict(list)
    for node in group:
        members[root(node)].append(place[node])
    centre = {node: np.mean(places, axis=0) for node, places in members.items()}
    result = []
    for line in kept:
        ends = (root(line.ends[0]), root(line.ends[1]))
        if ends[0] == ends[1] and ends != line.ends and line.length <= 2 * length:
            continue  # a tiny hole between nodes that are one now
        points = line.points.copy()
        for i, end in zip((0, -1), ends, strict=True):
            if len(members[end]) > 1:
                points[i] = centre[end]
        result.append(Line(ends, points))
    return result


def prune(lines: list[Line], length: float) -> list[Line]:
    """Leave out spurs: short lines from a branching to a free end, the shortest first, until a node is none any more.

    Args:
        lines: The lines.
        length: Shortest line that is no spur, in pixels.
    """
    degree = _degrees(lines)
    kept = []
    for line in sorted(lines, key=lambda line: line.length):
        free, other = sorted(line.ends, key=lambda end: degree[end])
        if degree[free] == 1 and degree[other] > 2 and line.length < length:
            degree[free] -= 1
            degree[other] -= 1
        else:
            kept.append(line)
    return kept


def join(lines: list[Line]) -> list[Points]:
    """Join lines at their nodes, two and two, those first that turn least; each line is in one of the strokes."""
    ends = defaultdict(list)  # node -> ends of lines: number of the line, and whether it is its last point
    for i, line in enumerate(lines):
        for end, node in enumerate(line.ends):
            ends[node].append((i, end))
    follower: dict[tuple[int, int], tuple[int, int]] = {}
    for meeting in ends.values():
        heading = {key: _heading(lines[key[0]].points, key[1]) for key in meeting}
        pairs = sorted(combinations(meeting, 2), key=lambda pair: float(heading[pair[0]] @ heading[pair[1]]))
        for a, b in pairs:
            if a not in follower and b not in follower:
                follower[a], follower[b] = b, a
    strokes: list[Points] = []
    used: set[int] = set()
    starts = [(i, end) for i in range(len(lines)) for end in (0, 1) if (i, end) not in follower]
    for start in [*starts, *((i, 0) for i in range(len(lines)))]:  # what has no loose end is a ring
        if start[0] in used:
            continue
        pieces: list[Points] = []
        here = start
        while here[0] not in used:
            used.add(here[0])
            points = lines[here[0]].points[:: -1 if here[1] else 1]
            pieces.append(points[1:] if pieces else points)
            leaving = (here[0], 1 - here[1])
            if leaving not in follower:
                break
            here = follower[leaving]
        strokes.append(np.concatenate(pieces))
    return strokes


def _heading(points: Points, end: int) -> Points:
    """Direction in which a line leaves one of its ends, a unit vector, or zero for a line of one point."""
    points = points[::-1] if end else points
    reach = np.hypot(*(points - points[0]).T)
    far = int(np.argmax(reach >= _AHEAD)) or len(points) - 1
    step: Points = points[far] - points[0]
    return step / max(float(np.hypot(*step)), 1e-9)


def _degrees(lines: list[Line]) -> dict[int, int]:
    degree: dict[int, int] = defaultdict(int)
    for line in lines:
        for end in line.ends:
            degree[end] += 1
    return degree
