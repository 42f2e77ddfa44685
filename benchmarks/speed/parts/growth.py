"""How cost grows with batch, image size, classes and gallery; each point in a process of its own."""

import json
import subprocess
import sys

from benchmarks.speed.effort import Effort
from benchmarks.speed.parts.evaluation import ALL_QUERIES
from benchmarks.speed.point import QUERIES
from benchmarks.speed.timing import Row, Times

BATCHES, SIZES, CLASSES = (32, 64, 128, 256, 512), (32, 64, 128, 224), (10, 100, 1000)
GALLERIES = (1_000, 10_000, 100_000, 1_000_000)
_SIZE_BATCH = 16
_NOTE = (
    "generators and terms of model/joint.yaml against two SmallResNet of 1.6 M parameters, 32 px and 10 classes where "
    "nothing else is said; measures in one thread, 64 dimensions"
)
PHOTOS = "photos"
"""Figure that a point with a gallery has."""


def measure(effort: Effort) -> list[Row]:
    """Measure time and peak of memory at each point."""
    rounds, photos = max(effort.rounds // 10, 1), effort.photos  # a large step takes a minute
    points: list[tuple[str, list[str], dict[str, float]]] = [
        *((f"generator step, B = {b}", ["generators", f"--batch={b}"], {}) for b in BATCHES),
        *(
            (f"generator step, {s} px, B = {_SIZE_BATCH}", ["generators", f"--size={s}", f"--batch={_SIZE_BATCH}"], {})
            for s in SIZES
        ),
        *((f"generator step, {k:,} classes, B = 128", ["generators", f"--classes={k}"], {}) for k in CLASSES),
        *(
            (f"all measures of {QUERIES} queries, {g:,} photos", ["gallery", f"--photos={g}"], {PHOTOS: float(g)})
            for g in GALLERIES
            if g <= effort.largest
        ),
        *(
            (
                f"all measures of {q:,} queries, {photos:,} photos",
                ["gallery", f"--queries={q}", f"--photos={photos}"],
                {},
            )
            for q in (ALL_QUERIES // 16, ALL_QUERIES // 4, ALL_QUERIES)
            if photos <= effort.largest
        ),
    ]
    return [_point(what, [*words, f"--rounds={rounds}"], figures) for what, words, figures in points]


def _point(what: str, words: list[str], figures: dict[str, float]) -> Row:
    command = [sys.executable, "-m", "benchmarks.speed.point", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    memory = found.pop("MB")
    return Row(what, {"crossx": Times(**found)}, _NOTE, {**figures, "peak, MB": memory})
