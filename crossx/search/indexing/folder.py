"""A folder of photos into a gallery, from the scan to the index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossx.core.cores import cores
from crossx.core.errors import InputError
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.opening import is_in_milvus, open_gallery
from crossx.search.gallery.protocol import Gallery
from crossx.search.indexing.altered import altered
from crossx.search.indexing.decode import DecodePool
from crossx.search.indexing.gone import gone_photos, is_gone, remove
from crossx.search.indexing.probes import probe_sketches
from crossx.search.indexing.progress import Progress
from crossx.search.indexing.run import Summary, index_files, new_or_changed
from crossx.search.indexing.scan import Found, Scan, named, scan
from crossx.search.opening import identity, remember_encoder
from crossx.search.predictor import Predictor


@dataclass(frozen=True)
class Choices:
    """What a user chooses for an index run.

    Attributes:
        workers: Processes that decode; 0 for one a core.
        batch: Photos that are embedded at once.
        follow_symlinks: Whether links to files and folders count.
        prune: Whether photos whose files are gone are removed.
        many: Whether more than a fifth of a folder's photos may be removed so.
        kind: How the gallery is to be searched; empty to leave it as it is.
        hash_all: Whether the content of files is compared whose size and time are as they were.
    """

    workers: int = 0
    batch: int = 256
    follow_symlinks: bool = False
    prune: bool = False
    many: bool = False
    kind: str = ""
    hash_all: bool = False


def look(photos: Path, gallery: str, encoder: Predictor, choices: Choices) -> Iterator[str]:
    """Say what an index run would do, and do nothing.

    Args:
        photos: A folder or a list.
        gallery: Name of the gallery, which need not exist.
        encoder: The encoder.
        choices: The user's choices.

    Raises:
        InputError: When the photos or the gallery cannot be used.
    """
    found = scan(photos, choices.follow_symlinks)
    yield from found_lines(found)
    if not is_in_milvus(gallery) and not Path(gallery, "gallery.db").exists():
        yield f"to do: {len(found.files):,} files, in a new gallery"
        return
    with open_gallery(gallery) as opened:
        if opened.encoder.sha256 != encoder.card.hash:
            raise InputError(f"--encoder: must be the encoder that {gallery} was made with")
        yield f"to do: {len(_to_do(opened, found.files, choices)):,} files are new or have changed"
        if choices.prune:
            yield f"to remove: {len(_gone(opened, found, choices.many)):,} photos, whose files are gone"


def index_folder(photos: Path, gallery: str, encoder: Predictor, choices: Choices) -> Iterator[str]:
    """Bring a gallery to what a folder holds; yields what there is to say.

    Args:
        photos: A folder or a list.
        gallery: Name of the gallery; it is made where it is not there.
        encoder: The encoder.
        choices: The user's choices.

    Raises:
        InputError: When the photos or the gallery cannot be used.
        WorkError: When the disk is full.
        KeyboardInterrupt: After Ctrl-C, when what is done has been committed.
    """
    found = scan(photos, choices.follow_symlinks)
    yield from found_lines(found)
    with open_gallery(gallery, write=True, encoder=identity(encoder.card)) as opened:
        remember_encoder(opened, encoder.folder)
        if choices.kind:
            opened.choose(choices.kind)
        if choices.prune:  # first, because it may be refused, and embedding may take days
            yield f"removed: {remove_gone(opened, found, choices.many):,} photos, whose files are gone"
        yield from _brought_in(opened, found.files, encoder, choices)


def add_photos(gallery: Gallery, names: Sequence[str], encoder: Predictor) -> Iterator[str]:
    """Bring single files into a gallery, new or changed; yields what there is to say.

    Args:
        gallery: The gallery, open for writing.
        names: Names of files.
        encoder: Its encoder.

    Raises:
        InputError: When a name is none of a photo.
        WorkError: When the disk is full.
        KeyboardInterrupt: As `index_folder`.
    """
    folders = gallery.folders()
    found = [named(name, folders) for name in names]
    known = gallery.state([key for places in found for key in places.keys])
    files = {places.file(known) for places in found}
    remember_encoder(gallery, encoder.folder)
    yield from _brought_in(gallery, sorted(files), encoder, Choices())


def _brought_in(gallery: Gallery, found: Sequence[Found], encoder: Predictor, choices: Choices) -> Iterator[str]:
    files = _to_do(gallery, found, choices)
    summary = Summary()
    if files:
        workers = choices.workers or min(cores(), len(files))
        with DecodePool(encoder.card.photo.size, workers) as pool:
            summary = index_files(gallery, files, encoder, pool, choices.batch, Progress(len(files)))
    yield from done_lines(summary, len(found) - len(files))
    if summary.stopped:
        raise interrupted(summary, len(files))
    yield from finish(gallery, encoder)


def _to_do(gallery: Gallery, found: Sequence[Found], choices: Choices) -> list[Found]:
    """Files that the gallery does not have as they are now."""
    files = new_or_changed(gallery, found)
    if choices.hash_all:
        waiting = set(files)
        known = [file for file in found if file not in waiting]
        files += altered(gallery, known, Progress(len(known)))
    return files


def interrupted(summary: Summary, files: int) -> KeyboardInterrupt:
    """The end of a run after Ctrl-C, with the way to go on."""
    return KeyboardInterrupt(f" after {summary.files:,} of {files:,} files; the same command goes on from there")


def finish(gallery: Gallery, encoder: Predictor | None) -> Iterator[str]:
    """Build the index where the gallery is to have one and it is missing or worn; yields what there is to say.

    Args:
        gallery: The gallery, open for writing.
        encoder: Its encoder, which draws and embeds the sketches that recall is measured with; None where it is not
            at hand, and then an index without such sketches has no recall to show.
    """
    if isinstance(gallery, LocalGallery) and gallery.due():
        if encoder is not None and not gallery.has_probes():
            gallery.set_probes(encoder.embed_sketches(probe_sketches(encoder.card)))
        yield "building the index ..."
        gallery.rebuild()
    status = gallery.status()
    recall = "" if status.recall is None else f", recall@10 for sketches {status.recall:.3f}"
    yield f"gallery: {status.photos:,} photos, {status.vectors:,} different ones; {status.kind} search{recall}"


def found_lines(found: Scan) -> Iterator[str]:
    """Say what a scan has found."""
    others = f", {found.others:,} other files" if found.others else ""
    yield f"found: {len(found.files):,} files that may be photos{others}"
    yield from (f"not looked at: {remark}" for remark in found.remarks)


def done_lines(summary: Summary, known: int) -> Iterator[str]:
    """Say what an index run has done.

    Args:
        summary: What it has done.
        known: Files that there was nothing to do for.
    """
    yield f"added: {summary.added:,} photos; {known:,} files were known, {len(summary.skipped):,} were skipped"
    if summary.vanished:
        yield f"gone meanwhile: {summary.vanished:,} files"
    yield from (f"skipped: {entry.path}: {entry.reason}" for entry in summary.skipped)


def remove_gone(gallery: Gallery, found: Scan, many: bool) -> int:
    """Remove photos and notes of skipped files of a scan's folder whose files are gone; returns how many photos.

    Args:
        gallery: The gallery.
        found: The scan.
        many: Whether more than a fifth of the folder's photos may be removed.

    Raises:
        InputError: When so many are gone, and `many` is not given.
    """
    ids = _gone(gallery, found, many)
    keys = [entry.key for entry in gallery.skipped() if entry.root == found.root]
    gallery.forget_skipped([key for key in keys if not found.hides(key) and is_gone(key)])
    return remove(gallery, ids)


def _gone(gallery: Gallery, found: Scan, many: bool) -> list[int]:
    there = {file.key for file in found.files}
    return gone_photos(gallery, "--prune", many, found.root, lambda key: key in there or found.hides(key))
