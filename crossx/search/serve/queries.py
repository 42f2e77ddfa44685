"""What a client sends, as the encoder has it: strokes, pictures, photos of the gallery, and names of classes."""

import json
from io import BytesIO
from typing import Any, Literal, NamedTuple

from PIL import Image

from crossx.core.errors import InputError
from crossx.pixels.decode import DECODER_ERRORS, to_rgb, upright
from crossx.pixels.fit import fit_photo
from crossx.search.calibration import Verdict
from crossx.search.formats import MEDIA_TYPES, TooLargeError, check_pixels
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import F32
from crossx.search.large import turn_of
from crossx.search.predictor import Embedded, Predictor
from crossx.search.seen import data_address, photo_png
from crossx.search.serve.classes import class_queries
from crossx.search.serve.problems import Problem, wrong
from crossx.search.serve.times import Times
from crossx.search.sketches import Sketch, sketch_from_json, sketch_from_picture, sketch_from_svg
from crossx.search.sketches.ink import NoDrawingError

PICTURES = {MEDIA_TYPES[name]: name for name in ("PNG", "JPEG", "WEBP")}
"""Types of pictures that are read, and their decoders; what is inside must be what the type says."""
_JSON, _SVG = "application/json", "image/svg+xml"
_DRAWINGS = {_JSON: sketch_from_json, _SVG: sketch_from_svg, **dict.fromkeys(PICTURES, sketch_from_picture)}
"""How a drawing of each type is read; these functions open no file, so that what they refuse is the client's."""


class Understood(NamedTuple):
    """A query as the encoder has it.

    Attributes:
        kind: What it is.
        vector: Its unit vector, (D,).
        seen: What the encoder saw, a PNG as a data address; None where there is nothing to see.
        warnings: What was done to a picture.
        guesses: Most probable classes and their probabilities.
        itself: A photo of the gallery that is the query, and no answer to it.
    """

    kind: Literal["sketch", "photo", "class"]
    vector: F32
    seen: str | None = None
    warnings: tuple[str, ...] = ()
    guesses: tuple[tuple[str, float], ...] = ()
    itself: int | None = None


class Queries:
    """Understands queries by one encoder; used by several threads.

    Args:
        predictor: The encoder.

    Attributes:
        classes: Classes that can be asked for by name; empty where the encoder's vectors hold no classes.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.card = predictor, predictor.card
        self._of_classes = class_queries(predictor)
        self.classes = () if self._of_classes is None else self.card.classes

    def check(self) -> None:
        """Compare the encoder's vectors with those that the export has stored.

        Raises:
            InputError: When they differ.
        """
        self.predictor.check_reference()

    def about(self) -> dict[str, Any]:
        """The encoder's card as plain values."""
        values: dict[str, Any] = json.loads(self.card.to_json())
        return values

    def verdict(self, score: float) -> Verdict | None:
        """What to say of a photo with a score; None where the encoder is not calibrated."""
        return self.card.calibration.verdict(score) if self.card.calibration else None

    def sketch(self, kind: str, body: bytes, times: Times) -> Understood:
        """Understand a drawing.

        Args:
            kind: Media type of the body.
            body: Strokes in JSON, or a picture.
            times: Where the time is noted.

        Raises:
            Problem: When the type, the picture or the strokes cannot be used.
        """
        with times.part("prepare"):
            sketch = self._drawn(kind, body)
        with times.part("embed"):
            embedded = self.predictor.embed(sketch.pixels[None], "sketch")
        return Understood(
            "sketch", embedded.vectors[0], data_address(sketch.png(), "png"), sketch.warnings, self._guesses(embedded)
        )

    def photo(self, gallery: Gallery, kind: str, body: bytes, times: Times) -> Understood:
        """Understand a photo: a picture, or the number of one in the gallery.

        Raises:
            Problem: When the encoder's photos cannot be compared, or the type, the picture or the number is wrong.
        """
        if self.card.photo_query is None:
            detail = "This encoder's photos cannot be compared with each other; draw, or upload a drawing."
            raise Problem(409, detail, field="photo_query", hint="sketch")
        if kind == _JSON:
            return self._of_gallery(gallery, _field(body, "id"))
        with times.part("prepare"):
            pixels = fit_photo(_decoded(kind, body), self.card.photo.size)
        with times.part("embed"):
            embedded = self.predictor.embed(pixels[None], "photo")
        query = self.predictor.as_photo_query(embedded.vectors)[0]
        return Understood("photo", query, data_address(photo_png(pixels), "png"), (), self._guesses(embedded))

    def named(self, kind: str, body: bytes, times: Times) -> Understood:
        """Understand the name of a class: as a sketch would be that shows it beyond doubt.

        Raises:
            Problem: When there is no such class.
        """
        if kind != _JSON:
            raise _unsupported(kind, [_JSON])
        name = _field(body, "class")
        if self._of_classes is None or name not in self.classes:
            raise wrong("class", name, "a class of the encoder; /api/v1/gallery lists them")
        return Understood("class", self._of_classes[self.classes.index(str(name))])

    def _drawn(self, kind: str, body: bytes) -> Sketch:
        if kind not in _DRAWINGS:
            raise _unsupported(kind, list(_DRAWINGS))
        try:
            return _DRAWINGS[kind](body, self.card)
        except InputError as error:
            hint = "photo" if isinstance(error, NoDrawingError) and self.card.photo_query is not None else None
            raise _refused(error, hint) from error

    def _of_gallery(self, gallery: Gallery, number: object) -> Understood:
        if type(number) is not int:
            raise wrong("id", number, "the number of a photo")
        try:
            vector = gallery.photo(number).vector
        except KeyError as error:
            raise Problem(404, f"id: must be the number of a photo, got {number}", field="id", value=number) from error
        return Understood("photo", self.predictor.as_photo_query(vector[None])[0], itself=number)

    def _guesses(self, embedded: Embedded) -> tuple[tuple[str, float], ...]:
        posterior = embedded.posterior
        return () if posterior is None else tuple(self.predictor.guesses(posterior[0]))


def _field(body: bytes, name: str) -> object:
    """A value of a JSON object."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(422, f"body: must be JSON ({type(error).__name__})", field="body") from error
    if not isinstance(values, dict) or name not in values:
        raise Problem(422, f"body: must be a JSON object with the key {name!r}", field="body")
    return values[name]


def _unsupported(kind: str, legal: list[str]) -> Problem:
    return wrong("Content-Type", kind, f"one of {', '.join(legal)}", 415)


def _refused(error: InputError, hint: str | None = None) -> Problem:
    """What a client sends and cannot be used, in the words of its reader."""
    return Problem(413 if isinstance(error, TooLargeError) else 422, str(error), field="body", hint=hint)


def _decoded(kind: str, body: bytes) -> Image.Image:
    """A picture, upright in RGB; its size is looked at before its pixels are."""
    if kind not in PICTURES:
        raise _unsupported(kind, [_JSON, *PICTURES])
    decoder = PICTURES[kind]
    try:
        with Image.open(BytesIO(body), formats=(decoder,)) as image:
            check_pixels(image)
            with turn_of(image):
                return to_rgb(upright(image))
    except TooLargeError as error:
        raise _refused(error) from error
    except DECODER_ERRORS as error:
        detail = f"body: must be a whole {decoder} picture ({type(error).__name__})"
        raise Problem(422, detail, field="body") from error
