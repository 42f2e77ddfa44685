"""The data sets of the paper, for who has them: the rows that can be run at their scale with the shipped configs."""

from dataclasses import replace

from benchmarks.quality.rows.published import (
    AVERAGING,
    CLASSIFIER_ONLY,
    CROSSX,
    GAUSSIAN,
    PAPER_METHOD,
    POSTERIOR,
    PUBLISHED,
)
from benchmarks.quality.types import Benchmark, Row, Table, Teacher

_STEPS = 20_000
_LONGER = (f"--trainer.max_steps={_STEPS}", f"--model.scheduler.init_args.T_max={_STEPS}")

_BUDGETS = (
    f"Heads, and the Gaussian prior's, are trained for {_STEPS:,} steps; crossx is `sketchy.yaml`, whole networks, "
    "and its own number of steps. Precision at 200 is at most the number of a class's photos in the gallery over 200."
)

_ROWS = (
    CLASSIFIER_ONLY,
    replace(GAUSSIAN, words=("--model.pairs.init_args.size=224", *_LONGER)),
    AVERAGING,
    POSTERIOR,
    Row(
        "heads_with_data",
        "heads on the frozen teachers, with data",
        ("baselines/heads_with_data.yaml",),
        _LONGER,
        training_images="the training images",
        paper={"Sketchy": 0.862},
    ),
    replace(CROSSX, title="crossx, networks fine-tuned (sketchy.yaml)", configs=(), paper=PAPER_METHOD),
)


def _teacher(name: str, data: str) -> Teacher:
    """A ResNet-34 from ImageNet's weights, as in the paper, on the training part of a data set."""
    steps = (f"--trainer.max_steps={_STEPS}", f"--model.scheduler.init_args.total_steps={_STEPS}")
    words = ("--config", f"data/{data}.yaml", "--model.pretrained=true", *steps)
    return Teacher(name, f"teachers/sketchy_{name}.yaml", words)


def _benchmark(name: str, data: str, paper: str, about: str) -> Benchmark:
    table = Table(
        "published",
        "Baselines",
        f"{about} {_BUDGETS}",
        _ROWS,
        reference="crossx",
        seeds=1,
        pictures=PUBLISHED.pictures,
        paper=(paper,),
    )
    photo, sketch = _teacher("photo", data), _teacher("sketch", data)
    return Benchmark(
        name, ("sketchy.yaml", f"data/{data}.yaml"), photo, sketch, None, ("map_at_200", "prec_at_200"), (table,)
    )


_HELD_OUT = (
    "A tenth of the photos and sketches is the test split, by the hash of the photo's id, so that no sketch's photo "
    "trains. The paper does not say how it splits."
)
_BY_NAME = (
    "A tenth of the photos is the test split, by the hash of the file's name. The paper does not say how it splits."
)

FULL_SCALE = (
    _benchmark("sketchy", "sketchy", "Sketchy", _HELD_OUT),
    _benchmark("sketchy-extended", "sketchy_extended", "Sketchy", _HELD_OUT),
    _benchmark(
        "tuberlin-extended", "tuberlin_extended", "TU-Berlin", f"{_BY_NAME} Of the sketches 20 a class are queries."
    ),
    _benchmark(
        "quickdraw-extended", "quickdraw_extended", "QuickDraw", f"{_BY_NAME} Sketches are split in the same way."
    ),
)
