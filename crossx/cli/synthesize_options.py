"""Options of `crossx synthesize`, looked at without torch: a mistyped name is answered at once."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from crossx.cli.options import OptionParser
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.paths import nearest_file, resolve
from crossx.core.seeding import check_seed


def synthesize(argv: Sequence[str]) -> int:
    """Run `synthesize` after a first look at its options; returns the exit status.

    Args:
        argv: The command line, starting with `synthesize`.

    Raises:
        InputError: For a user's mistake.
    """
    arguments = read_options(argv[1:])
    from crossx.cli.synthesize import synthesize as run  # loads torch

    return run(arguments)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the options, and refuse what cannot be meant.

    Args:
        words: The command line after `synthesize`.

    Raises:
        InputError: For the first mistake, with the nearest legal names.
    """
    arguments = _parser().read(words)
    resolve(arguments.generator, "--generator")
    if arguments.discriminator is not None:
        resolve(arguments.discriminator, "--discriminator")
    photo = Path(arguments.photo)
    if not photo.exists():
        raise InputError(f"--photo: {arguments.photo!r} does not exist{nearest_file(photo)}")
    must_be_in("--temperature", arguments.temperature, "(0, inf)")
    must_be_in("--copies", arguments.copies, "[1, inf)")
    check_seed(arguments.seed, "--seed")
    many = photo.is_dir() or arguments.copies > 1
    for option, ending in (("out", ".svg"), ("html", ".html")):
        named = getattr(arguments, option)
        if named is None:
            continue
        path = Path(named)
        if many and path.suffix and not path.is_dir():
            what = "a folder of photos" if photo.is_dir() else "several copies"
            raise InputError(f"--{option}: must be a folder for {what}, got {named!r}")
        if not many and path.suffix.lower() != ending:
            raise InputError(f"--{option}: must be named *{ending} for one photo, got {named!r}")
        if path.is_dir() != many and path.exists():
            raise InputError(f"--{option}: must be a {'folder' if many else 'file'} to write, got {named!r}")
    return arguments


def _parser() -> OptionParser:
    parser = OptionParser(
        "synthesize", "Draw photos with a trained generator of drawings, as SVG files and as pages that replay the pen."
    )
    parser.add_argument(
        "--generator",
        default="crossx:assets/shapes_generator.safetensors",
        metavar="FILE",
        help="generator.safetensors of a run (default: the shipped one, which knows the embedded shapes alone)",
    )
    parser.add_argument(
        "--discriminator",
        metavar="CHECKPOINT",
        help="checkpoint of a joint run, such as last.ckpt: says how far each drawing can be trusted",
    )
    parser.add_argument("--photo", required=True, metavar="PHOTO", help="an image file, or a folder of them")
    parser.add_argument(
        "--out", metavar="SVG", help="file to write, or folder for several (default: the photo's name with .svg, here)"
    )
    parser.add_argument("--html", metavar="HTML", help="page to write that replays the drawing, or folder for several")
    parser.add_argument(
        "--temperature", type=float, default=0.3, help="how varied drawings are, above 0 (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the drawings (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=1, help="drawings of each photo (default: %(default)s)")
    return parser
