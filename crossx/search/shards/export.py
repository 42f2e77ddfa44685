"""A gallery as shards: what `crossx index --from-embeddings` takes, into another gallery or on another machine."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crossx.core.errors import InputError
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import Photo, Skipped
from crossx.search.opening import ENCODER_FOLDER
from crossx.search.shards.files import SHARD_ROWS, About, close_part, shards_in, write_shard

_EVERYWHERE = "/"
"""Folder that names begin at where photos of several folders are in one gallery: shards have one."""


def export_vectors(gallery: Gallery, out: Path, rows: int = SHARD_ROWS) -> Iterator[str]:
    """Write the photos of a gallery with their vectors, and the notes of skipped files; yields what there is to say.

    Args:
        gallery: The gallery.
        out: Folder for the shards, without any.
        rows: Photos of one shard.

    Raises:
        InputError: When the folder holds shards already, or the gallery has no photo.
    """
    out.mkdir(parents=True, exist_ok=True)
    if shards_in(out):
        raise InputError(f"--out: must be a folder without shards, got {str(out)!r}")
    folders = gallery.folders()
    root = folders[0] if len(folders) == 1 else _EVERYWHERE
    about = About(gallery.encoder, gallery.setting(ENCODER_FOLDER), root, part=1, parts=1)
    waiting: list[Photo] = []
    shards = photos = 0
    for photo in gallery.scan():
        waiting.append(replace(photo, root=root, path=_below(root, photo)))
        if len(waiting) == rows:
            write_shard(out, shards, about, waiting, [])
            shards, photos, waiting = shards + 1, photos + rows, []
    skipped = [replace(entry, root=root, path=_below(root, entry)) for entry in gallery.skipped()]
    if waiting or skipped:
        write_shard(out, shards, about, waiting, skipped)
        shards, photos = shards + 1, photos + len(waiting)
    if not photos:
        raise InputError(f"gallery export-vectors: must name a gallery with photos, got none in {gallery.name}")
    close_part(out, about, shards)
    yield f"written: {photos:,} photos and {len(skipped):,} skipped files, {shards} shards in {os.path.join(out, '')}"


def _below(root: str, file: Photo | Skipped) -> str:
    """Name of a file below the shards' folder."""
    return file.path if root == file.root else os.path.relpath(os.path.join(*file.key), root)
