"""From the name that a user gives to a gallery: a folder, or a place in Milvus."""

from pathlib import Path

from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.milvus import MilvusGallery
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import EncoderIdentity

_MILVUS = "milvus:"


def is_in_milvus(name: str) -> bool:
    """Whether a name is of a gallery in Milvus."""
    return name.startswith(_MILVUS)


def open_gallery(name: str, write: bool = False, encoder: EncoderIdentity | None = None) -> Gallery:
    """Open a gallery.

    Args:
        name: A folder, `milvus:http://host:19530`, or `milvus:FILE.db`.
        write: Whether to open it for writing; it is made where it is not there and `encoder` is given.
        encoder: The encoder; must be that of the gallery, where there is one.

    Raises:
        InputError: When it cannot be opened, or is of another encoder.
    """
    if is_in_milvus(name):
        return MilvusGallery(name.removeprefix(_MILVUS), write, encoder)
    return LocalGallery(Path(name), write, encoder)
