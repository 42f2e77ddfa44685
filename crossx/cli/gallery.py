"""`crossx gallery`: what a gallery holds, whether its files are whole, adding to it and removing from it."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossx.cli.extras import needs
from crossx.cli.options import OptionParser
from crossx.core.checks import must_be_one_of
from crossx.core.cores import cores
from crossx.core.errors import InputError, WorkError

if TYPE_CHECKING:
    from crossx.search.gallery.local import LocalGallery
    from crossx.search.gallery.protocol import Gallery

ACTIONS = ("info", "check", "add", "delete", "rebuild", "export-vectors")
_WRITING = ("add", "delete", "rebuild")
_ONLY_OF = {"missing": "delete", "encoder": "add", "out": "export-vectors", "folder": "export-vectors"}
"""Options of one action."""


def gallery(argv: Sequence[str]) -> int:
    """Look at a gallery, or change it.

    Args:
        argv: The command line, starting with `gallery`.

    Returns:
        The exit status.

    Raises:
        InputError: When the gallery or a name in it does not exist.
        WorkError: When `check` finds damage.
    """
    arguments = _parser().read(argv[1:])
    must_be_one_of("gallery", arguments.action, ACTIONS)
    _check_options(arguments)
    with needs("search"):
        from crossx.search.gallery.opening import open_gallery

    lines = {"info": _info, "check": _check, "add": _add, "delete": _delete, "rebuild": _rebuild}
    lines["export-vectors"] = _export
    with open_gallery(arguments.gallery, write=arguments.action in _WRITING) as opened:
        for line in lines[arguments.action](opened, arguments):
            print(line, flush=True)  # noqa: T201
    return 0


def _check_options(arguments: Namespace) -> None:
    action = arguments.action
    wanted = {"delete": "name photos, or --missing,", "add": "name photos,"}
    names = bool(arguments.photos) or (arguments.missing and action == "delete")
    if names != (action in wanted):
        legal = wanted.get(action, "name a gallery and nothing else,")
        raise InputError(f"gallery {action}: must {legal} got {arguments.photos or 'none'}")
    for option, of in _ONLY_OF.items():
        if getattr(arguments, option) and action != of:
            raise InputError(f"--{option}: must stand with `gallery {of}`, got `gallery {action}`")
    if action == "export-vectors" and not arguments.out:
        raise InputError("--out: must name a folder for the shards, got none")
    if arguments.many and not arguments.missing:
        raise InputError("--many: must stand with --missing, got none")


def _info(opened: "Gallery", _: Namespace) -> Iterator[str]:
    status = opened.status()
    recall = "not measured" if status.recall is None else f"{status.recall:.3f}"
    yield f"photos      {status.photos:,}, {status.vectors:,} different ones"
    yield f"encoder     {opened.encoder.sha256[:12]}, {opened.encoder.dim} numbers a photo"
    yield f"search      {status.kind}, recall@10 for sketches {recall}"
    for name, value in status.parameters.items():
        yield f"  {name:<10}{value:g}"
    yield f"skipped     {status.skipped:,} files"
    yield from (f"  {entry.path}: {entry.reason}" for entry in opened.skipped())
    yield from (f"note        {note}" for note in status.notes)


def _check(opened: "Gallery", arguments: Namespace) -> Iterator[str]:
    wrong = _folder(opened, arguments).check()
    if wrong:
        raise WorkError("; ".join(wrong))
    yield f"whole: {opened.count():,} photos"


def _add(opened: "Gallery", arguments: Namespace) -> Iterator[str]:
    from crossx.search.indexing.folder import add_photos
    from crossx.search.opening import encoder_of

    yield from add_photos(opened, arguments.photos, encoder_of(opened, arguments.encoder, threads=cores()))


def _export(opened: "Gallery", arguments: Namespace) -> Iterator[str]:
    from crossx.search.shards.export import export_vectors

    yield from export_vectors(opened, Path(arguments.out), arguments.folder)


def _delete(opened: "Gallery", arguments: Namespace) -> Iterator[str]:
    from crossx.search.indexing.gone import gone_photos, remove

    ids = {int(name) for name in arguments.photos if name.isdecimal()}
    if arguments.missing:
        ids |= set(gone_photos(opened, "--missing", arguments.many))
    names = {name for name in arguments.photos if not name.isdecimal()}
    if names:
        found = set()
        for photo in opened.scan():
            if called := names & {photo.path, os.path.join(photo.root, photo.path)}:
                ids.add(photo.id)
                found |= called
        if unknown := sorted(names - found):
            raise InputError(f"gallery delete: must name ids or paths of the gallery, got {unknown[0]!r}")
    yield f"removed: {remove(opened, ids):,} photos; their files stay"


def _rebuild(opened: "Gallery", arguments: Namespace) -> Iterator[str]:
    card = _folder(opened, arguments).rebuild()
    if card is None:
        yield "nothing to build: this gallery is searched exactly; `crossx index --index ivf` changes that"
    else:
        yield f"built: {card.kind} of {card.count:,} vectors"


def _folder(opened: "Gallery", arguments: Namespace) -> "LocalGallery":
    from crossx.search.gallery.local import LocalGallery

    if not isinstance(opened, LocalGallery):
        raise InputError(
            f"gallery {arguments.action}: must name a folder, got {opened.name}, which keeps its own files"
        )
    return opened


def _parser() -> OptionParser:
    parser = OptionParser(
        "gallery",
        "info: what a gallery holds, and what was skipped. check: every byte. add: single files. delete: photos by id "
        "or path, or those whose files are --missing. rebuild: the index of a large gallery anew. export-vectors: "
        "shards, as `crossx index --from-embeddings` takes them.",
    )
    parser.add_argument("action", metavar="|".join(ACTIONS))
    parser.add_argument("gallery", metavar="G", help="folder that `crossx index` has made, or milvus:URL")
    parser.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="for add: files; for delete: ids, or paths, below their folder or whole",
    )
    parser.add_argument("--encoder", metavar="DIR", help="for add: where the gallery's encoder is now")
    parser.add_argument("--out", metavar="SHARDS", help="for export-vectors: folder for the shards")
    parser.add_argument("--folder", metavar="FOLDER", help="for export-vectors: which of several indexed folders")
    parser.add_argument("--missing", action="store_true", help="for delete: photos whose files are gone")
    parser.add_argument("--many", action="store_true", help="with --missing: also more than a fifth of a folder's")
    return parser
