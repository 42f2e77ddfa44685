"""A file as a question: a drawing as strokes, SVG or picture, or a photo, as the encoder sees it."""

import io
from collections.abc import Iterator
from typing import Literal, NamedTuple

from crossx.core.errors import InputError
from crossx.pixels.decode import open_rgb
from crossx.pixels.fit import fit_photo
from crossx.search.formats import PHOTOS
from crossx.search.gallery.rows import F32
from crossx.search.predictor import Embedded, Predictor
from crossx.search.seen import photo_png
from crossx.search.sketches import Sketch, sketch_from_json, sketch_from_picture, sketch_from_svg


class Question(NamedTuple):
    """A question as the encoder has it.

    Attributes:
        name: What the user calls it.
        kind: What it is.
        vector: Its unit vector, (D,).
        seen: What the encoder saw, a PNG.
        warnings: What was done to a drawing.
        guesses: Most probable classes and their probabilities.
    """

    name: str
    kind: Literal["sketch", "photo"]
    vector: F32
    seen: bytes
    warnings: tuple[str, ...]
    guesses: tuple[tuple[str, float], ...]


def sketch_questions(name: str, content: bytes, predictor: Predictor) -> Iterator[Question]:
    """Read a drawing, or the drawings of a file of Quick, Draw!, one on each line.

    What the content is decides, and not its name: `{` begins strokes in JSON, `<` an SVG, everything else a picture.

    Args:
        name: Name of the file.
        content: Its bytes.
        predictor: The encoder.

    Raises:
        InputError: When it cannot be read, or nothing is drawn.
    """
    for place, sketch in _sketches(name, content, predictor):
        embedded = predictor.embed(sketch.pixels[None], "sketch")
        guesses = _guesses(embedded, predictor)
        yield Question(place, "sketch", embedded.vectors[0], sketch.png(), sketch.warnings, guesses)


def photo_question(name: str, content: bytes, predictor: Predictor) -> Question:
    """Read a photo, for photos that are like it.

    Raises:
        InputError: When it cannot be read, or this encoder's photos cannot be compared with each other.
    """
    try:
        pixels = fit_photo(open_rgb(io.BytesIO(content), PHOTOS), predictor.card.photo.size)
    except InputError as error:
        raise InputError(f"--photo: {name}: {str(error).removeprefix('image: ')}") from error
    embedded = predictor.embed(pixels[None], "photo")
    vector = predictor.as_photo_query(embedded.vectors)[0]
    return Question(name, "photo", vector, photo_png(pixels), (), _guesses(embedded, predictor))


def _sketches(name: str, content: bytes, predictor: Predictor) -> Iterator[tuple[str, Sketch]]:
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    lines = [line for line in content.splitlines() if line.strip()] if start == b"{" else []
    several = len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines)
    for number, part in enumerate(lines if several else [content], 1):
        place = f"{name}, line {number}" if several else name
        try:
            if start == b"{":
                yield place, sketch_from_json(part, predictor.card)
            elif start == b"<":
                yield place, sketch_from_svg(part, predictor.card)
            else:
                yield place, sketch_from_picture(part, predictor.card)
        except InputError as error:
            raise InputError(f"--sketch: {place}: {error}") from error


def _guesses(embedded: Embedded, predictor: Predictor) -> tuple[tuple[str, float], ...]:
    return () if embedded.posterior is None else tuple(predictor.guesses(embedded.posterior[0]))
