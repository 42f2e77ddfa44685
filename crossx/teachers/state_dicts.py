"""The state dict inside a file: found by the names and shapes that the network needs, or refused."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.file_kinds import SAVE
from crossx.teachers.fits import COUNTERS, Fit, saving_line

Tensors = Mapping[str, Tensor]

_WRAPPERS = ("module", "model", "network", "net", "backbone", "encoder", "_orig_mod")
"""Names under which wrappers hold a network: DataParallel, Lightning modules, torch.compile."""

_INNER = re.compile(r"(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_STEPS = "num_batches_tracked"
"""A counter of BatchNorm layers that does not change what they compute, and that files before torch 0.4.1 lack."""
_LOSS = re.compile(r"loss|criteri|objective|metric", re.IGNORECASE)
_CLASS_WEIGHTS = ("weight", "weights", "pos_weight", "class_weight", "class_weights")
_DEEPEST = 5


def find_state_dict(
    content: object, wanted: Tensors, buffers: Collection[str], num_classes: int, path: Path, label: str
) -> dict[str, tuple[str, Tensor]]:
    """Find the one state dict of a network in the content of a file.

    A larger checkpoint may hold it under any name. Prefixes that wrappers put before all names are stripped where the
    names then are those of the network. Counters of profilers and a loss's own tensors are left out.

    Args:
        content: Content of the file.
        wanted: State dict of the network.
        buffers: Names in it that are no parameters.
        num_classes: Number of classes, the length of a loss's class weights.
        path: The file, for messages.
        label: The network, for messages.

    Returns:
        Name in the network to (name in the file, tensor). Counters of BatchNorm layers may lack.

    Raises:
        InputError: When there is no such state dict, or there are two that differ.
    """
    bare = {name: full for full, name in zip(wanted, _unwrapped(list(wanted)), strict=True)}
    needed = {name: wanted[full] for name, full in bare.items()}
    entries = dict(_entries(content))
    if not entries:
        raise InputError(f"{path}: must be a plain state dict, or hold one, got {_described(content)}; save it: {SAVE}")
    attempts = [
        attempt for entry, tensors in entries.items() for attempt in _attempts(entry, tensors, needed, num_classes)
    ]
    fits = [attempt for attempt in attempts if attempt.fits]
    if not fits:
        raise InputError(_mismatch(path, label, content, entries, attempts, needed, num_classes))
    first = fits[0]
    without = {name for name, full in bare.items() if full in buffers}
    for other in attempts:  # averages of weights often lack the buffers
        whole = not other.misshapen and without.issuperset(other.missing)
        if whole and not _equal(entries[first.entry], first, entries[other.entry], other):
            raise InputError(_ambiguous(path, label, content, first, other))
    tensors = entries[first.entry]
    parameters = [tensors[first.names[name]] for name in needed if name not in without]
    for entry, values in _lists(content):
        if [t.shape for t in values] == [t.shape for t in parameters] and not all(map(_same, parameters, values)):
            titles = (first.title, f"{'.'.join(map(repr, entry))} (a list without names)")
            raise InputError(_two(path, label, titles, first.title, first.expression(path, content)))
    return {bare[name]: (found, tensors[found]) for name, found in first.names.items()}


def _entries(content: object, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """The tensors of each mapping in a content that holds any, and of an empty file."""
    if not isinstance(content, Mapping) or len(above) > _DEEPEST:
        return
    tensors = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if tensors or (not above and not content):
        yield above, tensors
    for key, value in content.items():
        if isinstance(key, str):
            yield from _entries(value, (*above, key))


def _lists(content: object, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Tensor]]]:
    """Lists of tensors in a content, as some averages of weights are."""
    if isinstance(content, Mapping) and len(above) <= _DEEPEST:
        for key, value in content.items():
            if isinstance(key, str):
                yield from _lists(value, (*above, key))
    elif isinstance(content, list | tuple) and content and all(isinstance(value, Tensor) for value in content):
        yield above, list(content)


def _unwrapped(names: list[str]) -> list[str]:
    """Names without the first part that all share, where it is a module with further modules inside."""
    firsts = {name.partition(".")[0] for name in names}
    rest = [name.partition(".")[2] for name in names]
    return _unwrapped(rest) if len(firsts) == 1 and any("." in name for name in rest) else names


def _attempts(entry: tuple[str, ...], tensors: Tensors, needed: Tensors, num_classes: int) -> list[Fit]:
    """All ways to read an entry's names as those of the network: each prefix that stands before names of it."""
    clean = {_cleaned(name): name for name in tensors if name.rpartition(".")[2] not in COUNTERS}
    count: Counter[str] = Counter({"": 0})
    for name in clean:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in needed:
                count["".join(f"{part}." for part in parts[:i])] += 1
    prefixes = dict.fromkeys([*(prefix for prefix, n in count.items() if n == max(count.values())), ""])
    readings = [{name: name.removeprefix(prefix) for name in clean if name.startswith(prefix)} for prefix in prefixes]
    stripped = {name: _without_wrappers(name) for name in clean}
    if len(set(stripped.values())) == len(clean):  # wrappers around parts, such as a backbone beside its head
        readings.append(stripped)
    fits = [_fit(entry, reading, clean, tensors, needed) for reading in readings]
    whole = {found for fit in fits if not fit.missing and not fit.misshapen for found in fit.names.values()}
    firsts = {name.partition(".")[0] for name in needed}
    for fit, reading in zip(fits, readings, strict=True):
        for name, found in clean.items():
            short = reading.get(name, name)
            own = short.partition(".")[0] in firsts
            of_a_loss = not own and (bool(_LOSS.search(short)) or _are_class_weights(found, tensors, num_classes))
            # What is a second copy of the network is compared with the first one later.
            if short not in fit.names and not of_a_loss and found not in whole:
                fit.unexpected.append(found)
    return fits


def _fit(
    entry: tuple[str, ...], reading: Mapping[str, str], clean: Mapping[str, str], tensors: Tensors, needed: Tensors
) -> Fit:
    taken = {short: clean[name] for name, short in reading.items() if short in needed}
    return Fit(
        entry,
        taken,
        missing=[name for name in needed if name not in taken and name.rpartition(".")[2] != _STEPS],
        misshapen=[name for name, found in taken.items() if tensors[found].shape != needed[name].shape],
    )


def _are_class_weights(name: str, tensors: Tensors, num_classes: int) -> bool:
    """Whether a tensor is a loss's vector of class weights, with no layer around it."""
    module, _, last = name.rpartition(".")
    alone = not module or [other.rpartition(".")[0] for other in tensors].count(module) == 1
    return last in _CLASS_WEIGHTS and alone and tuple(tensors[name].shape) == (num_classes,)


def _cleaned(name: str) -> str:
    return _INNER.sub(r"\1", _INNER.sub(r"\1", name))


def _without_wrappers(name: str) -> str:
    """A name without wrappers around the network or around a part of it, as in `backbone.features.module.0.weight`."""
    parts = [part for part in name.split(".") if part != "module"]
    while len(parts) > 1 and parts[0] in _WRAPPERS:
        parts.pop(0)
    return ".".join(parts)


def _equal(tensors: Tensors, one: Fit, others: Tensors, other: Fit) -> bool:
    shared = one.names.keys() & other.names.keys()  # a counter, or a buffer of the second, may lack
    return all(
        (one.entry == other.entry and one.names[name] == other.names[name])
        or _same(tensors[one.names[name]], others[other.names[name]])
        for name in shared
    )


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers; not those in a form that no network takes."""
    try:
        a, b = (t.to(torch.complex128 if t.is_complex() else torch.float64).nan_to_num() for t in (one, other))
        return torch.equal(a, b)
    except RuntimeError:  # sparse, quantised or without data
        return False


def _ambiguous(path: Path, label: str, content: object, first: Fit, other: Fit) -> str:
    """What differs, with the line that saves the second; its buffers, where it has none, are those of the first."""
    meant, lines = other, [other.expression(path, content)]
    if other.missing and other.saved_names() <= first.saved_names():
        lines.insert(0, first.expression(path, content))
    elif other.missing:
        meant, lines = first, [first.expression(path, content)]
    lacks = " (without buffers)" if other.missing else ""
    return _two(path, label, (first.title, other.title + lacks), meant.title, *lines)


def _two(path: Path, label: str, titles: tuple[str, str], meant: str, *expressions: str) -> str:
    return (
        f"{path}: must hold one state dict of {label}, got two that differ, {titles[0]} and {titles[1]}; save the one "
        f"you mean, such as {meant}: {saving_line(path, *expressions)}"
    )


def _mismatch(
    path: Path,
    label: str,
    content: object,
    entries: Mapping[tuple[str, ...], Tensors],
    attempts: list[Fit],
    needed: Tensors,
    num_classes: int,
) -> str:
    """What the entry lacks that comes nearest to the network."""
    best = min(attempts, key=lambda fit: (len(fit.missing), len(fit.misshapen), len(fit.unexpected)))
    where = f"{path}: " + (f"{best.title}: " if best.entry or best.prefix else "")
    if not best.missing and not best.unexpected:
        name = best.misshapen[0]
        found = best.names[name]
        entry = "".join(f"{name!r}: " for name in best.entry)
        pairs = [(needed[name], entries[best.entry][best.names[name]]) for name in best.misshapen]
        hint = _about_channels(*pairs[0]) or _about_classes(pairs, num_classes)
        return (
            f"{path}: {entry}tensor {found}: must have the shape {tuple(needed[name].shape)} for {label}, got "
            f"{tuple(pairs[0][1].shape)}{hint}"
        )
    nested = "" if best.entry or not isinstance(content, Mapping) else _further(content)
    return (
        f"{where}must be the weights of {label}, got missing tensors {best.missing[:5]}, unexpected tensors "
        f"{best.unexpected[:5]}{nested}; save those of the network alone: "
        f"{SAVE if best.missing or best.misshapen else saving_line(path, best.expression(path, content))}"
    )


def _about_channels(needed: Tensor, found: Tensor) -> str:
    """A hint where weights see one grey channel and the network three."""
    if needed.ndim == found.ndim == 4 and (needed.shape[1], found.shape[1]) == (3, 1):
        return "; these weights take one grey channel: for a network of timm, card: arguments: {in_chans: 1}"
    return ""


def _about_classes(pairs: list[tuple[Tensor, Tensor]], num_classes: int) -> str:
    """A hint where all that differs is the number of rows of the last layer."""
    rows = {(needed.shape[:1], found.shape[:1], needed.shape[1:] == found.shape[1:]) for needed, found in pairs}
    wanted, found, alike = rows.pop()
    if rows or not alike or wanted != (num_classes,) or not found:
        return ""
    return (
        f"; the weights are of {found[0]} classes, and the card names {num_classes}: card: classes must be all "
        f"{found[0]} names in the order of the logits"
    )


def _further(content: Mapping[object, object]) -> str:
    entries = [key for key, value in content.items() if not isinstance(value, Tensor)]
    return f", and the entries {entries[:5]}" if entries else ""


def _described(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a mapping with the entries {[str(key) for key in content][:8]} and no tensors by name"
    return f"a {type(content).__name__}"
