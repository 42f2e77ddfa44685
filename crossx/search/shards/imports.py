"""Shards into a gallery: all parts, of one encoder, each row checked; what is in the gallery is not added again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from crossx.core.errors import InputError
from crossx.search.card import CARD
from crossx.search.gallery.opening import open_gallery
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import FileKey, Photo, Skipped
from crossx.search.indexing.folder import finish
from crossx.search.indexing.progress import Progress
from crossx.search.opening import remember_encoder
from crossx.search.predictor import Predictor
from crossx.search.shards.files import Shard, photos_of, read_shard, shards_in, shards_of_closed_part


def import_shards(folder: Path, gallery: str, photos_root: str | None, kind: str) -> Iterator[str]:
    """Add the photos of shards to a gallery; yields what there is to say.

    Args:
        folder: Folder that `crossx embed` or `crossx gallery export-vectors` has written.
        gallery: Name of the gallery; it is made where it is not there.
        photos_root: Folder of the photos on this machine; None for the one that the shards name.
        kind: How the gallery is to be searched; empty to leave it as it is.

    Raises:
        InputError: When a part is missing, the shards are of several encoders, or a row is damaged.
        WorkError: When the disk is full.
    """
    shards = whole(folder)
    about = shards[0].about
    root = str(Path(photos_root).resolve()) if photos_root else about.root
    if photos_root and not Path(root).is_dir():
        raise InputError(f"--photos-root: must be a folder, got {photos_root!r}")
    total, done, skipped, added = sum(shard.rows for shard in shards), 0, 0, 0
    yield f"found: {total:,} photos in {len(shards)} shards of {about.parts} parts"
    progress = Progress(total)
    with open_gallery(gallery, write=True, encoder=about.encoder) as opened:
        encoder_there = (Path(about.encoder_folder) / CARD).is_file()
        if encoder_there:
            remember_encoder(opened, Path(about.encoder_folder))
        if kind:
            opened.choose(kind)
        for shard in shards:
            for photos in photos_of(shard, root):
                fresh = _new(opened, photos)
                opened.add(fresh)
                added, done = added + len(fresh), done + len(photos)
                progress.show(done, skipped)
            notes = [Skipped(root, *entry_of(entry)) for entry in shard.skipped]
            known = opened.state([entry.key for entry in notes])
            opened.add([], [entry for entry in notes if entry.key not in known])
            skipped += len(notes)
        progress.end()
        yield f"added: {added:,} photos; {total - added:,} were known, {skipped:,} files had been skipped"
        yield from finish(opened, Predictor(about.encoder_folder) if encoder_there else None)


def whole(folder: Path) -> list[Shard]:
    """All shards of a folder.

    Raises:
        InputError: When there are none, a part or a shard is missing, or they do not belong together.
    """
    if not folder.is_dir():
        raise InputError(
            f"--from-embeddings: must be a folder of shards, as `crossx embed` writes them, got {str(folder)!r}"
        )
    shards = [read_shard(path) for path in shards_in(folder)]
    if not shards:
        raise InputError(f"--from-embeddings: must hold shards, part-*.parquet, got none in {str(folder)!r}")
    first = shards[0].about
    for shard in shards:
        if shard.about.whole != first.whole:
            raise InputError(
                f"--from-embeddings: must hold shards of one encoder, one folder and one number of parts; "
                f"{shard.path.name} and {shards[0].path.name} differ"
            )
    for part in range(1, first.parts + 1):
        there = sum(shard.about.part == part for shard in shards)
        wanted = shards_of_closed_part(folder, part)
        if wanted is None or there != wanted:
            raise InputError(
                f"--from-embeddings: must hold all {first.parts} parts, got part {part} "
                f"{'unfinished' if wanted is None else f'with {there} of {wanted} shards'}; "
                f"`crossx embed --part {part}/{first.parts}` makes it whole, or another export"
            )
    return shards


def entry_of(entry: Skipped) -> tuple[str, int, int, str]:
    """A skipped file without its root."""
    return entry.path, entry.size, entry.mtime_ns, entry.reason


def _new(gallery: Gallery, photos: Sequence[Photo]) -> list[Photo]:
    last = {photo.key: photo for photo in photos}  # of a file that was embedded again, the later row
    known = gallery.state(list(last))

    def same(key: FileKey, photo: Photo) -> bool:
        entry = known.get(key)
        return entry is not None and (entry.size, entry.mtime_ns) == (photo.size, photo.mtime_ns)

    return [photo for key, photo in last.items() if not same(key, photo)]
