"""Total variation of generated images."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from support.pixels import Pixels, train
from support.runs import Teachers

from crossx.core.errors import InputError
from crossx.reconstruction.losses import Reconstruction, TotalVariationLoss
from crossx.reconstruction.losses.total_variation import total_variation
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import Modality, PairBatch, TeacherOutput


def test_it_matches_numpy() -> None:
    images = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    values = images.numpy().astype(np.float64)
    down, right = [], []
    for image in values.reshape(6, 5, 4):
        down += [abs(image[i + 1, j] - image[i, j]) for i in range(4) for j in range(4)]
        right += [abs(image[i, j + 1] - image[i, j]) for i in range(5) for j in range(3)]
    assert total_variation(images).item() == pytest.approx(np.mean(down) + np.mean(right), rel=1e-5)


def test_it_is_bounded() -> None:
    chessboard = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float().expand(2, 3, 8, 8)
    assert total_variation(chessboard).item() == 2
    assert total_variation(torch.full((2, 3, 8, 8), 0.3)).item() == 0


def test_gradient_is_that_of_the_value() -> None:
    images = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(total_variation, (images.requires_grad_(),))


@pytest.mark.parametrize(
    ("modalities", "expected"), [(["photo"], 2.0), (["sketch"], 0.0), (["photo", "sketch"], 1.0), (None, 1.0)]
)
def test_it_is_the_mean_of_the_modalities_asked_for(modalities: Sequence[Modality] | None, expected: float) -> None:
    photo = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).bfloat16().expand(2, 3, 8, 8)
    teacher = TeacherOutput(torch.zeros(2, 2), torch.zeros(2, 2))
    pairs = PairBatch(photo, torch.ones_like(photo), teacher, teacher, torch.zeros(2).long())
    loss = TotalVariationLoss() if modalities is None else TotalVariationLoss(modalities)
    value = loss(Reconstruction(pairs, Vocabulary("ab", "ab")))
    assert value.item() == expected
    assert value.dtype == torch.float32


@pytest.mark.parametrize("modalities", [[], ["photo", "photo"], ["drawing"]])
def test_modalities_are_checked(modalities: list[Modality]) -> None:
    with pytest.raises(InputError, match=r"^modalities: \[.*\] is not legal; \[photo\], \[sketch\], or"):
        TotalVariationLoss(modalities)


def test_it_smooths_the_images_that_it_names(teachers: Teachers) -> None:
    images = Pixels(teachers)
    photo, sketch = (total_variation(x).item() for x in images.pixels.sigmoid())
    train(images, TotalVariationLoss(["photo"]))
    smooth, untouched = (total_variation(x).item() for x in images.pixels.sigmoid())
    assert smooth < 0.3 * photo
    assert untouched == sketch
