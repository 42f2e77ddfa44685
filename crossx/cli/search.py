"""`crossx search`: photos of a gallery for drawings and for photos."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossx.cli.extras import needs
from crossx.cli.options import OptionParser
from crossx.core.atomic import atomic_path, write_text
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.paths import nearest_file

if TYPE_CHECKING:
    from crossx.search.asking.questions import Question
    from crossx.search.predictor import Predictor

_MOST_BYTES = 1 << 29
"""Bytes of a file that is read as a question, as of a photo that is indexed."""


def search(argv: Sequence[str]) -> int:
    """Answer the questions of a command line.

    Args:
        argv: The command line, starting with `search`.

    Returns:
        The exit status.

    Raises:
        InputError: When the gallery or a question cannot be used.
    """
    arguments = _parser().read(argv[1:])
    _check(arguments)
    with needs("search"):
        from crossx.search.asking.answers import answer
        from crossx.search.asking.report import as_json, page, table
        from crossx.search.gallery.opening import open_gallery
        from crossx.search.opening import encoder_of

    with open_gallery(arguments.gallery) as gallery:
        predictor = encoder_of(gallery, arguments.encoder)
        questions = list(_questions(arguments, predictor))
        if arguments.show_query:
            _show_query(questions, Path(arguments.show_query))
        wish = (arguments.k, arguments.under, arguments.min_score, arguments.exact)
        answers = [answer(question, gallery, predictor.card, *wish) for question in questions]
    if arguments.html:
        write_text(Path(arguments.html), page(answers))
    print(as_json(answers) if arguments.json else "\n".join(table(answers)))  # noqa: T201
    return 0


def _questions(arguments: Namespace, predictor: "Predictor") -> "Iterator[Question]":
    from crossx.search.asking.questions import photo_question, sketch_questions

    for name in arguments.sketch:
        yield from sketch_questions(name, _read(name, "--sketch"), predictor)
    for name in arguments.photo:
        yield photo_question(name, _read(name, "--photo"), predictor)


def _read(name: str, option: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(_MOST_BYTES)
    path = Path(name)
    if not path.is_file():
        raise InputError(f"{option}: must be a file, or - for what comes in, got {name!r}{nearest_file(path)}")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{option}: must have at most {_MOST_BYTES >> 20} MB, got {name!r}")
    return path.read_bytes()


def _show_query(questions: "Sequence[Question]", path: Path) -> None:
    if len(questions) != 1:
        raise InputError(f"--show-query: must stand with one question, got {len(questions)}; --html shows all")
    with atomic_path(path) as temporary:
        temporary.write_bytes(questions[0].seen)


def _check(arguments: Namespace) -> None:
    if not arguments.sketch and not arguments.photo:
        raise InputError("--sketch, --photo: must name at least one file, got none")
    must_be_in("-k", arguments.k, "[1, 10000]")
    if arguments.min_score is not None:
        must_be_in("--min-score", arguments.min_score, "[-1, 1]")
    for option, value, ending in (
        ("--html", arguments.html, ".html"),
        ("--show-query", arguments.show_query, ".png"),
    ):
        if value is not None and Path(value).suffix.lower() != ending:
            raise InputError(f"{option}: must be named *{ending}, got {value!r}")


def _parser() -> OptionParser:
    parser = OptionParser(
        "search",
        "Find photos of a gallery. A sketch is a picture of a drawing (any pen, paper, light), an SVG, or strokes as "
        "of Quick, Draw!; what the file holds decides, not its name.",
    )
    parser.add_argument("--gallery", metavar="G", required=True, help="folder that `crossx index` has made")
    parser.add_argument("--sketch", metavar="FILE", nargs="+", default=[], help="drawings; - is what comes in")
    parser.add_argument("--photo", metavar="FILE", nargs="+", default=[], help="photos, for photos that are like them")
    parser.add_argument("-k", type=int, default=20, help="photos of each question (%(default)s)")
    parser.add_argument("--under", metavar="FOLDER", default="", help="only photos in this folder")
    parser.add_argument("--min-score", type=float, metavar="X", help="only photos of at least this score")
    parser.add_argument("--exact", action="store_true", help="compare every photo, also where there is an index")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    parser.add_argument("--html", metavar="OUT.html", help="write a page with the photos")
    parser.add_argument("--show-query", metavar="OUT.png", help="write what the encoder saw")
    parser.add_argument("--encoder", metavar="DIR", help="the encoder's folder, where it is not where it was")
    return parser
