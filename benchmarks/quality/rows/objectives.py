"""Four objectives of the encoders, without and with data."""

import json
from dataclasses import replace

from benchmarks.quality.rows.published import HEADS
from benchmarks.quality.types import Row, Table

_TRAINING_DATA = "the training images and their labels"
_TITLES = {"siamese": "Siamese", "triplet": "Triplet", "mib": "MIB"}
_PAPER = {
    "siamese_free": 0.679,
    "siamese_with_data": 0.715,
    "triplet_free": 0.750,
    "triplet_with_data": 0.772,
    "mib_free": 0.815,
    "mib_with_data": 0.871,
    "heads": 0.827,
    "heads_with_data": 0.862,
}


def data_free(name: str, title: str) -> Row:
    """The heads of the other rows with an objective of their own."""
    words = (f"--model.encoding.init_args.terms={_terms(name, title)}",)
    return Row(f"{name}_free", f"{title}, data-free", ("baselines/heads.yaml",), words)


def _with_data(name: str, title: str) -> Row:
    return Row(
        f"{name}_with_data",
        f"{title}, with data",
        ("baselines/heads_with_data.yaml",),
        (f"--model.init_args.terms={_terms(name, title)}",),
        training_images=_TRAINING_DATA,
        against=f"{name}_free",
    )


def _terms(name: str, title: str) -> str:
    return json.dumps({name: {"loss": {"class_path": f"{title}Loss"}}})


_ROWS = (
    *(row(name, title) for name, title in _TITLES.items() for row in (data_free, _with_data)),
    HEADS,
    Row(
        "heads_with_data",
        "crossx, heads alone, with data",
        ("baselines/heads_with_data.yaml",),
        training_images=_TRAINING_DATA,
        against="heads",
    ),
)

OBJECTIVES = Table(
    "objectives",
    "Objectives, without and with data",
    "The same heads on the same frozen teachers, as many encoder steps; with data they learn from the teachers' "
    "training images and their labels, data-free from the generators' pairs and what the teachers say of them. Rates "
    "are those of `heads`, margins and temperatures the losses' usual ones. In the curves, steps of a data-free run "
    "are those of generators and encoders together, 640 for 400 of its encoders.",
    tuple(replace(row, paper={"Sketchy": _PAPER[row.name]}) for row in _ROWS),
    reference="heads",
    seeds=2,
    pictures=("bars", "curves"),
    paper=("Sketchy",),
)
