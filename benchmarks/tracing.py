"""Measure the tracer: `python -m benchmarks.tracing` prints how well pictures can be redrawn from their traces.

Of each data set in `CROSSX_DATA`, 60 drawings of 128 pixels: the intersection over union of the picture's ink and that
of its trace, drawn with the estimated width of the pen, both widened by a pixel.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu
from skimage.morphology import dilation

from crossx.data import QMULV1, QuickDrawStrokes, Sketchy
from crossx.data.reader import ImageReader
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes
from crossx.strokes.trace import pen_width, trace

SIZE = 128
WIDTH = 2.5
"""Line width in pixels of the drawings that are given as strokes."""
DRAWINGS = 60


@dataclass(frozen=True)
class Figures:
    """Means over drawings.

    Attributes:
        overlap: Intersection over union, in [0, 1].
        strokes: Strokes of a trace.
        points: Points of a trace.
        true_strokes: Strokes of a drawing itself; NaN for pictures.
        milliseconds: CPU time of a trace.
    """

    overlap: float
    strokes: float
    points: float
    true_strokes: float
    milliseconds: float


Picture = tuple[npt.NDArray[np.uint8], Strokes | None]
"""A drawing of (128, 128) pixels, and its strokes where they are known."""


def main() -> None:
    """Measure and print."""
    print("| set | overlap | strokes | true strokes | points | CPU ms |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in SETS:
        found = measure(list(pictures(name)))
        true = "" if np.isnan(found.true_strokes) else f"{found.true_strokes:.1f}"
        print(
            f"| {name} | {found.overlap:.3f} | {found.strokes:.1f} | {true} | {found.points:.0f} | "
            f"{found.milliseconds:.0f} |"
        )


def measure(drawings: list[Picture]) -> Figures:
    """Trace drawings, and compare their traces with them."""
    trace(drawings[0][0])  # imports take time once
    start = time.process_time()
    traces = [trace(image) for image, _ in drawings]
    seconds = time.process_time() - start
    return Figures(
        overlap=float(np.mean([overlap(image, found) for (image, _), found in zip(drawings, traces, strict=True)])),
        strokes=float(np.mean([len(found) for found in traces])),
        points=float(np.mean([sum(map(len, found)) for found in traces])),
        true_strokes=float(np.mean([np.nan if true is None else len(true) for _, true in drawings])),
        milliseconds=1000 * seconds / len(drawings),
    )


def overlap(image: npt.NDArray[np.uint8], found: Strokes) -> float:
    """Intersection over union of a picture and its trace, in [0, 1]."""
    again = rasterise(found, image.shape[0], pen_width(image, found))
    true, drawn = (dilation(x <= threshold_otsu(x), np.ones((3, 3))) for x in (image, again))
    return float((true & drawn).sum() / (true | drawn).sum())


def pictures(name: str, count: int = DRAWINGS) -> Iterator[Picture]:
    """Drawings of a data set, evenly over its classes and their images."""
    reader = SETS[name]
    folders = _FOLDERS.get(name) or [p.stem for p in sorted(reader.path.iterdir())]
    for i in range(count):
        names = reader.names(folders[i * len(folders) // count])
        chosen = names[i * 37 % len(names)]
        strokes = reader.strokes(chosen)
        if strokes is None:
            yield reader.read(chosen, SIZE)[0].numpy(), None
        else:
            yield rasterise(strokes, SIZE, WIDTH), strokes


SETS: dict[str, ImageReader] = {
    "QuickDraw": QuickDrawStrokes(),
    "QMUL V1 shoes": QMULV1("sketch"),
    "QMUL V1 chairs": QMULV1("sketch"),
    "QMUL V1 handbags": QMULV1("sketch"),
    "Sketchy": Sketchy("sketch"),
}
_FOLDERS = {f"QMUL V1 {kind}": [kind] for kind in ("shoes", "chairs", "handbags")}

if __name__ == "__main__":
    main()
