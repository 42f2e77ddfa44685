"""The data sets of the paper, for those who have them: rows that the shipped configs can run at that scale."""

from dataclasses import replace

from benchmarks.quality.rows.published import (
    AVERAGING,
    CLASSIFIER_ONLY,
    GAUSSIAN,
    HEAD_WITH_DATA,
    PAPER_METHOD,
    POSTERIOR,
    PUBLISHED,
)
from benchmarks.quality.types import Benchmark, Row, Table, Teacher

_STEPS = 20_000
_LONGER = (f"--trainer.max_steps={_STEPS}",)

_BUDGETS = (
    f"Heads, and the encoders of the Gaussian prior, are trained for {_STEPS:,} steps; `fine_tuned` is `sketchy.yaml`, "
    "whole networks, with its own number of steps. Precision at 200 is at most the number of a class's photos in the "
    "gallery over 200."
)

_ROWS = (
    CLASSIFIER_ONLY,
    replace(GAUSSIAN, argv=("--model.init_args.pairs.init_args.size=224", *_LONGER)),
    AVERAGING,
    POSTERIOR,
    replace(
        HEAD_WITH_DATA,
        # A pool of 8,192 pairs at 224 px takes 2.5 GB, and the loaders would read four pairs for one that is used.
        argv=("--model.init_args.replay=null", *_LONGER),
        against="",
        paper={"Sketchy": 0.862},
    ),
    Row("fine_tuned", "fine-tuned networks of the teachers", paper=PAPER_METHOD),
)


def _teacher(name: str, data: str) -> Teacher:
    """A ResNet-34 from ImageNet's weights, as in the paper, on the training part of a data set."""
    argv = ("--config", f"data/{data}.yaml", "--model.pretrained=true", *_LONGER)
    return Teacher(name, f"teachers/sketchy_{name}.yaml", argv)


def _benchmark(name: str, data: str, paper: str, about: str) -> Benchmark:
    table = Table(
        "published",
        "Baselines",
        f"{about} {_BUDGETS}",
        # Whatever their seeds are, both teachers start from ImageNet's weights, as the paper's do.
        tuple(replace(row, shared_start=True) for row in _ROWS),
        reference="fine_tuned",
        seeds=1,
        pictures=PUBLISHED.pictures,
        paper=(paper,),
    )
    photo, sketch = _teacher("photo", data), _teacher("sketch", data)
    configs = ("sketchy.yaml", f"data/{data}.yaml")
    return Benchmark(name, configs, photo, sketch, None, ("map_at_200", "prec_at_200"), (table,))


_HELD_OUT = (
    "A tenth of the photos and sketches is the test split, by the hash of the photo's id, so that the photo of no test "
    "sketch is a training photo. The paper does not state its split."
)
_BY_NAME = (
    "A tenth of the photos is the test split, by the hash of the file's name. The paper does not state its split."
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
