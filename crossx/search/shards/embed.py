"""One part of a folder as shards: N processes, nodes or array jobs that need not know of each other."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from crossx.core.cores import cores
from crossx.core.errors import InputError
from crossx.search.gallery.rows import FileKey, Known, Photo, Skipped
from crossx.search.indexing.decode import DecodePool
from crossx.search.indexing.folder import Choices, done_lines, found_lines, interrupted
from crossx.search.indexing.progress import Progress
from crossx.search.indexing.run import Summary, index_files, new_or_changed
from crossx.search.indexing.scan import scan
from crossx.search.opening import identity
from crossx.search.predictor import Predictor
from crossx.search.shards.files import (
    SHARD_ROWS,
    About,
    Shard,
    close_part,
    part_of,
    photos_of,
    read_shard,
    shards_in,
    write_shard,
)


class _Part:
    """The shards of one part; what is added waits until a shard is full, and is durable then."""

    def __init__(self, folder: Path, about: About) -> None:
        self._folder, self._about = folder, about
        self._photos: list[Photo] = []
        self._skipped: list[Skipped] = []
        self._known: dict[FileKey, Known] = {}
        self.number = 0
        for path in shards_in(folder, about.part):
            shard = read_shard(path)
            if (shard.about.whole, shard.about.part) != (about.whole, about.part):
                raise InputError(
                    f"--out: must hold shards of the same encoder, photos and number of parts, got others in {path}; "
                    "name a new folder"
                )
            self._take(shard)
            self.number += 1

    def _take(self, shard: Shard) -> None:
        for photo in (photo for photos in photos_of(shard) for photo in photos):
            self._known[photo.key] = Known(photo.size, photo.mtime_ns, None)
        for entry in shard.skipped:
            self._known[entry.key] = Known(entry.size, entry.mtime_ns, None, entry.reason)

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files."""
        return {key: self._known[key] for key in keys if key in self._known}

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> None:
        """Keep photos for the next shard, and write it where it is full."""
        self._photos += photos
        self._skipped += skipped
        if len(self._photos) >= SHARD_ROWS:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        if self._photos or self._skipped:
            write_shard(self._folder, self.number, self._about, self._photos, self._skipped)
            self.number += 1
            self._photos, self._skipped = [], []


def embed_part(photos: Path, out: Path, encoder: Predictor, part: int, parts: int, choices: Choices) -> Iterator[str]:
    """Embed the files of a part; yields what there is to say.

    Args:
        photos: A folder or a list, which each part looks through.
        out: Folder of the shards, the same for all parts.
        encoder: The encoder.
        part: Number of the part, 1 to `parts`.
        parts: Number of parts.
        choices: The user's choices.

    Raises:
        InputError: When the photos cannot be used, or the folder holds other shards.
        KeyboardInterrupt: After Ctrl-C, when what is done has been written.
    """
    found = scan(photos)
    yield from found_lines(found)
    mine = [file for file in found.files if part_of(file.key.path, parts) == part]
    out.mkdir(parents=True, exist_ok=True)
    about = About(identity(encoder.card), os.path.realpath(encoder.folder), found.root, part, parts)
    shards = _Part(out, about)
    files = new_or_changed(shards, mine)
    yield f"part {part} of {parts}: {len(mine):,} files, {len(files):,} to do"
    summary = Summary()
    if files:
        with DecodePool(encoder.card.photo.size, choices.workers or min(cores(), len(files))) as pool:
            summary = index_files(shards, files, encoder, pool, choices.batch, Progress(len(files)))
        shards.write()
    yield from done_lines(summary, len(mine) - len(files))
    if summary.stopped:
        raise interrupted(summary, len(files))
    close_part(out, about, shards.number)
    yield f"written: part {part} of {parts}, {shards.number} shards in {os.path.join(out, '')}"
