"""Partial overlap of classes: each teacher knows 32, s of them are shared, and retrieval is over the union.

CrossX-DFL, arXiv 2303.07775, figure "partial overlap". A percentage is shared classes over a teacher's classes, which
the paper leaves open.
"""

import json
from dataclasses import replace

from benchmarks.quality.rows.published import CLASSIFIER_ONLY, CROSSX, POSTERIOR
from benchmarks.quality.types import Row, Table, Teacher
from crossx.core.paths import package_file
from crossx.data.class_map import read_class_map
from crossx.types import MODALITIES

ABOUT_CURVE = (
    "The paper's lines are read off the bars of its figure (within 0.005). They are of other data, other teachers and "
    "full-size networks, so their shape compares, and their height does not. No row stands at a point where it was not "
    "measured. The line of features says more of where a class stands than of overlap: both teachers of a seed start "
    "from the same weights, those of their last layers too, so that features have in common what class i of one and "
    "class i of the other were given. At 100 % all classes stand at the same place in both lists; before that 2, 5, 9 "
    "and 3 of the shared ones do (docs/experiments.md, 'What teachers' common start is worth')."
)
KNOWN = 32
GROUPS = ("shared", "half-known")
"""Queries of classes that both teachers know, and of those that one of them knows."""
SHARED = (6, 13, 19, 26, 32)
PAPER = {
    "Sketchy": (0.12, 0.15, 0.225, 0.24, 0.31, 0.45, 0.585, 0.73, 0.76, 0.81),
    "TU-Berlin": (0.03, 0.09, 0.11, 0.27, 0.30, 0.32, 0.43, 0.59, 0.65, 0.67),
}
"""mAP@all at 10, 20, ..., 100 % in the paper's figure, read off its bars (within 0.005)."""
_NO_GUESS = -1000
"""Logit that leaves an unknown class without a probability. The encoder stays what the checkpoint was made with, whose
statistics of readings a `PosteriorEncoder` would refuse."""
_FILE = "data/splits/tinyimagenet_tuberlin_overlap.json"
_GROUPS = read_class_map(package_file(_FILE)).groups


def _encoder(modality: str, **guesses: float) -> str:
    encoder = {
        "class_path": "CompletedPosteriorEncoder",
        "init_args": {**guesses, "share": 0.99, "dim": 64, "hidden": 512},
    }
    return f"--model.encoding.init_args.{modality}_encoder={json.dumps(encoder)}"


_TERMS = "--model.reconstruction.init_args.terms"
# Chosen on validation with 6 and 19 shared classes (docs/experiments.md): a sketch teacher tells better what it does
# not know, and a photo teacher reads sketches, while a sketch teacher cannot read photos. Pairs need not agree: those
# that do show shared classes alone, and then the others' sketches are not among those that readings are compared with.
_COMPLETED = replace(
    CROSSX,
    words=(
        _encoder("photo", offset=0.5, slope=2.0),
        _encoder("sketch", offset=4.0, slope=2.0, reading=1.0),
        f"{_TERMS}.alignment.weight=0",
        f"{_TERMS}.one_hot.loss.init_args.labels=predicted",
    ),
)
_WITHOUT_GUESSES = replace(
    _COMPLETED,
    name="without_guesses",
    title="crossx, guesses at unknown classes left out of the measurement",
    measured=tuple(f"--model.encoding.init_args.{m}_encoder.init_args.offset={_NO_GUESS}" for m in MODALITIES),
)


def _classes(group: str) -> tuple[str, ...]:
    data = "--data.dataset.init_args"
    return (f"{data}.class_map=crossx:{_FILE}", f"{data}.classes={group}")


def _table(shared: int) -> Table:
    photo = Teacher("photo-overlap", "teachers/tinyimagenet_photo.yaml", _classes("photo"))
    sketch = Teacher(f"sketch-overlap{shared}", "teachers/tinyimagenet_sketch.yaml", _classes(f"sketch_{shared}"))
    union = f"union_{shared}"
    common = _GROUPS[f"shared_{shared}"]
    half_known = tuple(name for name in _GROUPS[union] if name not in common)
    of_photos = tuple(name for name in half_known if name in _GROUPS["photo"])
    of_sketches = tuple(name for name in half_known if name not in of_photos)
    groups = dict(zip(GROUPS, (common, half_known), strict=True))
    groups |= {"photo teacher only": of_photos, "sketch teacher only": of_sketches}
    groups = {name: classes for name, classes in groups.items() if classes}

    def at(row: Row) -> Row:
        """A row with these teachers, measured on the union."""
        words = (*row.words, *_classes(union), "--data.unknown_classes=true")
        name = f"overlap{shared}_{row.name}"
        share = 100 * shared / KNOWN
        return replace(row, name=name, words=words, photo=photo, sketch=sketch, groups=groups, overlap=share)

    ours = _COMPLETED if shared < KNOWN else CROSSX  # there is nothing to complete
    rows = [at(row) for row in (CLASSIFIER_ONLY, POSTERIOR, ours)]
    if shared < KNOWN:
        rows.append(at(_WITHOUT_GUESSES))
        everything = (
            Teacher(f"photo-union{shared}", "teachers/tinyimagenet_photo.yaml", _classes(union)),
            Teacher(f"sketch-union{shared}", "teachers/tinyimagenet_sketch.yaml", _classes(union)),
        )
        all_known = replace(at(CROSSX), photo=everything[0], sketch=everything[1])
        rows.append(
            replace(all_known, name=f"overlap{shared}_all_known", title="crossx, teachers that know all classes")
        )
    guesses = (
        "columns say what queries of shared and half-known classes reach, and of the latter those that either teacher "
        "knows. Encoders are `CompletedPosteriorEncoder`, of pairs that need not agree, and those of `crossx` where "
        "the teachers know all classes. How posteriors are completed was chosen on this task's validation images, with "
        "6 and 19 shared classes."
    )
    return Table(
        f"overlap{shared}",
        f"Partial overlap: {shared} of {KNOWN} classes shared ({100 * shared / KNOWN:.0f}%)",
        f"Each teacher knows {KNOWN} classes, {shared} of them the other knows, too. Gallery and queries are of the "
        f"{len(_GROUPS[union])} classes of the union; {guesses if half_known else 'there is nothing to guess.'} "
        "Posterior matching's form and temperature are the best over all validation queries.",
        tuple(rows),
        reference=f"overlap{shared}_crossx",
        seeds=1,
        groups=tuple(groups),
    )


OVERLAP = tuple(_table(shared) for shared in SHARED)
