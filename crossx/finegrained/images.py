"""Photos and sketches of a validation or test, with the photo that each belongs to."""

import numpy as np
import torch
from torch import Tensor

from crossx.data.base import LabelledImages
from crossx.data.instances import InstanceData
from crossx.finegrained.types import InstanceBatch
from crossx.types import Modality, Split


class InstanceImages(LabelledImages):
    """Images of one modality and split, as batches that name the own photo and the gallery.

    Args:
        data: The data set.
        modality: `photo` for the gallery, `sketch` for the queries.
        split: The split.

    Raises:
        InputError: When the split is empty, or a sketch has no photo.
    """

    def __init__(self, data: InstanceData, modality: Modality, split: Split) -> None:
        images = data.images(modality, split)
        super().__init__(modality, images.classes, images.labels, images.names, images.instances)
        self.own = np.arange(len(images)) if modality == "photo" else data.own_photos(split)
        self.galleries = self.labels if data.separate_galleries else np.zeros_like(self.labels)
        self._images = images

    def read(self, i: int, scale: int = 1) -> Tensor:
        """Read image i as the data set does, uint8 RGB, (3, scale * S, scale * S)."""
        return self._images.read(i, scale)

    def image(self, i: int) -> Tensor:
        """Image i from the data set's cache, uint8 RGB, (3, S, S)."""
        return self._images.image(i)

    def __getitem__(self, i: int) -> InstanceBatch:
        """Image i as a batch item without the batch dimension."""
        plain = super().__getitem__(i)
        return InstanceBatch(**vars(plain), instance=torch.tensor(self.own[i]), gallery=torch.tensor(self.galleries[i]))
