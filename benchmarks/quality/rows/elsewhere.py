"""The encoders of the published table, measured on images that their teachers were not trained for."""

from dataclasses import replace

from benchmarks.quality.rows.parts import without
from benchmarks.quality.rows.published import CLASSIFIER_ONLY, COMPOSITE, ENCODERS, HEAD, POSTERIOR
from benchmarks.quality.types import Row, Table

_ROWS = (CLASSIFIER_ONLY, POSTERIOR, HEAD, COMPOSITE)


def _measured(name: str, argv: tuple[str, ...], rows: tuple[Row, ...] = _ROWS) -> tuple[Row, ...]:
    return tuple(replace(row, name=f"{name}_{row.name}", measured_argv=(*argv, *row.measured_argv)) for row in rows)


# The photos' embeddings stay as they are.
_FOR_UNSEEN = replace(
    COMPOSITE,
    name="composite_for_unseen",
    title=f"{COMPOSITE.title}, sketches without the sharp posterior and the head",
    measured_argv=without(["posterior", "head"], ENCODERS[1:]),
    chosen={**COMPOSITE.chosen, "parts for unseen classes": "soft and reading, of all"},
)
_OWN_QUERIES = replace(
    _FOR_UNSEEN,
    name=f"{_FOR_UNSEEN.name}_own_queries",
    title=f"{_FOR_UNSEEN.title}, read with statistics of the unlabelled queries (test-time adaptation)",
    measured_argv=(
        *_FOR_UNSEEN.measured_argv,
        f"{ENCODERS[1]}.init_args.parts.reading.encoder.init_args.own_queries=true",
    ),
)
_WITHOUT_READING = replace(
    _FOR_UNSEEN,
    name="composite_soft_alone",
    title=f"{COMPOSITE.title}, sketches with the soft posterior alone",
    measured_argv=without(["posterior", "head", "reading"], ENCODERS[1:]),
)

UNSEEN = Table(
    "unseen",
    "Classes that no teacher knows",
    "Gallery and queries are of the split's 16 unseen classes (test: 320 sketches, 800 photos, chance 0.06); nothing "
    "is trained again. Form and temperatures of posterior matching are chosen on labelled validation images of these "
    "classes. How `composite` reads sketches, and its weights, were chosen on labelled images of the same 16 classes "
    "that stand in neither split (docs/experiments.md, 'A photo teacher that reads sketches'). "
    "`unseen_composite_for_unseen` is what a search takes that knows its sketches to be of other classes: sketches' "
    "weights alone differ, and the photos' embeddings stay.",
    _measured(
        "unseen",
        ("--dataset.init_args.classes=unseen", "--data.unknown_classes=true"),
        (*_ROWS, _FOR_UNSEEN, _OWN_QUERIES, _WITHOUT_READING),
    ),
    reference="unseen_posterior_matching",
    seeds=3,
)


def _as_drawn(name: str, config: str) -> Row:
    """The encoder to use, on sketches in the pen that they were drawn with."""
    return replace(
        COMPOSITE,
        name=f"{name}_composite_as_drawn",
        title=f"{COMPOSITE.title}, sketches as they were drawn",
        measured_argv=("--config", config, "--data.pen={}"),
    )


_STYLE = (
    "Sketches are redrawn with a pen that the predictions of a sketch teacher of the benchmark chose without labels, "
    "the same for all pairs; one row shows them as they were drawn. Posterior matching picks its form and "
    "temperatures on labelled validation images. Nothing is trained again."
)
_SUBSET, _QUERIES = "data/sketchy_subset.yaml", "data/quickdraw_queries.yaml"

SKETCHY = Table(
    "sketchy",
    "Transfer: the Sketchy subset",
    "Photos and sketches of the Sketchy subset, of 31 classes that both teachers know. Its photos are from ImageNet, "
    "like Tiny-ImageNet's, and some may be training photos. Each class has 5 photos, so precision at 50 is 0.1 "
    f"at most. {_STYLE}",
    (
        *_measured("sketchy", ("--config", _SUBSET)),
        _as_drawn("sketchy", _SUBSET),
    ),
    reference="sketchy_composite",
    seeds=1,
)
QUICKDRAW = Table(
    "quickdraw",
    "Transfer: Quick, Draw! queries",
    f"The benchmark's own photos, of 39 classes; queries are drawings of Quick, Draw! from their strokes. {_STYLE}",
    (
        *_measured("quickdraw", ("--config", _QUERIES)),
        _as_drawn("quickdraw", _QUERIES),
    ),
    reference="quickdraw_composite",
    seeds=1,
)
