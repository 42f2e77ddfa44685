"""Coloured pictures of drawings: outlines filled at random before a random background, as stand-ins for photos."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from crossx.strokes.sequence import Strokes

_GAP = 0.08
"""Distance in sides of the unit square up to which the end of a stroke belongs to the start of the next one."""
_FULL = 0.35
"""Share of its box from which an open outline is filled, too: the side of a cup, which another stroke closes."""
_FINER = 4


def coloured(strokes: Strokes, size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Fill the closed outlines of a drawing, the largest first, and leave out most of the lines between them.

    Colours, background, light and line width are random, and say nothing of what is drawn.

    Args:
        strokes: A drawing in the unit square.
        size: Side of the picture in pixels.
        rng: Source of all random numbers.

    Returns:
        RGB, (size, size, 3).
    """
    fine = size * _FINER
    picture = Image.fromarray((255 * _surface(fine, rng)).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    main = rng.random(3)
    lines = rng.random() < 0.5  # whether outlines are drawn, too
    width = round(fine * rng.uniform(0.01, 0.05))
    # A photo shows its object smaller or larger than the sketch, and not in the same place.
    zoom, shift = rng.uniform(0.75, 1.05), rng.uniform(-0.06, 0.06, 2)
    for chain in sorted(outlines(strokes), key=_area, reverse=True):
        colour = main if rng.random() < 0.4 else rng.random(3)
        points = [(float(x), float(y)) for x, y in fine * (0.5 + zoom * (chain - 0.5) + shift)]
        fill = tuple(int(255 * c) for c in colour)
        line = tuple(int(255 * c) for c in (colour * rng.uniform(0.2, 0.6) if lines else colour))
        if len(points) > 2 and (np.linalg.norm(chain[0] - chain[-1]) <= _GAP or _fullness(chain) > _FULL):
            pen.polygon(points, fill=fill)
        pen.line(points, fill=line, width=width, joint="curve")
    light = 1 + 0.5 * (_surface(fine, rng)[..., :1] - 0.5)
    lit = np.clip(np.asarray(picture, np.float64) * light, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(lit).reduce(_FINER))


def outlines(strokes: Strokes) -> list[npt.NDArray[np.float32]]:
    """Join strokes of which one begins where the one before it ends, such as the sides of a box."""
    chains: list[npt.NDArray[np.float32]] = []
    for stroke in strokes:
        if chains and np.linalg.norm(chains[-1][-1] - stroke[0]) <= _GAP < np.linalg.norm(
            chains[-1][-1] - chains[-1][0]
        ):
            chains[-1] = np.concatenate([chains[-1], stroke])
        else:
            chains.append(stroke)
    return chains


def _area(chain: npt.NDArray[np.float32]) -> float:
    x, y = chain.T.astype(np.float64)
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def _fullness(chain: npt.NDArray[np.float32]) -> float:
    return _area(chain) / max(float(np.ptp(chain, axis=0).prod()), 1e-6)


def _surface(size: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A smooth random surface in [0, 1], (size, size, 3)."""
    cells = int(rng.integers(2, 9))
    grey = rng.random((cells, cells, 1)) * rng.uniform(0, 0.5)
    rough = np.clip(rng.random(3) * 0.7 + grey + 0.1 * rng.random((cells, cells, 3)), 0, 1)
    image = Image.fromarray((255 * rough).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255
