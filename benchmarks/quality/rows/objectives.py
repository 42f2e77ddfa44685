"""Four objectives of the encoders, without and with data."""

import json
from dataclasses import replace

from benchmarks.quality.rows.published import HEADS
from benchmarks.quality.types import Row, Table

_TRAINING_DATA = "the training images and their labels"
_TITLES = {"siamese": "Siamese", "triplet": "Triplet", "mib": "MIB"}
_PAPER = {
    "siamese_free": ".679",
    "siamese_with_data": ".715",
    "triplet_free": ".750",
    "triplet_with_data": ".772",
    "mib_free": ".815",
    "mib_with_data": ".871",
    "heads": ".827",
    "heads_with_data": ".862",
}


def _objective(name: str, title: str, data_free: bool) -> Row:
    """The heads of the other rows with an objective of their own."""
    place = "model.encoding" if data_free else "model"
    words = (f"--{place}.init_args.terms={json.dumps({name: {'loss': {'class_path': f'{title}Loss'}}})}",)
    if data_free:
        return Row(f"{name}_free", f"{title}, data-free", ("baselines/heads.yaml",), words)
    config = ("baselines/heads_with_data.yaml",)
    return Row(
        f"{name}_with_data",
        f"{title}, with data",
        config,
        words,
        training_images=_TRAINING_DATA,
        against=f"{name}_free",
    )


_ROWS = (
    *(_objective(name, title, data_free) for name, title in _TITLES.items() for data_free in (True, False)),
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
    "are those of `heads`, margins and temperatures the losses' usual ones.",
    tuple(replace(row, paper=_PAPER[row.name]) for row in _ROWS),
    reference="heads",
    seeds=2,
    pictures=("bars", "curves"),
    paper="paper: Sketchy",
)
