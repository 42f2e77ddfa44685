"""Class scores of embeddings, against numpy."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from crossx.errors import InputError
from crossx.evaluation.prototypes import class_prototypes, prototype_posterior

EMBEDDINGS = normalize(torch.randn(7, 3, generator=torch.Generator().manual_seed(0)), dim=1)
CLASSES = torch.tensor([0, 2, 2, 0, 3, 3, 3])


def test_prototypes_are_mean_directions() -> None:
    found = class_prototypes(EMBEDDINGS, CLASSES, 5).numpy()
    embeddings, classes = EMBEDDINGS.numpy().astype(np.float64), CLASSES.numpy()
    for c in range(5):
        members = embeddings[classes == c]
        mean = members.mean(0) / np.linalg.norm(members.mean(0)) if len(members) else np.zeros(3)
        assert found[c] == pytest.approx(mean, abs=1e-6)


def test_posterior_is_a_softmax_of_cosines_over_the_classes_that_there_are() -> None:
    prototypes = class_prototypes(EMBEDDINGS, CLASSES, 5)
    found = prototype_posterior(EMBEDDINGS, prototypes, temperature=0.25).numpy()
    present = [0, 2, 3]
    powers = np.exp(EMBEDDINGS.numpy().astype(np.float64) @ prototypes[present].numpy().T / 0.25)
    assert found[:, present] == pytest.approx(powers / powers.sum(1, keepdims=True), rel=1e-5)
    assert (found[:, [1, 4]] == 0).all()
    assert found.sum(1) == pytest.approx(np.ones(7))


def test_lower_temperature_is_surer_and_changes_no_order() -> None:
    prototypes = class_prototypes(EMBEDDINGS, CLASSES, 5)
    warm, cold = (prototype_posterior(EMBEDDINGS, prototypes, t) for t in (1.0, 0.1))
    assert (cold.amax(1) > warm.amax(1)).all()
    assert torch.equal(cold[:, [0, 2, 3]].argsort(1), warm[:, [0, 2, 3]].argsort(1))


def test_half_precision_embeddings_give_full_precision() -> None:
    prototypes = class_prototypes(EMBEDDINGS.bfloat16(), CLASSES, 5)
    assert prototypes.dtype == torch.float32
    assert prototypes[[0, 2, 3]].norm(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_what_is_refused() -> None:
    prototypes = class_prototypes(EMBEDDINGS, CLASSES, 5)
    with pytest.raises(InputError, match="temperature: 0 is not legal"):
        prototype_posterior(EMBEDDINGS, prototypes, 0)
    with pytest.raises(InputError, match="no class has one"):
        prototype_posterior(EMBEDDINGS, torch.zeros(5, 3), 1)
