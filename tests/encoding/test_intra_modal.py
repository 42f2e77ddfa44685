import math

import pytest
import torch
from support.embedded import Array, array, check_gradient, gap, learn, random_embeddings, sure_embeddings

from crossx.core.errors import InputError
from crossx.encoding.losses import IntraModalLoss
from crossx.encoding.losses.matrices import without_self


def numpy_intra_modal(vectors: Array, posterior: Array, temperature: float, sharpness: float) -> float:
    total = 0.0
    for i, query in enumerate(vectors):
        others = [j for j in range(len(vectors)) if j != i]
        log_sum = math.log(sum(math.exp(query @ vectors[j] / temperature) for j in others))
        weights = {j: (posterior[i] @ posterior[j]) ** sharpness for j in others}
        total -= sum(w * (query @ vectors[j] / temperature - log_sum) for j, w in weights.items()) / sum(
            weights.values()
        )
    return total / len(vectors)


@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_matches_numpy(sharpness: float) -> None:
    x = random_embeddings(7)
    expected = numpy_intra_modal(array(x.photo), array(x.photo_posterior), 0.3, sharpness) / 2
    expected += numpy_intra_modal(array(x.sketch), array(x.sketch_posterior), 0.3, sharpness) / 2
    assert IntraModalLoss(0.3, sharpness=sharpness)(x).item() == pytest.approx(expected, rel=1e-6)


def test_gradient() -> None:
    check_gradient(IntraModalLoss(0.3), random_embeddings(7))


def test_classes_gather_within_each_modality() -> None:
    x = sure_embeddings([0, 0, 0, 1, 1, 1, 2, 2, 2])
    before = gap(x.photo, x.photo, x.target), gap(x.sketch, x.sketch, x.target)
    learn(IntraModalLoss(0.2, sharpness=3), x)
    assert gap(x.photo, x.photo, x.target) > before[0] + 0.5
    assert gap(x.sketch, x.sketch, x.target) > before[1] + 0.5


def test_the_other_modality_does_not_matter() -> None:
    x = random_embeddings()
    before = IntraModalLoss()(x)
    x.sketch = x.sketch[:, [1, 0, 2, 3, 4]]  # turned as a whole: the angles among the sketches are the same
    assert IntraModalLoss()(x).item() == pytest.approx(before.item(), rel=1e-9)


def test_a_matrix_without_its_diagonal() -> None:
    square = torch.arange(16).view(4, 4)
    assert without_self(square).tolist() == [[1, 2, 3], [4, 6, 7], [8, 9, 11], [12, 13, 14]]
    assert without_self(square[:1, :1]).shape == (1, 0)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_numbers_are_checked(value: float) -> None:
    with pytest.raises(InputError, match=r"temperature: .* is not above 0"):
        IntraModalLoss(value)
    with pytest.raises(InputError, match=r"sharpness: .* is not above 0"):
        IntraModalLoss(sharpness=value)
