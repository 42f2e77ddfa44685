"""What one must know to use somebody else's classifier, kept in the header of its weights file."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from crossx.core.errors import InputError

TeacherModality = Literal["photo", "sketch", "modality"]
"""`photo` and `sketch`: classifies images of that modality. `modality`: tells photos (class 0) from sketches (1)."""


@dataclass(frozen=True)
class TeacherCard:
    """Card of a teacher: plain values only, so it travels as JSON.

    Attributes:
        modality: What it classifies.
        network: Name of a loaded subclass of `Network`, or `timm:<model name>`.
        classes: Class names in the order of the logits.
        input_size: Side of its square input in pixels.
        mean: Subtracted from each channel of an image in [0, 1].
        std: Divides each channel then.
        arguments: Arguments of the network, without the number of classes.
        name: Short name for tables.
        accuracy: Share of validation images that it gets right, for the record.
        split: Description and hash of the data that it was trained and validated on, for the record.

    Raises:
        InputError: When a value is not legal; the message names the field.
    """

    modality: TeacherModality
    network: str
    classes: tuple[str, ...]
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    arguments: dict[str, Any] = field(default_factory=dict)
    name: str = "teacher"
    accuracy: float | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        for key in ("name", "network"):
            _want(key, getattr(self, key), _is_word, "a text")
        _want("modality", self.modality, lambda v: v in get_args(TeacherModality), f"one of {_MODALITIES}")
        _want("arguments", self.arguments, _is_arguments, "a mapping of names to plain values, without num_classes")
        _want("classes", self.classes, _is_classes, "a list of at least two texts, each of them once")
        if self.modality == "modality":
            _want("classes", self.classes, lambda v: tuple(v) == ("photo", "sketch"), "[photo, sketch] for modality")
        _want("input_size", self.input_size, lambda v: type(v) is int and v > 0, "a number of pixels from 1")
        _want("mean", self.mean, _is_colour, "three numbers")
        _want("std", self.std, lambda v: _is_colour(v) and min(v) > 0, "three positive numbers")
        _want("accuracy", self.accuracy, lambda v: v is None or (_is_number(v) and 0 <= v <= 1), "null or in [0, 1]")
        _want("split", self.split, lambda v: v is None or _is_word(v), "null or a text")
        for key in ("classes", "mean", "std"):  # JSON and YAML give lists; equal cards must compare equal
            object.__setattr__(self, key, tuple(getattr(self, key)))

    @classmethod
    def from_mapping(cls, values: object, source: str) -> "TeacherCard":
        """Make a card from what JSON or YAML gave.

        Args:
            values: Should be a mapping with the fields of a card.
            source: File that the values come from, for messages.

        Raises:
            InputError: When keys are unknown or missing, or a value is not legal.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"{source}: a card is a mapping, not {type(values).__name__}")
        legal = [f.name for f in fields(cls)]
        unknown = [key for key in values if key not in legal]
        if unknown:
            raise InputError(f"{source}: unknown keys {unknown} in the card; legal are {legal}")
        missing = [key for key in _REQUIRED if key not in values]
        if missing:
            raise InputError(f"{source}: the card lacks {missing}")
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    @classmethod
    def from_json(cls, text: str, source: str) -> "TeacherCard":
        """Read a card from the JSON of `to_json`; arguments as in `from_mapping`."""
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{source}: the card is not JSON: {error}") from error
        return cls.from_mapping(values, source)

    def to_json(self) -> str:
        """The card as JSON; equal cards give equal texts."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)


_MODALITIES = list(get_args(TeacherModality))
_REQUIRED = ("modality", "network", "classes", "input_size", "mean", "std")


def _want(key: str, value: object, legal: Any, description: str) -> None:  # noqa: ANN401 - a predicate of any value
    if not legal(value):
        raise InputError(f"card: {key}: {value!r} is not legal; {description}")


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_colour(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_number, value))


def _is_classes(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) >= 2
        and all(map(_is_word, value))
        and len(set(value)) == len(value)
    )


def _is_arguments(value: object) -> bool:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value) or "num_classes" in value:
        return False
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
