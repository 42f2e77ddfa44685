import math

import numpy as np
import pytest
from support.embedded import Array, array, check_gradient, gap, learn, random_embeddings, sure_embeddings

from crossx.core.errors import InputError
from crossx.encoding.losses import TripletLoss
from crossx.encoding.losses.triplet import Mining

MININGS: tuple[Mining, ...] = ("all", "semi_hard", "hard")
each_mining = pytest.mark.parametrize("mining", MININGS)


def numpy_triplets(anchors: Array, others: Array, same: Array, margin: float, mining: Mining) -> float:
    values = []
    for i, anchor in enumerate(anchors):
        cosine = others @ anchor
        positives, negatives = cosine[same[i]], cosine[~same[i]]
        if not (len(positives) and len(negatives)):
            continue
        if mining == "hard":
            positives, negatives = positives.min(keepdims=True), negatives.max(keepdims=True)
        for positive in positives:
            for negative in negatives:
                violation = margin + negative - positive
                counts = violation >= 0 if mining != "semi_hard" else 0 <= violation < margin
                if mining == "hard" or counts:
                    values.append(max(0.0, violation))
    return float(np.mean(values)) if values else 0.0


@each_mining
@pytest.mark.parametrize("margin", [0.2, 1.5])
def test_matches_numpy(mining: Mining, margin: float) -> None:
    x = random_embeddings(8, seed=3)
    photo, sketch = array(x.photo), array(x.sketch)
    same = array(x.sketch_posterior).argmax(1)[:, None] == array(x.photo_posterior).argmax(1)[None, :]
    expected = numpy_triplets(sketch, photo, same, margin, mining) / 2
    expected += numpy_triplets(photo, sketch, same.T, margin, mining) / 2
    assert expected > 0
    assert TripletLoss(margin, mining)(x).item() == pytest.approx(expected, rel=1e-6)


@each_mining
def test_gradient(mining: Mining) -> None:
    check_gradient(TripletLoss(1.0, mining), random_embeddings(8, seed=3))


@each_mining
def test_classes_part_by_the_margin(mining: Mining) -> None:
    x = sure_embeddings([0, 0, 1, 1, 2, 2, 3, 3])
    before = gap(x.sketch, x.photo, x.target)
    values = learn(TripletLoss(0.5, mining), x)
    assert values[-1] < 0.2 * values[0]
    assert gap(x.sketch, x.photo, x.target) > before + 0.4


@each_mining
def test_a_batch_of_one_class_has_no_triplets(mining: Mining) -> None:
    x = sure_embeddings([4, 4, 4])
    x.photo.requires_grad_()
    loss = TripletLoss(mining=mining)(x)
    loss.backward()
    assert loss.item() == 0
    assert x.photo.grad is not None
    assert x.photo.grad.abs().sum() == 0


@pytest.mark.parametrize("margin", [0.0, -0.5, 2.1, math.nan])
def test_the_margin_is_checked(margin: float) -> None:
    with pytest.raises(InputError, match=rf"^margin: must be in \(0, 2\], got {margin}$"):
        TripletLoss(margin)


def test_the_mining_is_checked() -> None:
    with pytest.raises(
        InputError,
        match=r"^mining: must be one of all, semi_hard, hard; got 'semihard' \(did you mean 'semi_hard'\?\)$",
    ):
        TripletLoss(mining="semihard")  # type: ignore[arg-type]
