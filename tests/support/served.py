"""A gallery of shapes and an encoder of the shipped teachers, for tests of search and server."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from crossx.pixels.decode import open_rgb
from crossx.pixels.fit import fit_photo
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import Photo
from crossx.search.opening import identity
from crossx.search.predictor import Predictor

Say = Callable[..., str]
"""Runs a command line, and returns what it says."""


def embedded(predictor: Predictor, root: Path, paths: Sequence[Path]) -> list[Photo]:
    """Photo files as rows of a gallery."""
    images = [open_rgb(path) for path in paths]
    size = predictor.card.photo.size
    vectors = predictor.embed_photos(np.stack([fit_photo(image, size) for image in images]))
    rows = []
    for path, image, vector in zip(paths, images, vectors, strict=True):
        about, sha = path.stat(), hashlib.sha256(path.read_bytes()).digest()
        name = str(path.relative_to(root))
        rows.append(Photo(str(root), name, about.st_size, about.st_mtime_ns, sha, *image.size, vector))
    return rows


def add_all(predictor: Predictor, root: Path, folder: Path) -> list[int]:
    """Add all JPEG files below a folder to a gallery; returns their ids in the order of their paths."""
    paths = sorted(root.rglob("*.jpg"))
    with LocalGallery(folder, write=True, encoder=identity(predictor.card)) as gallery:
        return gallery.add(embedded(predictor, root, paths))
