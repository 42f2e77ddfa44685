"""Posterior matching with a pen chosen without labels: `python -m benchmarks.pens.retrieval --photo P --sketch S`.

For each source of sketches of the benchmark tinyimagenet-tuberlin: mAP@all on test as the sketches were drawn, with the
pen that `crossx inspect --fit-pen` chooses, with the one that labels choose by the same search, and with that of
version 0.1.0.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.pens.drawings import Drawings, PenRow, compare_pens
from benchmarks.quality.configs import data_of
from crossx.cli.composing import compose
from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.data.base import RetrievalData
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.posterior import PosteriorChoice, best_posterior
from crossx.inspection.pen_fit import predict
from crossx.pixels.pen import Pen
from crossx.teachers.teacher import FrozenTeacher, load_teacher
from crossx.types import Split

SOURCES = ("data/tinyimagenet_tuberlin.yaml", "data/sketchy_subset.yaml", "data/quickdraw_queries.yaml")
MOST = 300
"""Validation sketches whose labels choose a pen."""
BY_HAND = Pen(margin=0.15, line_width=0.015625, darkness=0.6)
"""The pen that was chosen by hand on labelled sketches for version 0.1.0."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("python -m benchmarks.pens.retrieval", description=__doc__)
    parser.add_argument("--photo", required=True, help="photo teacher of the 45 classes")
    parser.add_argument("--sketch", required=True, help="sketch teacher of the same classes")
    parser.add_argument("--source", nargs="+", default=SOURCES, help="configs of data sets (default: all three)")
    parser.add_argument("--output", type=Path, default=Path("pens.json"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    photo, sketch = load_teacher(arguments.photo, "--photo"), load_teacher(arguments.sketch, "--sketch")
    if photo.card.classes != sketch.card.classes:
        raise InputError("--sketch: must know the classes of --photo, in the same order")
    found: dict[str, list[dict[str, object]]] = {}
    for source in arguments.source:
        data = data_of(compose(["test", "--config", source]).config)
        if data is None:
            raise InputError(f"--source: {source}: must name a data set")
        rows = measure(photo, sketch, data)
        found[source] = [asdict(row) for row in rows]
        for row in rows:
            print(f"{data.name:24} {row.name:16} {row.score:.4f}  {row.pen.to_mapping()}", flush=True)
        write_text(arguments.output, json.dumps(found, indent=1) + "\n")


def measure(photo: FrozenTeacher, sketch: FrozenTeacher, data: RetrievalData) -> list[PenRow]:
    """Compare pens on a data set by posterior matching's mAP@all.

    Args:
        photo: The photo teacher.
        sketch: The sketch teacher.
        data: Photos and sketches.
    """
    galleries = {split: _gallery(photo, data, split) for split in ("validation", "test")}
    drawings = {split: Drawings.of(data.images("sketch", split)) for split in ("validation", "test")}
    few = drawings["validation"].some(MOST)

    def judge(logits: Tensor, sketches: Drawings) -> float:
        return _map_all(PosteriorChoice(), logits, sketches.labels, *galleries["validation"])

    def measured(pen: Pen) -> float:
        logits = {split: predict(sketch, sketches.with_pen(pen)) for split, sketches in drawings.items()}
        # As `crossx test` does: form and temperatures by the labels of the validation images.
        chosen = best_posterior(
            logits["validation"], galleries["validation"][0], drawings["validation"].labels, galleries["validation"][1]
        )
        return _map_all(chosen, logits["test"], drawings["test"].labels, *galleries["test"])

    return compare_pens(sketch, few, drawings["test"], judge, measured, {"by hand": BY_HAND})


def _gallery(photo: FrozenTeacher, data: RetrievalData, split: Split) -> tuple[Tensor, Tensor]:
    """Logits and labels of the photos."""
    images = data.images("photo", split)
    pixels = torch.stack([images.image(i) for i in range(len(images))]).float() / 255
    return predict(photo, pixels), torch.from_numpy(images.labels)


def _map_all(choice: PosteriorChoice, queries: Tensor, labels: Tensor, gallery: Tensor, classes: Tensor) -> float:
    return retrieval_scores(choice.score(queries, gallery), labels, classes).over_queries()["map_all"]


if __name__ == "__main__":
    main()
