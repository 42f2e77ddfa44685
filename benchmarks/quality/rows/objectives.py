"""Objectives of the encoders, without and with data."""

import json
from dataclasses import replace

from benchmarks.quality.rows.published import HEAD, HEAD_WITH_DATA, TRAINING_DATA
from benchmarks.quality.types import Row, Table

_TITLES = {"siamese": "Siamese", "triplet": "Triplet", "mib": "MIB", "matching": "PosteriorMatching"}
_OF_CLASSES = ("siamese", "triplet", "mib")
_PAPER = {
    "head_siamese": 0.679,
    "head_siamese_with_data": 0.715,
    "head_triplet": 0.750,
    "head_triplet_with_data": 0.772,
    "head_mib": 0.815,
    "head_mib_with_data": 0.871,
    "head": 0.827,
    "head_with_data": 0.862,
}


def data_free(name: str, title: str) -> Row:
    """A head on each frozen teacher with an objective of its own."""
    # Photos and sketches are generated independently of each other, and these two take pairs for positives.
    pairs = ("--model.encoding.init_args.pair_by_class=true",) if name in ("mib", "info_nce") else ()
    argv = (f"--model.encoding.init_args.terms={_terms(name, title)}", *pairs)
    return replace(HEAD, name=f"head_{name}", title=f"learned head, {title} loss, data-free", argv=argv)


def _with_data(name: str, title: str) -> Row:
    # These three know positives and negatives alone, and learn more from labels than from the classes that a teacher
    # predicts.
    labels = ("--model.init_args.pairs.init_args.true_labels=true",) if name in _OF_CLASSES else ()
    return Row(
        f"head_{name}_with_data",
        f"learned head, {title} loss, with data",
        ("model/head_with_data.yaml",),
        (f"--model.init_args.terms={_terms(name, title)}", *labels),
        training_images=TRAINING_DATA,
        against=f"head_{name}",
    )


def _terms(name: str, title: str) -> str:
    return json.dumps({name: {"loss": {"class_path": f"{title}Loss"}}})


_ROWS = (
    *(row(name, title) for name, title in _TITLES.items() for row in (data_free, _with_data)),
    HEAD,
    HEAD_WITH_DATA,
    Row(
        "head_with_labels",
        "learned head, with data, from labels",
        ("model/head_with_data.yaml",),
        ("--model.init_args.pairs.init_args.true_labels=true",),
        training_images=TRAINING_DATA,
        against="head",
    ),
)

OBJECTIVES = Table(
    "objectives",
    "Objectives, without and with data",
    "The same heads on the same frozen teachers, with the same number of encoder steps. With data they learn from the "
    "teachers' training images: Siamese, Triplet and MIB from the labels, SupCon (`head_with_data`) and "
    "PosteriorMatching from the teachers' posteriors, which serve SupCon better (`head_with_labels`). Data-free they "
    "learn from generated images and the teachers' posteriors for them, all from the same generators, whose photos and "
    "sketches are independent of each other: for MIB, which takes pairs for positives, those of a batch are paired "
    "anew by the posteriors (`pair_by_class`), while the others find their positives in the whole batch. Learning "
    "rates are those of `head`, margins and temperatures the usual ones of each loss. The curves count the encoders' "
    "steps, without those of the generators before them.",
    tuple(replace(row, paper={"Sketchy": _PAPER[row.name]} if row.name in _PAPER else {}) for row in _ROWS),
    reference="head",
    seeds=1,
    pictures=("bars", "curves"),
    paper=("Sketchy",),
)
