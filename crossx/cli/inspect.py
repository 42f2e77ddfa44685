"""`crossx inspect`: what a teacher is, what it predicts on images, and the pen that suits it."""

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from crossx.cli.imports import take_imports
from crossx.cli.inspect_options import FIELD, MOST_FOR_PEN
from crossx.core.errors import InputError
from crossx.core.yaml_files import parse_yaml
from crossx.inspection.images import FolderImages, folder_images, in_words
from crossx.inspection.lines import field, measure_lines, pair_lines, pen_in_words, teacher_lines
from crossx.inspection.pen_fit import fit_pen, predict
from crossx.inspection.predictions import summarise
from crossx.inspection.sheet import save_sheet
from crossx.inspection.warnings import warnings
from crossx.networks.preprocessing import sides
from crossx.teachers.pens import own_file, write_pen
from crossx.teachers.teacher import FrozenTeacher, load_teacher
from crossx.types import Modality

MOST = 500
"""Images that are looked at; more tell little more and take longer."""


def inspect(arguments: Namespace) -> int:
    """Print what one teacher, or two, are, and what the first predicts on the images of a folder.

    Args:
        arguments: The options, as `read_options` returns them.

    Returns:
        The exit status.

    Raises:
        InputError: When a teacher or an image cannot be read.
    """
    aliases = _aliases(arguments.aliases)
    take_imports([], arguments.imports)
    teacher = load_teacher(arguments.teacher[0], FIELD)
    _say(teacher_lines(teacher))
    for other in (load_teacher(spec, FIELD) for spec in arguments.teacher[1:]):
        _say(["", *teacher_lines(other), "", *pair_lines(teacher.card.classes, other.card.classes, aliases)])
    if arguments.images is None:
        return 0
    modality = _modality(arguments.modality, teacher)
    if arguments.fit_pen and (teacher.card.modality, modality) != ("sketch", "sketch"):
        raise InputError(
            f"--fit-pen: must be used with a sketch teacher and sketches, got {teacher.card.modality} and {modality}"
        )
    if arguments.fit_pen:
        own_file(arguments.teacher[0], FIELD)
    images = folder_images(Path(arguments.images), teacher.card.classes, aliases, MOST)
    own = max(sides(teacher.card.input_size))
    size = own if arguments.size is None else arguments.size
    print()  # noqa: T201
    _say(field("size", f"{size} x {size} pixels{_about_size(size, own)}"))
    if arguments.fit_pen:
        teacher = _fit(teacher, arguments.teacher[0], images, size)
    _look(teacher, images, modality, size, Path(arguments.sheet))
    return 0


def _about_size(size: int, own: int) -> str:
    if size == own:
        return ", the input size of the teacher; give the size of your data set as --size where it is another one"
    return ", which the teacher resizes to its input"


def _aliases(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    found = parse_yaml(text, "--aliases")
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in (*found, *found.values())):
        raise InputError(f"--aliases: must map names to names, such as {{automobile: car}}, got {text}")
    return found


def _modality(named: Modality | None, teacher: FrozenTeacher) -> Modality:
    if named is not None:
        return named
    if teacher.card.modality == "modality":
        raise InputError("--modality: must be photo or sketch for a teacher that tells photos from sketches, got none")
    return teacher.card.modality


def _fit(teacher: FrozenTeacher, spec: str, images: FolderImages, size: int) -> FrozenTeacher:
    some = images.some(MOST_FOR_PEN)
    drawn, _ = some.read("sketch", size)
    fit = fit_pen(teacher, some.fine(size), drawn)
    path = write_pen(spec, fit.pen, FIELD)
    if before := pen_in_words(teacher.card.pen):
        _say(field("pen before", f"{before}; replaced"))
    _say(field("pen fitted", pen_in_words(fit.pen) or "none: no pen is worth it on these sketches"))
    gain = f"mutual information {fit.as_drawn:.3f} nats as drawn, {fit.fitted:.3f} with the pen"
    _say(field("", f"{gain}; {fit.tried} pens on {len(some.paths)} sketches of {size} pixels; written to {path}"))
    return load_teacher(spec, FIELD)


def _look(teacher: FrozenTeacher, images: FolderImages, modality: Modality, size: int, sheet: Path) -> None:
    pen = teacher.card.pen if modality == "sketch" else None
    pixels, light = images.read(modality, size, pen)
    logits = predict(teacher, pixels)
    summary = summarise(logits, images.labels)
    left_out = sum(map(len, images.left_out.values()))
    of = f" of {len(images.paths) + left_out}" if left_out else ""
    known = int((images.labels >= 0).sum())
    _say(field("images", f"{len(images.paths)}{of}, {known} of them in folders that are classes of the teacher"))
    if left_out:
        _say(field("left out", f"{left_out}: {in_words(images.left_out)}"))
    _say(measure_lines(summary, len(teacher.card.classes)))
    remarks = images.remarks(teacher.card.classes, light)
    for text in [*remarks, *warnings(teacher, pixels, logits, images.labels, summary)]:
        _say(field("warning", text))
    save_sheet(sheet, pixels, logits, images.labels, teacher.card.classes, f"{teacher.card.name}: predictions")
    _say(field("sheet", str(sheet)))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201
