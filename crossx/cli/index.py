"""`crossx index`: a folder of photos, or embeddings of one, into a gallery."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from crossx.cli.extras import needs
from crossx.cli.options import OptionParser
from crossx.core.checks import must_be_in
from crossx.core.cores import cores
from crossx.core.errors import InputError

KINDS = ("auto", "exact", "ivf")
"""As `crossx.search.gallery.local.KINDS`, which `--help` must not import."""


def index(argv: Sequence[str]) -> int:
    """Bring a gallery to what a folder holds.

    Args:
        argv: The command line, starting with `index`.

    Returns:
        The exit status.

    Raises:
        InputError: When encoder, photos or gallery cannot be used.
        WorkError: When the disk is full, or decoders die.
    """
    arguments = _parser().read(argv[1:])
    _check(arguments)
    for line in _lines(arguments):
        print(line, flush=True)  # noqa: T201
    return 0


def _lines(arguments: Namespace) -> Iterator[str]:
    with needs("search"):
        from crossx.search.indexing.folder import Choices, index_folder, look
        from crossx.search.predictor import MOST_TOGETHER, Predictor
        from crossx.search.shards.imports import import_shards
    gallery = arguments.gallery
    kind = arguments.index or ""
    if arguments.from_embeddings is not None:
        yield from import_shards(Path(arguments.from_embeddings), gallery, arguments.photos_root, kind)
        return
    must_be_in("--batch", arguments.batch, f"[1, {MOST_TOGETHER}]")
    encoder = Predictor(arguments.encoder, threads=cores())
    prune = (arguments.prune, arguments.many)
    settings = (arguments.workers or 0, arguments.batch, arguments.follow_symlinks)
    choices = Choices(*settings, *prune, kind, hash_all=arguments.hash_all)
    yield from (look if arguments.dry_run else index_folder)(Path(arguments.photos), gallery, encoder, choices)


def _check(arguments: Namespace) -> None:
    if arguments.from_embeddings is None:
        missing = [name for name in ("encoder", "photos") if getattr(arguments, name) is None]
        if missing:
            raise InputError(f"--{missing[0]}: must be given, or --from-embeddings in the place of both, got none")
        if arguments.photos_root is not None:
            raise InputError("--photos-root: must stand with --from-embeddings, got none")
    else:
        for name in ("encoder", "photos", "prune", "dry_run", "follow_symlinks", "workers", "hash_all"):
            if getattr(arguments, name):
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option}: must not stand with --from-embeddings, which embeds nothing, got both")
    if arguments.many and not arguments.prune:
        raise InputError("--many: must stand with --prune, got none")
    if arguments.workers is not None:
        must_be_in("--workers", arguments.workers, "[1, 256]")


def _parser() -> OptionParser:
    parser = OptionParser(
        "index",
        "Make a gallery of a folder of photos, or bring it up to date: only new and changed files are read. The photos "
        "stay where they are. Ctrl-C keeps what is done, and the same command goes on.",
    )
    parser.add_argument("--encoder", metavar="DIR", help="folder that `crossx export` has written")
    parser.add_argument("--photos", metavar="FOLDER|LIST", help="a folder, or a text file with a name a line")
    parser.add_argument("--gallery", metavar="G", required=True, help="folder, or milvus:URL; made where it is missing")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that decode (one a core)")
    parser.add_argument("--batch", type=int, default=256, help="photos that are embedded at once (%(default)s)")
    parser.add_argument("--follow-symlinks", action="store_true", help="take what links lead to, by its own name")
    parser.add_argument("--prune", action="store_true", help="remove photos of this folder whose files are gone")
    parser.add_argument("--many", action="store_true", help="with --prune: also more than a fifth of them")
    parser.add_argument("--hash-all", action="store_true", help="read files, too, whose size and time are as they were")
    parser.add_argument("--index", choices=KINDS, help="how to search (auto: exact up to 200,000 photos, then ivf)")
    parser.add_argument("--dry-run", action="store_true", help="say what there is to do, and do nothing")
    parser.add_argument(
        "--from-embeddings", metavar="SHARDS", help="folder of `crossx embed` or `gallery export-vectors`"
    )
    parser.add_argument("--photos-root", metavar="FOLDER", help="where the photos of embeddings are here")
    return parser
