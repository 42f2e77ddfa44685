"""Options of `crossx inspect`, looked at without torch: a mistyped name is answered at once."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from crossx.cli.options import OptionParser
from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.core.paths import nearest_file, resolve

FIELD = "TEACHER"
"""Name of the teachers on the command line, for messages."""
MOST_FOR_PEN = 200
"""Sketches from which a pen is chosen."""


def inspect(argv: Sequence[str]) -> int:
    """Run `inspect` after a first look at its options; returns the exit status.

    Args:
        argv: The command line, starting with `inspect`.

    Raises:
        InputError: For a user's mistake.
    """
    arguments = read_options(argv[1:])
    from crossx.cli.inspect import inspect as run  # loads torch

    return run(arguments)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the options, and refuse what cannot be meant.

    Args:
        words: The command line after `inspect`.

    Raises:
        InputError: For the first mistake, with the nearest legal names.
    """
    arguments = _parser().read(words)
    if len(arguments.teacher) > 2:
        raise InputError(f"{FIELD}: must be one teacher or two, got {len(arguments.teacher)}")
    for teacher in arguments.teacher:
        if not teacher.startswith("timm:"):
            resolve(teacher, FIELD)
    if arguments.images is None and arguments.fit_pen:
        raise InputError("--fit-pen: must have sketches to look at: name their folder with --images")
    if arguments.images is not None:
        _check_folder(Path(arguments.images))
    if arguments.modality is not None:
        must_be_one_of("--modality", arguments.modality, ("photo", "sketch"))
    if arguments.size is not None:
        must_be_in("--size", arguments.size, "[1, inf)")
    if Path(arguments.sheet).suffix.lower() != ".png":
        raise InputError(f"--sheet: must be named *.png, got {arguments.sheet!r}")
    if Path(arguments.sheet).is_dir():
        raise InputError(f"--sheet: must be a file to write, got the folder {arguments.sheet!r}")
    return arguments


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"--images: must be a folder, got {str(folder)!r}{nearest_file(folder)}")


def _parser() -> OptionParser:
    parser = OptionParser(
        "inspect",
        "What a teacher is, what it predicts on the images of a folder, and what is likely wrong between the two. "
        "Trains nothing.",
    )
    parser.add_argument(
        "teacher",
        nargs="+",
        metavar="TEACHER",
        help="a .safetensors file with its card, a .yaml card, or timm:<model name>; a second one is compared by its "
        "classes",
    )
    parser.add_argument("--images", help="folder of images, or of class folders with images, for the first teacher")
    parser.add_argument("--modality", metavar="{photo,sketch}", help="modality of the images (default: the card's)")
    parser.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help="side of the images before the teacher resizes them; in a run, that is the size of the data set (default: "
        "the input size of the teacher)",
    )
    parser.add_argument("--aliases", help="other spellings of class names: '{automobile: car}'")
    parser.add_argument(
        "--fit-pen",
        action="store_true",
        help=f"choose the pen of a sketch teacher from up to {MOST_FOR_PEN} of the images, without labels, and write "
        "it onto the card",
    )
    parser.add_argument(
        "--imports",
        action="append",
        default=[],
        metavar="MODULES",
        help="modules of your own with networks that cards name, such as my_package.networks, with commas between them",
    )
    parser.add_argument(
        "--sheet", default="inspect.png", help="contact sheet to write (default: %(default)s)", metavar="PNG"
    )
    return parser
