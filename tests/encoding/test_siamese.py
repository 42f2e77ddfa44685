import math

import pytest
import torch
from support.embedded import array, check_gradient, learn, random_embeddings, sure_embeddings

from crossx.core.errors import InputError
from crossx.encoding.losses import SiameseLoss


@pytest.mark.parametrize("margin", [0.2, 1.0, 2.0])
def test_matches_numpy(margin: float) -> None:
    x = random_embeddings(7)
    photo, sketch = array(x.photo), array(x.sketch)
    photo_class, sketch_class = array(x.photo_posterior).argmax(1), array(x.sketch_posterior).argmax(1)
    positives, negatives = [], []
    for i, query in enumerate(sketch):
        for j, key in enumerate(photo):
            distance = 1 - float(query @ key)
            if sketch_class[i] == photo_class[j]:
                positives.append(distance)
            else:
                negatives.append(max(0.0, margin - distance))
    assert positives
    assert negatives
    expected = sum(positives) / len(positives) + sum(negatives) / len(negatives)
    assert SiameseLoss(margin)(x).item() == pytest.approx(expected, rel=1e-6)


def test_gradient() -> None:
    check_gradient(SiameseLoss(1.5), random_embeddings(7))


def test_classes_come_together_and_part_by_the_margin() -> None:
    x = sure_embeddings([0, 0, 1, 1, 2, 2])
    learn(SiameseLoss(0.5), x)
    distance, same = 1 - x.sketch @ x.photo.T, x.target[:, None] == x.target[None, :]
    assert distance[same].max() < 0.1
    assert distance[~same].min() > 0.4


def test_a_batch_without_positives_or_without_negatives() -> None:
    x = sure_embeddings([0, 1, 2])
    x.photo_posterior = x.photo_posterior.roll(5, dims=1)
    x.photo = -x.sketch.mean(0, keepdim=True).expand_as(x.sketch).clone()
    assert SiameseLoss(1e-3)(x).item() == pytest.approx(0, abs=1e-2)
    one = sure_embeddings([4, 4])
    one.photo = one.sketch = one.photo[:1].expand_as(one.photo)
    assert SiameseLoss()(one).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("margin", [0.0, -0.5, 2.1, math.nan])
def test_the_margin_is_checked(margin: float) -> None:
    with pytest.raises(InputError, match=rf"^margin: must be in \(0, 2\], got {margin}$"):
        SiameseLoss(margin)


def test_the_wanted_class_is_not_read() -> None:
    x = random_embeddings()
    before = SiameseLoss()(x)
    x.target = x.target + 3
    assert torch.equal(SiameseLoss()(x), before)
