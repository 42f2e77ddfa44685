"""Merging configs: pure functions from mappings to one mapping, and the list of terms that changed on the way.

The rules, from the lowest layer to the highest:

- Mappings merge key by key; lists, numbers and texts replace; `null` is a value like any other. An empty mapping inside
  a part empties what stands there: `data: {pen: {}}` is a pen that changes nothing, whatever the pen below.
- `key+` appends to the list below it.
- A part is a class with its arguments: `Name`, or `{class_path: Name, init_args: {...}}`. Another class replaces the
  whole part; the same class, or none, changes single arguments. A layer above a part may leave `init_args` out.
- Under `terms`, terms merge by name, and `null` removes one.
- `dataset` states a data set whole: naming a class replaces the data set below, whatever its class.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError

Config = dict[str, Any]

_PART = {"class_path", "init_args", "dict_kwargs"}
_CLASS_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Layer:
    """A config and the name of its file, for messages."""

    name: str
    content: Mapping[str, Any]


@dataclass
class Merged:
    """Result of merging layers.

    Attributes:
        config: The merged config.
        steps: For each layer, how it changed terms of the layers below it.
    """

    config: Config = field(default_factory=dict)
    steps: list["_Step"] = field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """For each layer that changed terms which the config still has, or removed terms, one line."""
        told = [
            (step.name, [change.text for change in step.changes if change.stands_in(self.config)])
            for step in self.steps
        ]
        return [f"terms: {name} {', '.join(texts)}" for name, texts in told if texts]


def merge(layers: Iterable[Layer]) -> Merged:
    """Merge configs, the lowest first.

    Args:
        layers: The configs; they stay as they are.

    Raises:
        InputError: When terms cannot be merged, with the file and the key.
    """
    merged = Merged()
    for layer in layers:
        step = _Step(layer.name)
        merged.config = step.mappings(merged.config, layer.content, "")
        merged.steps.append(step)
    return merged


@dataclass(frozen=True)
class _Change:
    """What a layer did to a term: `text`, such as `adds l2`."""

    place: str
    name: str
    text: str

    def stands_in(self, config: Mapping[str, Any]) -> bool:
        """Whether a config shows it; a higher layer may have removed the term, or replaced the model around it."""
        found: Any = config
        for key in self.place.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return isinstance(found, Mapping) and (self.name in found) != self.text.startswith(_REMOVES)


_REMOVES = "removes "


class _Step:
    """One layer on its way into those below it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.changes: list[_Change] = []

    def mappings(self, below: Mapping[str, Any], above: Mapping[str, Any], place: str) -> Config:
        result = dict(below)
        for key, value in above.items():
            name = key.removesuffix("+") if isinstance(key, str) else key
            here = f"{place}.{name}" if place else str(name)
            if name != key:
                result[name] = [*_as_list(result.get(name)), *_as_list(value)]
            elif name == "terms" and (isinstance(value, Mapping) or isinstance(result.get(name), Mapping)):
                result[name] = self.terms(result.get(name), value, here)
            else:
                result[name] = self.values(result.get(name), value, here)
        return result

    def values(self, below: object, above: object, place: str) -> object:
        if isinstance(above, str) and isinstance(below, Mapping) and "class_path" in below:
            above = {"class_path": above} if _CLASS_NAME.fullmatch(above) else above
        if not isinstance(above, Mapping):
            return above
        if isinstance(below, str) and _CLASS_NAME.fullmatch(below):
            below = {"class_path": below}
        if not isinstance(below, Mapping):
            return self.mappings({}, above, place)
        if "class_path" not in below:
            empties = not above and "." in place and not place.endswith(".init_args")
            return {} if empties else self.mappings(below, above, place)
        if "class_path" in above and (place == "dataset" or not _same(below["class_path"], above["class_path"])):
            return self.mappings({}, above, place)
        if not _PART & above.keys():
            above = {"init_args": above}
        longest = max(below["class_path"], above.get("class_path", ""), key=len)  # the full path, where one is known
        return self.mappings(below, {**above, "class_path": longest}, place)

    def terms(self, below: object, above: object, place: str) -> Config:
        if not isinstance(above, Mapping):
            raise InputError(f"{self.name}: {_plain(place)}: must be a mapping of names to terms, got {above!r}")
        known = dict(below) if isinstance(below, Mapping) else {}
        for name, term in above.items():
            here = f"{place}.{name}"
            if term is None:
                if name not in known:
                    raise InputError(
                        f"{self.name}: {_plain(here)}: null removes a term, and there is none of this name; "
                        f"the terms are {', '.join(known) or 'none'}{did_you_mean(str(name), known)}"
                    )
                del known[name]
                self.changes.append(_Change(place, name, f"{_REMOVES}{name}"))
            elif not isinstance(term, Mapping):
                raise InputError(
                    f"{self.name}: {_plain(here)}: must be a mapping with loss, weight and ramp, or null to remove the "
                    f"term; got {term!r}"
                )
            elif name not in known:
                known[name] = self.mappings({}, term, here)
                if isinstance(below, Mapping):
                    self.changes.append(_Change(place, name, f"adds {name}"))
            else:
                before, known[name] = known[name], self.values(known[name], term, here)
                if different := list(_differences(dict(_leaves(before)), dict(_leaves(known[name])))):
                    self.changes.append(_Change(place, name, f"changes {name} ({', '.join(different)})"))
        return known


_SHORT = ("crossx", "torch", "lightning")
"""Packages whose classes configs name without their path; a user's own class of the same name is another class."""


def _same(one: object, other: object) -> bool:
    """Whether two names mean one class: a class of crossx, torch or Lightning may be named by its path or without."""
    if one == other:
        return True
    names = [str(one).split("."), str(other).split(".")]
    return names[0][-1] == names[1][-1] and all(len(name) == 1 or name[0] in _SHORT for name in names)


def _as_list(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _plain(place: str) -> str:
    return place.replace(".init_args", "")


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Names and values of a term, such as `weight` and `loss.temperature`, without the words of a part."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, child in value.items():
        yield from _leaves(child, name if key in _PART else ".".join(filter(None, (name, str(key)))))


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, "default"), after.get(name, "default")
        if old != new:
            yield f"{name} {old} -> {new}"
