"""The shapes as a folder of photo files, as somebody has them."""

from pathlib import Path

from PIL import Image

from crossx.data.shapes.dataset import ShapesDataset

QUALITY = 90
"""Of the JPEG files, as cameras have it."""


def write_photos(folder: Path, each: int = 24, size: int = 224) -> None:
    """Write test photos of the shapes, such as `umbrella-0003.jpg`; no recipe and no teacher has seen them.

    The folder appears when it is complete.

    Args:
        folder: Where they are written; it must not exist.
        each: Photos of a class.
        size: Side in pixels.
    """
    images = ShapesDataset(size=size, train=0, validation=0, test=each, cache=False).images("photo", "test")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    for i in range(len(images)):
        label, number = divmod(i, each)
        name = images.classes[label].replace(" ", "_")
        picture = Image.fromarray(images.read(i).permute(1, 2, 0).numpy())
        picture.save(unfinished / f"{name}-{number:04d}.jpg", quality=QUALITY)
    unfinished.replace(folder)
