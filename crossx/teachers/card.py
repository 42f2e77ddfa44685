"""Cards: everything that is needed to use a classifier, in the header of its weights file."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from crossx.core.checks import did_you_mean, some
from crossx.core.errors import InputError
from crossx.networks.preprocessing import InputFormat, Interpolation, Size, sides
from crossx.pixels.pen import Pen

TeacherModality = Literal["photo", "sketch", "modality"]
"""`photo`, `sketch`: classifier of images of that modality. `modality`: classifier of photos (0) and sketches (1)."""


@dataclass(frozen=True)
class TeacherCard:
    """Card of a teacher; plain values only, so that it can be stored as JSON.

    Attributes:
        modality: Modality of the images that the teacher classifies.
        network: Name of a network of crossx, `timm:<model name>`, or dotted path of a loaded subclass of `Network` in
            another package; see `build_network`.
        classes: Class names in the order of the logits.
        input_size: Side of the square input in pixels, or height and width.
        mean: Three numbers that are subtracted from the channels of an image in [0, 1]; one number for a network that
            takes one grey channel, the mean of the three.
        std: As many positive numbers, which the channels are divided by afterwards.
        arguments: Arguments of the network, without the number of classes.
        name: Short name for tables.
        accuracy: Accuracy on validation images, for the record.
        split: Description and hash of the training and validation data, for the record.
        interpolation: How images are resized to the input.
        crop: Share of each side that is kept, in (0, 1]: images are resized to `input_size / crop`, and their centre is
            cut.
        pen: Style in which sketches are redrawn before a sketch teacher gets them; None for sketches as crossx reads
            them. It is no part of the teacher's hash, because it changes what the teacher gets and not the teacher.

    Raises:
        InputError: When a value is wrong; the message names the field.
    """

    modality: TeacherModality
    network: str
    classes: tuple[str, ...]
    input_size: Size
    mean: tuple[float, ...]
    std: tuple[float, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    name: str = "teacher"
    accuracy: float | None = None
    split: str | None = None
    interpolation: Interpolation = "bilinear"
    crop: float = 1.0
    pen: Pen | None = None

    def __post_init__(self) -> None:
        for key in ("name", "network"):
            _want(key, getattr(self, key), _is_word, "a text")
        _want("modality", self.modality, lambda v: v in get_args(TeacherModality), f"one of {_MODALITIES}")
        _want("arguments", self.arguments, _is_arguments, "a mapping of names to plain values, without num_classes")
        _want("classes", self.classes, _is_classes, "a list of at least two texts, each of them once", _few)
        if self.modality == "modality":
            _want(
                "classes",
                self.classes,
                lambda v: tuple(v) == ("photo", "sketch"),
                "[photo, sketch] for modality",
            )
        _want("input_size", self.input_size, _is_size, "a number of pixels from 1, or [height, width]")
        _want("mean", self.mean, _is_colour, "three numbers, or one for a network of one grey channel")
        positive = "three positive numbers, or one for a network of one grey channel, as many as mean"
        _want("std", self.std, lambda v: _is_colour(v) and min(_numbers(v)) > 0, positive)
        if len(_numbers(self.mean)) != len(_numbers(self.std)):
            # Most networks take three channels, so the one that has a single number is likely wrong.
            grey, other = ("mean", "std") if len(_numbers(self.mean)) == 1 else ("std", "mean")
            raise InputError(
                f"card: {grey}: must be three {'positive ' if grey == 'std' else ''}numbers, or one for a network of "
                f"one grey channel, as many as {other}, got {getattr(self, grey)!r} with {other} "
                f"{getattr(self, other)!r}"
            )
        _want("accuracy", self.accuracy, lambda v: v is None or (_is_number(v) and 0 <= v <= 1), "null or in [0, 1]")
        _want("split", self.split, lambda v: v is None or _is_word(v), "null or a text")
        _want("interpolation", self.interpolation, lambda v: v in _INTERPOLATIONS, f"one of {_INTERPOLATIONS}")
        _want("crop", self.crop, lambda v: _is_number(v) and 0 < v <= 1, "a share in (0, 1]")
        _want("pen", self.pen, lambda v: v is None or self.modality == "sketch", "null for a teacher of photos")
        # JSON and YAML give lists; equal cards must compare equal.
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "mean", _numbers(self.mean))
        object.__setattr__(self, "std", _numbers(self.std))
        height, width = sides(self.input_size)
        object.__setattr__(self, "input_size", height if height == width else (height, width))
        _refuse_units_of_255(self.mean, self.std)

    @property
    def input_format(self) -> InputFormat:
        """What the network takes as input, as `Preprocessing` wants it."""
        return InputFormat(self.input_size, self.mean, self.std, self.interpolation, self.crop)

    @classmethod
    def from_mapping(cls, values: object, source: str) -> "TeacherCard":
        """Make a card from values read from JSON or YAML.

        Args:
            values: Mapping with the fields of a card; anything else is refused.
            source: File that the values come from, for messages.

        Raises:
            InputError: When keys are unknown or missing, or a value is wrong.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"{source}: card: must be a mapping, got {type(values).__name__}")
        legal = [f.name for f in fields(cls)]
        unknown = [key for key in values if key not in legal]
        if unknown:
            raise InputError(
                f"{source}: card: must have keys of {legal}, got unknown keys {unknown}"
                f"{did_you_mean(str(unknown[0]), legal)}"
            )
        missing = [key for key in _REQUIRED if key not in values]
        if missing:
            raise InputError(f"{source}: card: must have the keys {list(_REQUIRED)}, lacks {missing}")
        try:
            pen = None if values.get("pen") is None else Pen.from_mapping(values["pen"])
            return cls(**{**values, "pen": pen})
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    @classmethod
    def from_json(cls, text: str, source: str) -> "TeacherCard":
        """Read a card from the JSON of `to_json`; arguments as in `from_mapping`."""
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{source}: card: must be JSON: {error}") from error
        return cls.from_mapping(values, source)

    def to_json(self) -> str:
        """The card as JSON; equal cards give equal texts."""
        values = {key: value for key, value in asdict(self).items() if key not in _ADDED or value != _ADDED[key]}
        if self.pen is not None:
            values["pen"] = self.pen.to_mapping()
        return json.dumps(values, sort_keys=True, ensure_ascii=False)


_MODALITIES = list(get_args(TeacherModality))
_INTERPOLATIONS = list(get_args(Interpolation))
_REQUIRED = ("modality", "network", "classes", "input_size", "mean", "std")
_ADDED = {"interpolation": "bilinear", "crop": 1.0, "pen": None}
"""Fields that earlier cards do not have, left out at these values: the same teacher keeps its text and its hash."""


def _want(key: str, value: object, legal: Any, description: str, shown: Any = repr) -> None:  # noqa: ANN401 - predicates
    if not legal(value):
        raise InputError(f"card: {key}: must be {description}, got {shown(value)}")


def _few(classes: object) -> str:
    """What is wrong about classes: the names that are there twice, or the first few."""
    if not isinstance(classes, list | tuple) or len(classes) < _MANY:
        return repr(classes)
    words = [name for name in classes if not _is_word(name)]
    if words:
        return f"{len(classes)} names with {some(map(repr, words), most=5)}"
    twice = [name for name, count in Counter(classes).items() if count > 1]
    return f"{len(classes)} names with {some(map(repr, twice), most=5)} more than once"


_MANY = 12
"""Classes from which a message names only those that are wrong."""


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_colour(value: object) -> bool:
    return _is_number(value) or (
        isinstance(value, list | tuple) and len(value) in (1, 3) and all(map(_is_number, value))
    )


def _numbers(value: Any) -> tuple[float, ...]:  # noqa: ANN401 - a colour
    return (value,) if _is_number(value) else tuple(value)


def _is_size(value: object) -> bool:
    numbers = value if isinstance(value, list | tuple) else (value, value)
    return len(numbers) == 2 and all(type(number) is int and number > 0 for number in numbers)


def _refuse_units_of_255(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Refuse numbers of images in [0, 255], as Caffe and mmpretrain have them, with the same ones of [0, 1]."""
    largest = {"mean": max(map(abs, mean)), "std": max(std)}
    wrong = [key for key, limit in (("mean", 1), ("std", 2)) if largest[key] > limit]
    if not wrong:
        return
    # A deviation of 1 beside a mean of 104 divides nothing in units of 255; one of 0.229 is in the right units already.
    right = {"mean": mean if largest["mean"] <= 1 else _divided(mean), "std": std if max(std) < 1 else _divided(std)}
    raise InputError(
        f"card: {wrong[0]}: must be of images in [0, 1], got {list(mean if wrong[0] == 'mean' else std)}, which is of "
        f"images in [0, 255]; divided by 255: mean: {list(right['mean'])}, std: {list(right['std'])}"
    )


def _divided(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(f"{number / 255:.4g}") for number in numbers)


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
