"""Images of the embedded data set that tests draw once."""

from torch import Tensor

from crossx.data.shapes.dataset import ShapesImages

_READ = ShapesImages.read
_SIDE, _MOST = 32, 20_000
"""Largest side and number of the images that are kept: 60 MB."""
_DRAWN: dict[tuple[object, ...], Tensor] = {}


def drawn_once(images: ShapesImages, i: int, scale: int = 1) -> Tensor:
    """What `ShapesImages.read` draws, from memory where a test has drawn it before."""
    data = images.data
    if data.size * scale > _SIDE:
        return _READ(images, i, scale)
    settings = (data.seed, *data.counts.values(), data.sketches, data.detail, data.size)
    key = (*settings, images.modality, images.split, i, scale)
    if key not in _DRAWN:
        if len(_DRAWN) >= _MOST:
            return _READ(images, i, scale)
        _DRAWN[key] = _READ(images, i, scale)
    return _DRAWN[key].clone()
