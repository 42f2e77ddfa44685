"""`crossx inspect`: what a teacher is, what it predicts on images, and the pen that suits it."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossx.core.errors import InputError
from crossx.inspection.card import field, pair_lines, teacher_lines
from crossx.inspection.images import FolderImages, folder_images
from crossx.inspection.pen_fit import fit_pen, predict
from crossx.inspection.predictions import PredictionSummary, summarise
from crossx.inspection.sheet import save_sheet
from crossx.inspection.warnings import warnings
from crossx.networks.preprocessing import sides
from crossx.teachers.pens import write_pen
from crossx.teachers.teacher import FrozenTeacher, load_teacher
from crossx.types import Modality

MOST = 500
"""Images that are looked at; more tell little more and take longer."""
MOST_FOR_PEN = 120
"""Sketches from which a pen is chosen."""


def inspect(argv: Sequence[str]) -> int:
    """Print what one teacher, or two, are, and what the first predicts on the images of a folder.

    Args:
        argv: The command line, starting with `inspect`.

    Returns:
        The exit status.

    Raises:
        InputError: When a teacher or an image cannot be read.
    """
    arguments = _parser().parse_args(argv[1:])
    aliases = _aliases(arguments.aliases)
    teacher = load_teacher(arguments.teacher[0], "TEACHER")
    _say(teacher_lines(teacher))
    if len(arguments.teacher) > 2:
        raise InputError(f"TEACHER: must be one teacher or two, got {len(arguments.teacher)}")
    for other in map(load_teacher, arguments.teacher[1:]):
        _say(["", *teacher_lines(other), "", *pair_lines(teacher.card.classes, other.card.classes, aliases)])
    if arguments.images is None:
        if arguments.fit_pen:
            raise InputError("--fit-pen: must have sketches to look at: name their folder with --images")
        return 0
    modality = _modality(arguments.modality, teacher)
    images = folder_images(Path(arguments.images), teacher.card.classes, aliases, MOST)
    if arguments.fit_pen:
        teacher = _fit(teacher, arguments.teacher[0], images, modality)
    _look(teacher, images, modality, Path(arguments.sheet))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "crossx inspect",
        description="What a teacher is, what it predicts on the images of a folder, and what is likely wrong between "
        "the two. Trains nothing.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "teacher",
        nargs="+",
        metavar="TEACHER",
        help="a .safetensors file with its card, a .yaml card, or timm:<model name>; a second one is compared by its "
        "classes",
    )
    parser.add_argument("--images", help="folder of images, or of class folders with images, for the first teacher")
    parser.add_argument("--modality", choices=("photo", "sketch"), help="modality of the images (default: the card's)")
    parser.add_argument("--aliases", help='other spellings of class names, as JSON: {"automobile": "car"}')
    parser.add_argument(
        "--fit-pen",
        action="store_true",
        help=f"choose the pen of a sketch teacher from up to {MOST_FOR_PEN} of the images, without labels, and write "
        "it onto the card",
    )
    parser.add_argument(
        "--sheet", default="inspect.png", help="contact sheet to write (default: %(default)s)", metavar="PNG"
    )
    return parser


def _aliases(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f'--aliases: must be JSON such as {{"automobile": "car"}}: {error}') from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise InputError(f"--aliases: must map names to names, got {text}")
    return found


def _modality(named: Modality | None, teacher: FrozenTeacher) -> Modality:
    if named is not None:
        return named
    if teacher.card.modality == "modality":
        raise InputError("--modality: must be photo or sketch for a teacher that tells photos from sketches, got none")
    return teacher.card.modality


def _fit(teacher: FrozenTeacher, spec: str, images: FolderImages, modality: Modality) -> FrozenTeacher:
    if teacher.card.modality != "sketch" or modality != "sketch":
        raise InputError(f"--fit-pen: must be used with a sketch teacher, got {teacher.card.modality}")
    size = max(sides(teacher.card.input_size))
    some = images.some(MOST_FOR_PEN)
    fit = fit_pen(teacher, some.fine(size), some.read("sketch", size))
    path = write_pen(spec, fit.pen, "TEACHER")
    values = ", ".join(f"{name} {value:.4g}" for name, value in fit.pen.to_mapping().items())
    _say(field("pen fitted", values or "none: no pen is worth it on these sketches"))
    nats = f"mutual information {fit.as_drawn:.3f} nats as drawn, {fit.fitted:.3f} with the pen"
    _say(field("", f"{nats}; {fit.tried} pens on {len(some.paths)} sketches; written to {path}"))
    return load_teacher(spec, "TEACHER")


def _look(teacher: FrozenTeacher, images: FolderImages, modality: Modality, sheet: Path) -> None:
    pen = teacher.card.pen if modality == "sketch" else None
    pixels = images.read(modality, max(sides(teacher.card.input_size)), pen)
    logits = predict(teacher, pixels)
    summary = summarise(logits, images.labels)
    print()  # noqa: T201
    _say(field("images", _described(images)))
    _say(_measures(summary, len(teacher.card.classes)))
    for text in [*images.remarks(teacher.card.classes), *warnings(teacher, pixels, logits, images.labels, summary)]:
        _say(field("warning", text))
    save_sheet(sheet, pixels, logits, images.labels, teacher.card.classes, f"{teacher.card.name}: predictions")
    _say(field("sheet", str(sheet)))


def _described(images: FolderImages) -> str:
    known = int((images.labels >= 0).sum())
    of = f" of {len(images.paths) + images.left_out}" if images.left_out else ""
    return f"{len(images.paths)}{of}, {known} of them in folders that are classes of the teacher"


def _measures(summary: PredictionSummary, classes: int) -> list[str]:
    lines = []
    if summary.accuracy is not None:
        chance = f"chance {summary.accuracy.chance:.3f}"
        accuracy = f"{summary.accuracy.accuracy:.3f} among {summary.accuracy.classes} classes"
        lines += field("accuracy", f"{accuracy} ({chance})")
    lines += field("confidence", f"{summary.confidence:.3f}, the mean probability of the predicted class")
    lines += field("spread", f"{summary.spread:.1f} of {classes} classes")
    lines += field("information", f"{summary.mutual_information:.3f} nats, mutual information of image and class")
    return lines


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201
