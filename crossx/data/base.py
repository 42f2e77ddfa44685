"""Interface of data sets: a list of labelled images for each modality and split, and one list of class names.

A new data set is one file: a subclass of `LabelledImages` that reads image i, and a subclass of `RetrievalData` that
returns them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.core.checks import some
from crossx.core.errors import InputError
from crossx.types import ImageBatch, Modality, Split


class LabelledImages(Dataset[ImageBatch], ABC):
    """Images of one modality and one split.

    Args:
        modality: Modality of the images.
        classes: Class names in the order of the labels.
        labels: Class index of each image, (N,).
        names: Unique, readable name of each image, such as its path relative to the data root, (N,).
        instances: Identity of the depicted object, (N,): a photo and a sketch with the same text are an instance-level
            pair. None where the data set has no such pairs.
        cache: Keep decoded images in memory as uint8; for small images only (3 KiB for each image of 32 px).

    Raises:
        InputError: When the list is empty or its parts differ in length.
    """

    def __init__(
        self,
        modality: Modality,
        classes: Sequence[str],
        labels: Sequence[int] | npt.NDArray[np.int64],
        names: Sequence[str],
        instances: Sequence[str] | None = None,
        cache: bool = False,
    ) -> None:
        if len(names) == 0:
            raise InputError(f"{modality}: must have at least one image, got an empty list for {some(classes)}")
        if len(labels) != len(names) or (instances is not None and len(instances) != len(names)):
            raise InputError(
                f"{modality}: must have a label for each name, got {len(names)} names, {len(labels)} labels"
            )
        self.modality: Modality = modality
        self.classes = tuple(classes)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.names = list(names)
        self.instances = None if instances is None else list(instances)
        self.cache = cache
        self._cache: dict[int, Tensor] | None = {} if cache else None

    @abstractmethod
    def read(self, i: int, scale: int = 1) -> Tensor:
        """Read image i as uint8 RGB, (3, scale * S, scale * S), with S the side of the data set's images.

        Args:
            i: Index of the image.
            scale: 1, or the factor to a higher resolution, at which a pen redraws lines.
        """

    def __len__(self) -> int:
        return len(self.names)

    def image(self, i: int) -> Tensor:
        """Image i as uint8 RGB, (3, S, S), from the cache if it is there."""
        if self._cache is None:
            return self.read(i)
        if i not in self._cache:
            self._cache[i] = self.read(i)
        return self._cache[i]

    def __getitem__(self, i: int) -> ImageBatch:
        """Image i as a batch item without the batch dimension: float32 in [0, 1]."""
        return ImageBatch(
            image=self.image(i).float().div_(255.0),
            label=torch.tensor(self.labels[i]),
            index=torch.tensor(i),
            modality=self.modality,
        )


class RetrievalData(ABC):
    """Photos and sketches of the same classes, in fixed splits.

    Attributes:
        name: Short name for tables and run folders.
        classes: Class names, the same for photos and sketches; labels index into it.
        size: Side of the square images in pixels.
    """

    name: str
    classes: tuple[str, ...]
    size: int

    @abstractmethod
    def images(self, modality: Modality, split: Split) -> LabelledImages:
        """The images of a modality and split; photos are the gallery, sketches the queries.

        Raises:
            InputError: When a file or folder is missing, or the split is empty.
        """

    @property
    @abstractmethod
    def split_hash(self) -> str:
        """SHA-256 (hex) of everything that fixes the split: equal hashes mean the same images in the same parts."""
