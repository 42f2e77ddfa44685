"""The parts of the encoder to use, measured on one fit."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.quality.rows.published import COMPOSITE, ENCODERS, HEAD, POSTERIOR
from benchmarks.quality.types import Row, Table

PARTS_OF_COMPOSITE = ("posterior", "head", "soft", "reading")


def without(parts: Sequence[str], encoders: Sequence[str] = ENCODERS) -> tuple[str, ...]:
    """Overrides that take parts out of the embedding of an encoder, without fitting anything again."""
    return tuple(f"{encoder}.init_args.parts.{part}.weight=0" for encoder in encoders for part in parts)


def _row(name: str, title: str, *argv: str) -> Row:
    return replace(COMPOSITE, name=f"composite_{name}", title=f"{COMPOSITE.title}, {title}", measured_argv=argv)


PARTS = Table(
    "parts",
    "Parts of the encoder to use",
    "`composite` with parts of its embedding left out when it is measured; nothing is trained again. `posterior` is "
    "the teachers' posteriors at temperature 1 for photos and 0.5 for sketches, `head` the learned head, `soft` the "
    "posteriors at temperature 4, and `reading` the photo teacher's reading of sketches, which is for classes that no "
    "teacher knows (table `unseen`).",
    (
        COMPOSITE,
        _row("not_mirrored", "without mirror images", *(f"{encoder}.init_args.mirrored=false" for encoder in ENCODERS)),
        *(_row(f"without_{part}", f"without {part}", *without([part])) for part in PARTS_OF_COMPOSITE),
        _row("posterior_alone", "posterior alone", *without(PARTS_OF_COMPOSITE[1:])),
        HEAD,
        POSTERIOR,
    ),
    reference="composite",
    seeds=3,
)
