import json
from typing import Any

import pytest

from crossx.core.errors import InputError
from crossx.teachers.card import TeacherCard

VALUES: dict[str, Any] = {
    "modality": "photo",
    "network": "SmallResNet",
    "classes": ["cat", "dog"],
    "input_size": 32,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}


def test_json_round_trip() -> None:
    card = TeacherCard.from_mapping(
        {**VALUES, "arguments": {"widths": [4, 8]}, "accuracy": 0.5, "split": "mine sha256 00", "name": "mine-photo"},
        "f",
    )
    again = TeacherCard.from_json(card.to_json(), "f")
    assert again == card
    assert again.to_json() == card.to_json()
    assert again.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("modality", "video", "one of"),
        ("modality", ["photo"], "one of"),
        ("network", 3, "a text"),
        ("classes", ["cat", "cat"], "each of them once"),
        ("classes", ["cat"], "at least two"),
        ("classes", "cat", "a list"),
        ("classes", ["cat", 3], "texts"),
        ("input_size", 0, "pixels"),
        ("input_size", True, "pixels"),
        ("input_size", 32.0, "pixels"),
        ("mean", [0.5, 0.5], "three numbers"),
        ("mean", [0.5, 0.5, float("nan")], "three numbers"),
        ("std", [0.5, 0.5, 0.0], "three positive numbers"),
        ("std", 0.5, "three positive numbers"),
        ("arguments", [], "a mapping"),
        ("arguments", {"num_classes": 3}, "without num_classes"),
        ("arguments", {"x": object()}, "plain values"),
        ("accuracy", 86, "in \\[0, 1\\]"),
        ("split", 3, "a text"),
        ("name", "", "a text"),
    ],
)
def test_illegal_value_names_file_and_field(key: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"^mine\.yaml: card: {key}: .*{message}"):
        TeacherCard.from_mapping({**VALUES, key: value}, "mine.yaml")


def test_modality_teacher_has_the_two_modalities_as_classes() -> None:
    TeacherCard.from_mapping({**VALUES, "modality": "modality", "classes": ["photo", "sketch"]}, "f")
    with pytest.raises(InputError, match="classes"):
        TeacherCard.from_mapping({**VALUES, "modality": "modality", "classes": ["sketch", "photo"]}, "f")


def test_unknown_and_missing_keys_are_named() -> None:
    with pytest.raises(InputError, match=r"must have keys of \['modality', 'network'.*unknown keys \['colour'\]"):
        TeacherCard.from_mapping({**VALUES, "colour": 1}, "f")
    without = {key: value for key, value in VALUES.items() if key not in ("mean", "classes")}
    with pytest.raises(InputError, match=r"lacks \['classes', 'mean'\]"):
        TeacherCard.from_mapping(without, "f")


@pytest.mark.parametrize("text", ["{", "[1]", "null", "[" * 100_000])
def test_broken_json_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match=r"^f: "):
        TeacherCard.from_json(text, "f")


def test_card_is_plain_json() -> None:
    assert json.loads(TeacherCard.from_mapping(VALUES, "f").to_json())["classes"] == ["cat", "dog"]
