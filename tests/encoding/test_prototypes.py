"""Class prototypes: values against numpy, precision, gradients."""

import numpy as np
import torch
import torch.nn.functional as F

from crossx.encoding.prototypes import class_means, prototype_log_posterior


def test_means_match_numpy() -> None:
    embedding = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 3, 3, 1, 0, 3, 0, 1, 3])
    means, present = class_means(embedding, label, 5)
    assert present.tolist() == [True, True, False, True, False]
    for c in range(5):
        expected = embedding.numpy()[label.numpy() == c].mean(axis=0) if present[c] else np.zeros(4)
        np.testing.assert_allclose(means[c].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_log_posterior_matches_numpy() -> None:
    generator = torch.Generator().manual_seed(1)
    embedding, prototypes = torch.randn(6, 4, generator=generator), 3 * torch.randn(5, 4, generator=generator)
    present = torch.tensor([True, False, True, True, True])
    found = prototype_log_posterior(embedding, prototypes, present, 0.3).numpy()
    unit, ways = (F.normalize(x.double(), dim=1).numpy() for x in (embedding, prototypes))
    kept = present.numpy()
    powers = np.exp(unit @ ways[kept].T / 0.3)
    np.testing.assert_allclose(found[:, kept], np.log(powers / powers.sum(axis=1, keepdims=True)), rtol=1e-4, atol=1e-5)
    assert np.isfinite(found).all()
    assert (found[:, ~kept].max(axis=1) < found[:, kept].min(axis=1)).all()


def test_without_any_prototype_the_gradient_is_finite() -> None:
    embedding = torch.randn(2, 4, requires_grad=True)
    value = prototype_log_posterior(embedding, torch.zeros(3, 4), torch.zeros(3).bool(), 0.1).sum()
    assert torch.autograd.grad(value, embedding)[0].abs().sum() == 0


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = (torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    present = torch.tensor([1, 0, 1, 1, 1]).bool()
    assert torch.autograd.gradcheck(lambda x, y: prototype_log_posterior(x, y, present, 0.5)[:, present], (a, b))


def test_autocast_does_not_change_the_values() -> None:
    embedding, label = torch.randn(8, 4), torch.arange(8) % 3
    means, present = class_means(embedding, label, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(class_means(embedding, label, 3)[0], means)
        posterior = prototype_log_posterior(embedding, means, present, 0.1)
    assert torch.equal(posterior, prototype_log_posterior(embedding, means, present, 0.1))
