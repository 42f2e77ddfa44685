import json
from typing import Any

import pytest

from crossx.core.errors import InputError
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import load_teacher

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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("input_size", [32], "pixels from 1, or \\[height, width\\]"),
        ("input_size", [32, 0], "height, width"),
        ("mean", [0.5, 0.5, 0.5, 0.5], "three numbers, or one"),
        ("std", [0.5], "as many as mean"),
        ("interpolation", "nearest", "one of \\['bilinear', 'bicubic'\\]"),
        ("interpolation", ["bicubic"], "one of"),
        ("crop", 0, "share in \\(0, 1\\]"),
        ("crop", 1.1, "share in"),
        ("crop", "all", "share in"),
    ],
)
def test_illegal_preprocessing_names_the_field(key: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"^mine\.yaml: card: {key}: must be .*{message}"):
        TeacherCard.from_mapping({**VALUES, key: value}, "mine.yaml")


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (
            [123.675, 116.28, 103.53],
            [58.395, 57.12, 57.375],
            r"mean: \[0.485, 0.456, 0.406\], std: \[0.229, 0.224, 0.225",
        ),
        ([104, 117, 124], [1, 1, 1], r"mean: \[0.4078, 0.4588, 0.4863\], std: \[0.003922, "),
        (
            [123.675, 116.28, 103.53],
            [0.229, 0.224, 0.225],
            r"mean: \[0.485, 0.456, 0.406\], std: \[0.229, 0.224, 0.225",
        ),
        (33.46, 78.87, r"mean: \[0.1312\], std: \[0.3093\]"),
        ([127.5] * 3, [127.5] * 3, r"mean: \[0.5, 0.5, 0.5\], std: \[0.5, 0.5, 0.5\]"),
    ],
)
def test_a_mean_of_images_up_to_255_is_refused_with_the_right_one(mean: object, std: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"^f: card: mean: must be of images in \[0, 1\].* divided by 255: {message}"):
        TeacherCard.from_mapping({**VALUES, "mean": mean, "std": std}, "f")


def test_a_deviation_of_255_is_refused_beside_a_mean_of_0() -> None:
    with pytest.raises(InputError, match=r"^f: card: std: .*mean: \[0, 0, 0\], std: \[1.0, 1.0, 1.0\]"):
        TeacherCard.from_mapping({**VALUES, "mean": [0, 0, 0], "std": [255, 255, 255]}, "f")
    for fine in (1 / 255, 0.5, 1.0, 2.0):
        assert TeacherCard.from_mapping({**VALUES, "std": [fine] * 3}, "f").std == (fine,) * 3


def test_fields_of_later_versions_leave_the_text_of_earlier_cards_alone() -> None:
    """The hash of a teacher covers the text of its card, and names its runs."""
    plain = TeacherCard.from_mapping(VALUES, "f")
    assert (
        TeacherCard.from_mapping({**VALUES, "interpolation": "bilinear", "crop": 1}, "f").to_json() == plain.to_json()
    )
    assert set(json.loads(plain.to_json())) == {*VALUES, "arguments", "name", "accuracy", "split"}
    for change in ({"interpolation": "bicubic"}, {"crop": 0.9}, {"input_size": [32, 48]}, {"mean": 0.5, "std": [0.5]}):
        card = TeacherCard.from_mapping({**VALUES, **change}, "f")
        assert TeacherCard.from_json(card.to_json(), "f") == card != plain
    assert TeacherCard.from_mapping({**VALUES, "input_size": [32, 32]}, "f") == plain


def test_the_shipped_teachers_keep_their_hashes() -> None:
    found = [load_teacher(f"crossx:assets/shapes_{side}.safetensors").hash[:16] for side in ("photo", "sketch")]
    assert found == ["1c751f997ce94367", "bc40faa931df1570"]  # of version 0.1.0


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


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (0.5, [0.5] * 3, "mean: must be three numbers, .* as many as std, got 0.5 with std"),
        ([0.5], [0.5] * 3, "mean: must be three numbers, .* as many as std"),
        ([0.5] * 3, 0.5, "std: must be three positive numbers, .* as many as mean, got 0.5 with mean"),
        ([0.5] * 2, [0.5] * 3, "mean: must be three numbers"),
        ([0.5] * 3, [0.5] * 2, "std: must be three positive numbers"),
    ],
)
def test_the_field_with_the_wrong_number_of_channels_is_named(mean: object, std: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"^f: card: {message}"):
        TeacherCard.from_mapping({**VALUES, "mean": mean, "std": std}, "f")


def test_of_many_classes_only_the_wrong_ones_are_named() -> None:
    names = [f"class {i}" for i in range(1000)]
    with pytest.raises(InputError, match=r"got 1001 names with 'class 7' more than once$"):
        TeacherCard.from_mapping({**VALUES, "classes": [*names, "class 7"]}, "f")
    with pytest.raises(InputError, match=r"got 1001 names with 7$"):
        TeacherCard.from_mapping({**VALUES, "classes": [*names, 7]}, "f")
