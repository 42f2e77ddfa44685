"""Cards of encoder folders: everything that a search has to know about a pair of encoders."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from crossx.core.checks import did_you_mean, must_be_in
from crossx.core.errors import InputError
from crossx.core.text_files import read_text
from crossx.pixels.pen import Pen
from crossx.search.calibration import Calibration
from crossx.search.values import is_number, is_text, want
from crossx.strokes.quickdraw import LINE_WIDTH

if TYPE_CHECKING:  # importing it would import torch
    from crossx.types import Modality

FORMAT = "crossx-encoder/1"
CARD = "encoder.json"
"""Name of the card in an encoder folder."""
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Side:
    """The encoder of one modality in an encoder folder.

    Attributes:
        size: Side S in pixels of the uint8 images that it takes; it normalises them itself.
        encoder: Name of its class.
        parameters: Number of its parameters, frozen teachers included.
        weights: SHA-256 (hex) of `<modality>.safetensors`; None where the folder has none.
        onnx: SHA-256 (hex) of `<modality>.onnx`; None where the folder has none.
    """

    size: int
    encoder: str
    parameters: int
    weights: str | None
    onnx: str | None

    def __post_init__(self) -> None:
        want("card", "size", self.size, lambda v: type(v) is int and v >= 1, "a number of pixels from 1")
        want("card", "encoder", self.encoder, is_text, "a text")
        want("card", "parameters", self.parameters, lambda v: type(v) is int and v >= 0, "a number from 0")
        for name in ("weights", "onnx"):
            want("card", name, getattr(self, name), lambda v: v is None or _is_hash(v), "null or a SHA-256 in hex")
        if self.weights is None and self.onnx is None:
            raise InputError("card: weights, onnx: must name at least one file by its hash, got null for both")


@dataclass(frozen=True)
class EncoderCard:
    """Card of a pair of encoders; plain values only, stored as JSON.

    Attributes:
        photo: The encoder of photos, which are the gallery.
        sketch: The encoder of sketches, which are the queries.
        dim: D, length of the embeddings; all have length 1, and their cosine is the score.
        version: Version of crossx that wrote it.
        classes: Class names, (U,), in the order of the sketch encoder's posterior; empty where it gives none.
        line_width: Width with which strokes are drawn for the sketch encoder, as a share of S.
        pen: Pen of the sketch teacher, with which each sketch is redrawn before it is embedded; None redraws nothing.
        photo_query: Pairs of coordinates that a photo's vector exchanges before it is compared with photos; empty where
            photos' vectors can be compared as they are, and None where they cannot be compared at all.
        calibration: Scores as probabilities; None where no validation images were given.
        metrics: Retrieval figures of the validation images, for the record.
        parity: Largest differences between the ONNX files and torch: `difference` and `one_minus_cosine`; empty
            without ONNX files.
        teachers: Hashes of the photo and the sketch teacher by modality.

    Raises:
        InputError: When a value is wrong; the message names the field.
    """

    photo: Side
    sketch: Side
    dim: int
    version: str
    classes: tuple[str, ...] = ()
    line_width: float = LINE_WIDTH
    pen: Pen | None = None
    photo_query: tuple[tuple[int, int], ...] | None = ()
    calibration: Calibration | None = None
    metrics: dict[str, float | str] | None = None
    parity: dict[str, float] | None = None
    teachers: dict[str, str] | None = None

    def __post_init__(self) -> None:
        want("card", "dim", self.dim, lambda v: type(v) is int and v >= 1, "a number from 1")
        want("card", "version", self.version, is_text, "a text")
        want("card", "classes", self.classes, _is_classes, "a list of texts, each of them once")
        want("card", "line_width", self.line_width, is_number, "a number in (0, 1)")
        must_be_in("card: line_width", self.line_width, "(0, 1)")
        legal = f"null or a list of pairs of different coordinates in [0, {self.dim})"
        want("card", "photo_query", self.photo_query, self._is_exchange, legal)
        for name, kinds in (("metrics", (int, float, str)), ("parity", (int, float)), ("teachers", (str,))):
            want(
                "card",
                name,
                getattr(self, name),
                partial(_is_record, kinds=kinds),
                "null or a mapping of plain values",
            )
        object.__setattr__(self, "classes", tuple(self.classes))
        if self.photo_query is not None:
            object.__setattr__(self, "photo_query", tuple((i, j) for i, j in self.photo_query))

    def _is_exchange(self, value: object) -> bool:
        if value is None:
            return True
        if not isinstance(value, list | tuple) or not all(isinstance(pair, list | tuple) for pair in value):
            return False
        places = [place for pair in value for place in pair]
        legal = all(type(place) is int and 0 <= place < self.dim for place in places)
        return legal and all(len(pair) == 2 for pair in value) and len(set(places)) == len(places)

    def side(self, modality: "Modality") -> Side:
        """The encoder of a modality."""
        return self.photo if modality == "photo" else self.sketch

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what fixes the embeddings: a gallery belongs to one encoder of this hash."""
        sides = [(side.size, side.weights or side.onnx) for side in (self.photo, self.sketch)]
        content = [FORMAT, self.dim, sides, self.line_width, Pen.plain(self.pen)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def as_photo_query(self, vectors: F32) -> F32:
        """Make queries for photos of photos' vectors: exchange the coordinates of the modalities.

        Args:
            vectors: Vectors of photos, (Q, D).

        Raises:
            InputError: When this encoder's photos cannot be compared with each other.
        """
        if self.photo_query is None:
            raise InputError(
                "photo query: must be a sketch, because this encoder's photos cannot be compared with each other; "
                "`photo_query` on its card is null"
            )
        queries = np.array(vectors, dtype=np.float32)
        for i, j in self.photo_query:
            queries[..., [i, j]] = queries[..., [j, i]]
        return queries

    @classmethod
    def from_mapping(cls, values: object, source: str) -> Self:
        """Make a card from values read from JSON.

        Args:
            values: Mapping with the fields of a card and `format`; anything else is refused.
            source: File that the values come from, for messages.

        Raises:
            InputError: When keys are unknown or missing, or a value is wrong.
        """
        try:
            if not isinstance(values, Mapping) or values.get("format") != FORMAT:
                got = values.get("format") if isinstance(values, Mapping) else type(values).__name__
                raise InputError(f"card: format: must be {FORMAT!r}, got {got!r}; export the encoder again")
            inner = {key: value for key, value in values.items() if key != "format"}
            _check_keys(inner, cls)
            for name in ("photo", "sketch"):
                _check_keys(inner[name], Side, f"{name}: ")
                inner[name] = Side(**inner[name])
            if inner["pen"] is not None:
                inner["pen"] = Pen.from_mapping(inner["pen"])
            if inner["calibration"] is not None:
                _check_keys(inner["calibration"], Calibration, "calibration: ")
                inner["calibration"] = Calibration(**inner["calibration"])
            return cls(**inner)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the card of an encoder folder.

        Raises:
            InputError: When there is none, or it is wrong.
        """
        path = folder / CARD
        try:
            values = json.loads(read_text(path))
        except FileNotFoundError as error:
            raise InputError(
                f"encoder: must be a folder that `crossx export` has written, got {str(folder)!r}"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: must be the JSON that `crossx export` writes: {error}") from error
        return cls.from_mapping(values, str(path))

    def to_json(self) -> str:
        """The card as JSON; equal cards give equal texts."""
        values: dict[str, Any] = {"format": FORMAT, **asdict(self)}
        values["pen"] = None if self.pen is None else self.pen.to_mapping()
        return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _check_keys(values: object, cls: type[Any], place: str = "") -> None:
    legal = [f.name for f in fields(cls)]
    if not isinstance(values, Mapping):
        raise InputError(f"card: {place}must be a mapping with keys of {legal}, got {values!r}")
    if unknown := [str(key) for key in values if key not in legal]:
        hint = did_you_mean(unknown[0], legal)
        raise InputError(f"card: {place}must have keys of {legal}, got unknown keys {unknown}{hint}")
    if missing := [key for key in legal if key not in values]:
        raise InputError(f"card: {place}must have the keys {legal}, lacks {missing}")


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")


def _is_classes(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(is_text, value)) and len(set(value)) == len(value)


def _is_record(value: object, kinds: tuple[type, ...]) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and all(
        is_text(key) and isinstance(entry, kinds) and (isinstance(entry, str) or is_number(entry))
        for key, entry in value.items()
    )
