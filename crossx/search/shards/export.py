"""A gallery as shards: what `crossx index --from-embeddings` takes, into another gallery or on another machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from crossx.core.errors import InputError
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import Photo
from crossx.search.opening import ENCODER_FOLDER
from crossx.search.shards.files import SHARD_ROWS, About, close_part, shards_in, write_shard


def export_vectors(gallery: Gallery, out: Path, folder: str | None = None, rows: int = SHARD_ROWS) -> Iterator[str]:
    """Write the photos of an indexed folder with their vectors, and the notes of skipped files; yields what to say.

    Args:
        gallery: The gallery.
        out: Folder for the shards, without any; none are left there where the export does not come to its end.
        folder: The indexed folder, because names in shards begin at one; None where the gallery has one.
        rows: Photos of one shard.

    Raises:
        InputError: When the gallery has several folders and none is named, or has no photo of the folder, or there are
            shards already.
    """
    if out.is_dir() and shards_in(out):
        raise InputError(f"--out: must be a folder without shards, got {str(out)!r}; remove its part-*.parquet first")
    root = _root(gallery, folder)
    about = About(gallery.encoder, gallery.setting(ENCODER_FOLDER), root, part=1, parts=1)
    skipped = [entry for entry in gallery.skipped() if entry.root == root]
    photos, written = 0, list[Path]()
    try:
        for part in _parts(gallery, root, rows):
            out.mkdir(parents=True, exist_ok=True)
            written.append(write_shard(out, len(written), about, part, [] if written else skipped))
            photos += len(part)
        if not photos:
            raise InputError(f"--folder: must be an indexed folder with photos, got none of {root!r} in {gallery.name}")
        close_part(out, about, len(written))
    except BaseException:  # Ctrl-C, too
        for path in written:
            path.unlink(missing_ok=True)
        raise
    yield (
        f"written: {photos:,} photos and {len(skipped):,} skipped files of {root}, {len(written)} shards in "
        f"{os.path.join(out, '')}"
    )


def _root(gallery: Gallery, folder: str | None) -> str:
    folders = gallery.folders()
    if folder is not None:
        root = os.path.realpath(folder)
        if root not in folders:
            raise InputError(f"--folder: must be one of the indexed folders, {', '.join(folders)}, got {folder!r}")
        return root
    if not folders:
        raise InputError(f"gallery export-vectors: must name a gallery with photos, got {gallery.name} without")
    if len(folders) > 1:
        raise InputError(f"--folder: must name one of the indexed folders, {', '.join(folders)}, got none")
    return folders[0]


def _parts(gallery: Gallery, root: str, rows: int) -> Iterator[list[Photo]]:
    """The photos of a folder, so many at a time."""
    waiting: list[Photo] = []
    for photo in gallery.scan():
        if photo.root == root:
            waiting.append(photo)
        if len(waiting) == rows:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
