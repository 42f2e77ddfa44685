"""The encoders of the published table, measured on images that their teachers were not trained for."""

import json
from dataclasses import replace

from benchmarks.quality.rows.published import CLASSIFIER_ONLY, CROSSX, HEADS, POSTERIOR
from benchmarks.quality.types import Row, Table

_ROWS = (CLASSIFIER_ONLY, POSTERIOR, HEADS, CROSSX)


def _measured(name: str, measured: tuple[str, ...], rows: tuple[Row, ...] = _ROWS) -> tuple[Row, ...]:
    return tuple(replace(row, name=f"{name}_{row.name}", measured=(*measured, *row.measured)) for row in rows)


# What posteriors over known classes say of unknown ones is best softened; the head keeps its part of the cosine.
_SOFTENED = replace(
    CROSSX,
    name="crossx_softened",
    title="crossx, posteriors softened (temperature 4, share 0.999)",
    measured=tuple(
        f"--model.encoding.init_args.{modality}_encoder.init_args.{argument}"
        for modality in ("photo", "sketch")
        for argument in ("temperature=4", "share=0.999")
    ),
)

UNSEEN = Table(
    "unseen",
    "Classes that no teacher knows",
    "Gallery and queries are of the split's 16 unseen classes (test: 320 sketches, 800 photos, chance 0.06); nothing "
    "is trained anew. Form and temperature of posterior matching are chosen on labelled validation images of these "
    "classes, and so was how `crossx_softened` softens.",
    _measured(
        "unseen", ("--data.dataset.init_args.classes=unseen", "--data.unknown_classes=true"), (*_ROWS, _SOFTENED)
    ),
    reference="unseen_posterior_matching",
    seeds=3,
)


def _as_drawn(name: str, config: str, reader: str, **arguments: str) -> Row:
    """The row of crossx, on sketches with the pen that they were drawn with."""
    sketches = json.dumps({"class_path": reader, "init_args": arguments})
    measured = (config, f"--data.dataset.init_args.sketches={sketches}")
    return replace(
        CROSSX, name=f"{name}_crossx_as_drawn", title="crossx, sketches as they were drawn", measured=measured
    )


_STYLE = (
    "Sketches are redrawn with a pen like TU-Berlin's, which was chosen on labelled validation images; one row shows "
    "them as they were drawn. Posterior matching picks its form and temperature on such images, too. Nothing is "
    "trained anew."
)

SKETCHY = Table(
    "sketchy",
    "Transfer: the Sketchy subset",
    "Photos and sketches of the Sketchy subset, of 31 classes that both teachers know. Its photos are of ImageNet, as "
    f"Tiny-ImageNet's are, and some may be training photos. Of each class 5 are there, so precision at "
    f"50 is 0.1 at most. {_STYLE}",
    (
        *_measured("sketchy", ("data/sketchy_subset.yaml",)),
        _as_drawn("sketchy", "data/sketchy_subset.yaml", "Sketchy", modality="sketch", root="sketchy"),
    ),
    reference="sketchy_crossx",
    seeds=3,
)
QUICKDRAW = Table(
    "quickdraw",
    "Transfer: Quick, Draw! queries",
    f"The benchmark's own photos, of 39 classes; queries are drawings of Quick, Draw! from their strokes. {_STYLE}",
    (
        *_measured("quickdraw", ("data/quickdraw_queries.yaml",)),
        _as_drawn("quickdraw", "data/quickdraw_queries.yaml", "QuickDrawStrokes", root="quickdraw"),
    ),
    reference="quickdraw_crossx",
    seeds=3,
)
