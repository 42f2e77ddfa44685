"""The card of an encoder folder: what it holds comes back, and lies are refused by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossx.core.errors import InputError
from crossx.pixels.pen import Pen
from crossx.search.calibration import Calibration, calibrate
from crossx.search.card import EncoderCard, Side

SIDE = Side(32, "PosteriorEncoder", 10, "a" * 64, "b" * 64)
CARD = EncoderCard(
    SIDE,
    SIDE,
    dim=6,
    version="0.2.0",
    classes=("cup", "tree", "car", "fish"),
    pen=Pen(margin=0.1, darkness=2),
    photo_query=((4, 5),),
    calibration=Calibration((0.1, 0.5), (0.0, 0.9), "shapes", "c" * 64),
    metrics={"map_all": 0.5, "data": "shapes"},
    parity={"difference": 1e-7},
    teachers={"photo": "d" * 64, "sketch": "e" * 64},
)


def test_json_and_back() -> None:
    text = CARD.to_json()
    assert EncoderCard.from_mapping(json.loads(text), "x") == CARD
    assert EncoderCard.from_mapping(json.loads(text), "x").to_json() == text


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("format", "crossx-encoder/9", "format: must be 'crossx-encoder/1', got 'crossx-encoder/9'"),
        ("dim", 0, "dim: must be a number from 1, got 0"),
        ("dim", True, "dim: must be a number from 1"),
        ("classes", ["cup", "cup"], "classes: must be a list of texts, each of them once"),
        ("line_width", 1.5, r"line_width: must be in \(0, 1\)"),
        ("photo_query", [[4, 6]], r"photo_query: must be null or a list of pairs of different coordinates in \[0, 6\)"),
        ("photo_query", [[4, 4]], "photo_query"),
        ("photo.size", "32", "size: must be a number of pixels from 1, got '32'"),
        ("photo.onnx", "abc", "onnx: must be null or a SHA-256 in hex"),
        ("photo.hash", "x", "photo: must have keys of .* got unknown keys"),
        ("pen.line_widht", 0.1, "line_widht.*did you mean 'line_width'"),
        ("calibration.probabilities", [0.5, 0.1], "must rise"),
        ("calibration.scores", [0.1, float("nan")], "scores: must be a list of at least one number"),
        ("metrics", {"map_all": [1]}, "metrics: must be null or a mapping"),
        ("colour", "red", "unknown keys .'colour'"),
    ],
)
def test_lies_are_refused(place: str, value: object, message: str) -> None:
    values: dict[str, Any] = json.loads(CARD.to_json())
    *path, name = place.split(".")
    holder = values
    for step in path:
        holder = holder[step]
    holder[name] = value
    with pytest.raises(InputError, match=message) as caught:
        EncoderCard.from_mapping(values, "encoder.json")
    assert str(caught.value).startswith("encoder.json: ")


def test_missing_keys_and_files(tmp_path: Path) -> None:
    values = json.loads(CARD.to_json())
    del values["dim"]
    with pytest.raises(InputError, match=r"lacks \['dim'\]"):
        EncoderCard.from_mapping(values, "x")
    with pytest.raises(InputError, match="must be a folder that `crossx export` has written"):
        EncoderCard.read(tmp_path)
    (tmp_path / "encoder.json").write_text("{")
    with pytest.raises(InputError, match=r"encoder\.json: must be the JSON"):
        EncoderCard.read(tmp_path)


def test_hash_is_that_of_what_fixes_the_embeddings() -> None:
    assert replace(CARD, metrics=None, calibration=None).hash == CARD.hash
    assert replace(CARD, photo=replace(SIDE, weights="f" * 64)).hash != CARD.hash
    assert replace(CARD, pen=None).hash != CARD.hash
    assert replace(CARD, line_width=0.03).hash != CARD.hash


def test_photo_query_exchanges_the_coordinates_of_the_modalities() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert CARD.as_photo_query(vectors).tolist() == [[0, 1, 2, 3, 5, 4], [6, 7, 8, 9, 11, 10]]
    assert vectors[0, 4] == 4, "the stored vectors stay as they are"
    with pytest.raises(InputError, match="photos cannot be compared with each other"):
        replace(CARD, photo_query=None).as_photo_query(vectors)


def test_calibration_is_the_share_of_right_photos() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    right = rng.random(200_000) < scores**2
    found = calibrate(scores, right, "made", "0" * 64)
    assert len(found.scores) <= 20
    wanted = np.array([0.2, 0.5, 0.8])
    np.testing.assert_allclose(found.probability(wanted), wanted**2, atol=0.02)
    assert (np.diff(found.probabilities) >= 0).all()
    assert [found.verdict(score) for score in (0.1, 0.5, 0.95)] == ["unlikely", "possible", "likely"]
    with pytest.raises(InputError, match="must have right and wrong photos"):
        calibrate(scores, np.ones(len(scores), bool), "made", "0" * 64)
