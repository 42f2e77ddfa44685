"""Lines that `crossx inspect` prints about teachers and their predictions."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from textwrap import wrap

from torch.nn.modules.batchnorm import _BatchNorm

from crossx.core.errors import InputError
from crossx.inspection.predictions import PredictionSummary
from crossx.networks.preprocessing import sides
from crossx.pixels.pen import Pen
from crossx.teachers.lookalikes import lookalikes
from crossx.teachers.teacher import FrozenTeacher
from crossx.teachers.vocabulary import Vocabulary

WIDTH = 80
_ALIKE = 0.82
"""Similarity of two spellings of one word; `horse` and `house` have 0.80."""


def teacher_lines(teacher: FrozenTeacher) -> Iterator[str]:
    """What a teacher is: network, input, parameters, BatchNorm layers, pen and classes."""
    card, network = teacher.card, teacher.network
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    yield from field("teacher", f"{card.name}, classifies {_WHAT[card.modality]}")
    arguments = ", ".join(f"{name} = {value}" for name, value in card.arguments.items())
    count = sum(p.numel() for p in network.parameters())
    yield from field("network", f"{card.network}{f' ({arguments})' if arguments else ''}, {count:,} parameters")
    height, width = sides(card.input_size)
    channels = {1: "one grey channel", 3: "three channels"}[len(card.mean)]
    scale = ", ".join(f"{name} {' '.join(f'{x:g}' for x in getattr(card, name))}" for name in ("mean", "std"))
    crop = f"the central {card.crop:g} of each side" if card.crop < 1 else "no crop"
    yield from field("input", f"{height} x {width} pixels, {channels}, {scale}, {card.interpolation}, {crop}")
    yield from field(
        "BatchNorm",
        f"{len(norms)} layers with statistics, which the generators match"
        if norms
        else "no layer with statistics; losses on statistics do not apply to this teacher",
    )
    if card.modality == "sketch":
        pen = pen_in_words(card.pen) or "none: sketches as crossx reads them, thin dark lines on white"
        yield from field("pen", pen)
    if card.accuracy is not None:
        yield from field("accuracy", f"{card.accuracy:.3f} by its card")
    yield from field("classes", f"{len(card.classes)}: {', '.join(card.classes)}")


def pen_in_words(pen: Pen | None) -> str:
    """The values of a pen that change anything; empty where there is none."""
    values = Pen.plain(pen) or {}
    return ", ".join(f"{name} {v:.4g}" if isinstance(v, float) else f"{name} {v}" for name, v in values.items())


_WHAT = {"photo": "photos", "sketch": "sketches", "modality": "images as photos or sketches"}


def pair_lines(first: Sequence[str], second: Sequence[str], aliases: Mapping[str, str] | None) -> Iterator[str]:
    """What two teachers have in common: shared classes, classes of one alone, and those that look alike.

    Args:
        first: Classes of the one teacher.
        second: Classes of the other.
        aliases: Other spellings, alias to name.

    Raises:
        InputError: When an alias is wrong.
    """
    alike = lookalikes(first, second)
    aliases = aliases or {}
    try:
        shared = Vocabulary(first, second, aliases).shared
    except InputError:
        if {aliases.get(name, name) for name in first} & {aliases.get(name, name) for name in second}:
            raise  # an alias is wrong
        shared = ()
    yield from field("shared", f"{len(shared)} of {len(first)} and {len(second)} classes")
    for what, one, other in (("only first", first, second), ("only second", second, first)):
        names = {aliases.get(name, name) for name in other}
        if alone := [name for name in one if aliases.get(name, name) not in names]:
            yield from field(what, ", ".join(alone))
    open_pairs = [(a, b) for a, b in alike if aliases.get(a, a) != aliases.get(b, b)]
    open_pairs += _misspelt(
        [a for a in first if a not in second and a not in aliases and a not in {one for one, _ in alike}],
        [b for b in second if b not in first and b not in aliases and b not in {other for _, other in alike}],
    )
    if open_pairs:
        spelled = ", ".join(f"{b!r}: {a!r}" for a, b in open_pairs)
        yield from field("look alike", f"{spelled}; if they are one class each, give them as aliases")


def _misspelt(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of names that differ in a letter or two, such as `airplane` and `aeroplane`."""
    for name in first:
        yield from ((name, other) for other in get_close_matches(name, second, n=1, cutoff=_ALIKE))


def measure_lines(summary: PredictionSummary, classes: int) -> Iterator[str]:
    """Accuracy, confidence, spread and information of predictions.

    Args:
        summary: Summary of the predictions.
        classes: Number of classes of the teacher.
    """
    if summary.accuracy_of_all is not None:
        text = f"{summary.accuracy_of_all.accuracy:.3f} among all {classes} classes"
        text += f" (chance {summary.accuracy_of_all.chance:.3f})"
        if summary.accuracy is not None and summary.accuracy.classes < classes:
            text += f"; {summary.accuracy.accuracy:.3f} among the {summary.accuracy.classes} that occur"
            text += f" (chance {summary.accuracy.chance:.3f})"
        yield from field("accuracy", text)
    yield from field("confidence", f"{summary.confidence:.3f}, the mean probability of the predicted class")
    yield from field("spread", f"{summary.spread:.1f} of {classes} classes")
    yield from field("information", f"{summary.mutual_information:.3f} nats, mutual information of image and class")


def field(name: str, text: str) -> list[str]:
    """A name and a text, wrapped beside it."""
    lines = wrap(text, WIDTH - 13) or [""]
    return [f"{name:<13}{lines[0]}", *(" " * 13 + line for line in lines[1:])]
