"""Galleries for tests: photos with drawn vectors, and no encoder."""

from pathlib import Path

import numpy as np

from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import F32, EncoderIdentity, Photo

DIM = 16
ENCODER = EncoderIdentity("e" * 64, DIM, '{"name": "drawn"}')


def unit(n: int, seed: int = 0, dim: int = DIM) -> F32:
    """Drawn unit vectors, (n, dim)."""
    vectors = np.random.default_rng(seed).standard_normal((n, dim))
    scaled: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def photos(n: int, seed: int = 0, root: str = "/photos", dim: int = DIM) -> list[Photo]:
    """Photos `seed/0.jpg` and so on, each of another content."""
    vectors = unit(n, seed, dim)
    return [Photo(root, f"{seed}/{i}.jpg", 100 + i, 10**18 + i, content(seed, i), 30, 20, vectors[i]) for i in range(n)]


def content(seed: int, i: int) -> bytes:
    """SHA-256 of a photo, drawn."""
    return np.random.default_rng([seed, i]).bytes(32)


def made(folder: Path, n: int = 0, seed: int = 0) -> LocalGallery:
    """A gallery that is open for writing, with photos."""
    gallery = LocalGallery(folder, write=True, encoder=ENCODER)
    if n:
        gallery.add(photos(n, seed))
    return gallery
