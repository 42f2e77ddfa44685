"""`crossx export`: encoders of a run, or of two classifiers, as a folder that a search uses."""

import os
from collections.abc import Sequence
from pathlib import Path

from crossx.cli.options import OptionParser
from crossx.core.errors import InputError
from crossx.search.export_choices import FORMATS, check_choices


def export(argv: Sequence[str]) -> int:
    """Write an encoder folder, or verify one.

    Args:
        argv: The command line, starting with `export`.

    Returns:
        The exit status.

    Raises:
        InputError: For a user's mistake, and where an exported file computes other vectors than torch.
    """
    arguments = _parser().read(argv[1:])
    given = [name for name in ("run", "teachers", "verify") if getattr(arguments, name) is not None]
    if len(given) != 1:
        names = " and ".join(f"--{name}" for name in given) or "none"
        raise InputError(f"--run, --teachers, --verify: must be exactly one of them, got {names}")
    if arguments.verify is not None:
        from crossx.search.verify import verify

        return _say(verify(Path(arguments.verify)))
    if arguments.out is None:
        raise InputError("--out: must name the folder to write, got none")
    formats = arguments.formats.split(",")
    check_choices(formats, arguments.size)

    from crossx.cli.export_parts import encoders_and_data  # loads torch
    from crossx.search.export import export_encoders
    from crossx.search.verify import lines_about

    encoders, data = encoders_and_data(arguments)
    card = export_encoders(encoders, arguments.out, formats, data, arguments.size)
    return _say([f"written: {os.path.join(arguments.out, '')}", *lines_about(card)])


def _say(lines: Sequence[str]) -> int:
    print("\n".join(lines))  # noqa: T201
    return 0


def _parser() -> OptionParser:
    parser = OptionParser(
        "export",
        "Encoders as a folder that a search uses: safetensors for torch, ONNX for everything else, with "
        "calibrated scores. With --teachers, two classifiers become encoders without any training.",
    )
    parser.add_argument("--run", metavar="RUN|CKPT", help="folder of a run, its encoders.safetensors, or a checkpoint")
    parser.add_argument(
        "--teachers",
        nargs=2,
        metavar=("PHOTO", "SKETCH"),
        help="two classifiers: files with cards, or timm:<model name>",
    )
    parser.add_argument("--verify", metavar="DIR", help="check the files of an encoder folder, and what they compute")
    parser.add_argument("--out", metavar="DIR", help="folder to write; must be new or empty")
    parser.add_argument("--formats", default=",".join(FORMATS), help="files to write (default: %(default)s)")
    parser.add_argument("--aliases", help="for --teachers, other spellings of class names: '{automobile: car}'")
    parser.add_argument(
        "--data",
        metavar="CONFIG",
        help="data set whose validation images calibrate the scores, such as data/shapes.yaml (default: that of the "
        "run; none for --teachers)",
    )
    parser.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help="side of the images (default: that of the data set, else of each encoder's input)",
    )
    parser.add_argument(
        "--imports",
        action="append",
        default=[],
        metavar="MODULES",
        help="modules of your own with networks that cards name, such as my_package.networks, with commas between them",
    )
    return parser
