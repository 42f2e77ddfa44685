"""Lines about teachers, read off their cards and networks."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from torch.nn.modules.batchnorm import _BatchNorm

from crossx.core.errors import InputError
from crossx.networks.preprocessing import sides
from crossx.teachers.lookalikes import lookalikes
from crossx.teachers.teacher import FrozenTeacher
from crossx.teachers.vocabulary import Vocabulary

WIDTH = 80


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
    yield from field("input", f"{height} x {width} pixels, {channels}, {scale}, {card.interpolation}")
    yield from field(
        "BatchNorm",
        f"{len(norms)} layers with statistics, which the generators match"
        if norms
        else "no layer with statistics; losses on statistics do not apply to this teacher",
    )
    if card.modality == "sketch":
        pen = ", ".join(f"{name} {value}" for name, value in card.pen.to_mapping().items()) if card.pen else ""
        yield from field("pen", pen or "none: sketches as crossx reads them, thin dark lines on white")
    if card.accuracy is not None:
        yield from field("accuracy", f"{card.accuracy:.3f} by its card")
    yield from field("classes", f"{len(card.classes)}: {', '.join(card.classes)}")


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
    if open_pairs:
        spelled = ", ".join(f"{b!r}: {a!r}" for a, b in open_pairs)
        yield from field("look alike", f"{spelled}; if they are one class each, give them as aliases")


def field(name: str, text: str) -> list[str]:
    """A name and a text, wrapped beside it."""
    lines = wrap(text, WIDTH - 13) or [""]
    return [f"{name:<13}{lines[0]}", *(" " * 13 + line for line in lines[1:])]
