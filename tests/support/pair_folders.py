"""Folders of photos and sketches, drawn by the embedded data set."""

from pathlib import Path

from PIL import Image

from crossx.data.shapes.dataset import ShapesDataset
from crossx.types import Split


def write_pairs(root: Path, count: int = 4, parts: bool = True, classes: tuple[str, ...] = ("car", "cup")) -> None:
    """Write `<category>/[train|test/]<photo|sketch>/` with `count` photos a part and two sketches of each.

    Args:
        root: Folder to make.
        count: Photos of each category and part.
        parts: Whether there are folders `train` and `test`; otherwise all photos are in one.
        classes: Categories.
    """
    data = ShapesDataset(size=24, detail="fine", train=count, test=count, validation=0, sketches=2, cache=False)
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        photos, sketches = data.images("photo", split), data.images("sketch", split)
        for i, label in enumerate(photos.labels.tolist()):
            category = data.classes[label]
            if category not in classes:
                continue
            place = root / category / split if parts else root / category
            name = f"{'' if parts else split + '_'}shop_{i % count}"
            _save(place / "photo" / f"{name}.png", photos.read(i).permute(1, 2, 0).numpy())
            for copy in range(2):
                sketch = sketches.read(2 * i + copy).permute(1, 2, 0).numpy()
                _save(place / "sketch" / f"{name}_{copy + 1}.png", sketch)


def _save(path: Path, pixels: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)  # type: ignore[arg-type]  # numpy's arrays have what Pillow asks for
