"""Images without their labels."""

import torch

from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.unlabelled import UnlabelledImages


def test_images_of_all_lists_in_their_order() -> None:
    data = ShapesDataset(size=16, train=1, validation=2, test=1)
    lists = [data.images("sketch", split) for split in ("validation", "test")]
    images = UnlabelledImages(lists)
    expected = [labelled[i].image for labelled in lists for i in range(len(labelled))]
    assert len(images) == len(expected) == 30
    assert all(torch.equal(images[i], image) for i, image in enumerate(expected))
    assert len(UnlabelledImages([])) == 0
