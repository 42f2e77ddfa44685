"""The encoders of the published table, measured on images that their teachers were not trained for."""

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
    title="crossx, posteriors softened (temperature 4)",
    measured=tuple(
        f"--model.encoding.init_args.{modality}_encoder.init_args.{argument}"
        for modality in ("photo", "sketch")
        for argument in ("temperature=4", "share=0.999")
    ),
)

UNSEEN = Table(
    "unseen",
    "Classes that no teacher knows",
    "Gallery and queries are of the split's 16 unseen classes; nothing is trained anew. Form and temperature of "
    "posterior matching are chosen on validation images of these classes.",
    _measured(
        "unseen", ("--data.dataset.init_args.classes=unseen", "--data.unknown_classes=true"), (*_ROWS, _SOFTENED)
    ),
    reference="unseen_posterior_matching",
    seeds=3,
)
SKETCHY = Table(
    "sketchy",
    "Transfer: the Sketchy subset",
    "Photos and sketches of the Sketchy subset, of 31 classes that both teachers know; nothing is trained anew. "
    "Sketchy's photos are of ImageNet, as Tiny-ImageNet's are, and some may be training photos.",
    _measured("sketchy", ("data/sketchy_subset.yaml",)),
    reference="sketchy_crossx",
    seeds=3,
)
QUICKDRAW = Table(
    "quickdraw",
    "Transfer: Quick, Draw! queries",
    "The same photos as above, of 39 classes; queries are drawings of Quick, Draw! from their strokes. Nothing is "
    "trained anew.",
    _measured("quickdraw", ("data/quickdraw_queries.yaml",)),
    reference="quickdraw_crossx",
    seeds=3,
)
