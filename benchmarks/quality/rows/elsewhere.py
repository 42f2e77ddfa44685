"""The encoders of the published table, measured on images that their teachers were not trained for."""

from dataclasses import replace

from benchmarks.quality.rows.published import CLASSIFIER_ONLY, ENCODERS, HEAD, POSTERIOR, POSTERIOR_HEAD
from benchmarks.quality.types import Row, Table

_ROWS = (CLASSIFIER_ONLY, POSTERIOR, HEAD, POSTERIOR_HEAD)


def _measured(name: str, argv: tuple[str, ...], rows: tuple[Row, ...] = _ROWS) -> tuple[Row, ...]:
    return tuple(replace(row, name=f"{name}_{row.name}", measured_argv=(*argv, *row.measured_argv)) for row in rows)


# Softer posteriors over known classes rank images of unknown ones better; the head keeps its part of the cosine.
_SOFTENED = replace(
    POSTERIOR_HEAD,
    name="posterior_head_softened",
    title=f"{POSTERIOR_HEAD.title}, softened (temperature 4, share 0.999)",
    measured_argv=tuple(
        f"{encoder}.init_args.{argument}" for encoder in ENCODERS for argument in ("temperature=4", "share=0.999")
    ),
    chosen={"temperature": "4, of 1, 4 and 8", "share": "0.999, of 0.97 and 0.999"},
)

UNSEEN = Table(
    "unseen",
    "Classes that no teacher knows",
    "Gallery and queries are of the split's 16 unseen classes (test: 320 sketches, 800 photos, chance 0.06); nothing "
    "is trained again. Form and temperatures of posterior matching are chosen on labelled validation images of these "
    "classes, and so are temperature and share of `unseen_posterior_head_softened`.",
    _measured("unseen", ("--dataset.init_args.classes=unseen", "--data.unknown_classes=true"), (*_ROWS, _SOFTENED)),
    reference="unseen_posterior_matching",
    seeds=3,
)


def _as_drawn(name: str, config: str) -> Row:
    """The posteriors with a head, on sketches in the pen that they were drawn with."""
    return replace(
        POSTERIOR_HEAD,
        name=f"{name}_posterior_head_as_drawn",
        title=f"{POSTERIOR_HEAD.title}, sketches as they were drawn",
        measured_argv=("--config", config, "--data.pen={}"),
    )


_STYLE = (
    "Sketches are redrawn with a pen that the sketch teacher's predictions chose without labels; one row shows them as "
    "they were drawn. Posterior matching picks its form and temperatures on labelled validation images. Nothing is "
    "trained again."
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
    reference="sketchy_posterior_head",
    seeds=3,
)
QUICKDRAW = Table(
    "quickdraw",
    "Transfer: Quick, Draw! queries",
    f"The benchmark's own photos, of 39 classes; queries are drawings of Quick, Draw! from their strokes. {_STYLE}",
    (
        *_measured("quickdraw", ("--config", _QUERIES)),
        _as_drawn("quickdraw", _QUERIES),
    ),
    reference="quickdraw_posterior_head",
    seeds=3,
)
