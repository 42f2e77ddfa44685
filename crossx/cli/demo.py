"""`crossx demo`: from two classifiers and a folder of photos to the page, in four commands that are shown."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from crossx.cli.extras import needs
from crossx.cli.options import OptionParser
from crossx.cli.quickstart import INTERRUPTED, interruptions_left_to_the_run
from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.core.paths import resolve

SHIPPED = ("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
"""The two classifiers of the quickstart."""
_NOTE = "demo.json"


def demo(argv: Sequence[str]) -> int:
    """Make an encoder and a gallery, and open the page.

    Args:
        argv: The command line, starting with `demo`.

    Returns:
        The exit status.

    Raises:
        InputError: When photos or teachers do not exist, or the folder holds something else.
    """
    parser = OptionParser(
        "demo",
        "A sketch search in one command. Without options, photos of ten kinds of things are drawn, and "
        "the classifiers of the quickstart search them. With --photos and --teachers, it is your folder and your two "
        "classifiers. Nothing is trained, nothing is downloaded, and the photos stay where they are.",
    )
    parser.add_argument("--output", default="crossx-demo", help="folder for encoder and gallery (%(default)s)")
    parser.add_argument("--photos", help="folder of your photos; needs --teachers")
    parser.add_argument("--teachers", nargs=2, metavar=("PHOTO", "SKETCH"), help="your two classifiers or their cards")
    parser.add_argument("--port", type=int, default=8321, help="of the page (%(default)s)")
    parser.add_argument("--no-page", action="store_true", help="make everything, and do not open the page")
    arguments = parser.read(argv[1:])
    if (arguments.photos is None) != (arguments.teachers is None):
        raise InputError("--photos, --teachers: must be given together: the classifiers must know what photos show")
    with needs("serve"):
        import fastapi  # noqa: F401 - before the work that comes first

    folder = Path(arguments.output)
    teachers = [
        spec if spec.startswith("crossx:") else str(resolve(spec, "--teachers"))
        for spec in arguments.teachers or SHIPPED
    ]
    photos = resolve(arguments.photos, "--photos") if arguments.photos else folder / "photos"
    _claim(
        folder,
        {
            "photos": str(photos.resolve()),
            "teachers": [os.path.abspath(t) if os.path.exists(t) else t for t in teachers],
        },
    )
    if arguments.photos is None and not photos.exists():
        from crossx.data.shapes.gallery import write_photos

        print(f"== photos of ten kinds of things: {photos}", flush=True)  # noqa: T201
        write_photos(photos)
    encoder, gallery = folder / "encoder", folder / "gallery"
    commands = [["index", "--encoder", encoder, "--photos", photos, "--gallery", gallery]]
    if not encoder.exists():
        # With validation images a score becomes a probability; of one's own photos there are none with names.
        calibration = ["--data", "data/shapes.yaml"] if arguments.teachers is None else []
        commands.insert(0, ["export", "--teachers", *teachers, *calibration, "--out", encoder])
    if not arguments.no_page:
        commands.append(["serve", "--gallery", gallery, "--encoder", encoder, "--port", arguments.port, "--open"])
    for command in commands:
        words = [str(word) for word in command]
        print(f"\n== crossx {' '.join(words)}", flush=True)  # noqa: T201
        with interruptions_left_to_the_run():
            status = subprocess.run([sys.executable, "-m", "crossx", *words], check=False).returncode  # noqa: S603 - our own
        if status:
            if status != INTERRUPTED:
                print(f"crossx: error: this command ended with status {status}; see above", file=sys.stderr)  # noqa: T201
            return status
    return 0


def _claim(folder: Path, made_of: dict[str, object]) -> None:
    """Note what a folder is made of; refuse one that is made of something else."""
    note = folder / _NOTE
    text = json.dumps(made_of, indent=2)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not note.is_file()):
        raise InputError(f"--output: must be a new folder or one of an earlier demo, got {str(folder)!r}")
    if note.is_file() and note.read_text() != text:
        raise InputError(
            f"--output: {str(folder)!r} holds a demo of other photos or classifiers; name another folder, or remove it"
        )
    write_text(note, text)
