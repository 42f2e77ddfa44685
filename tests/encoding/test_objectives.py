"""What holds for every objective."""

import copy
import inspect
from collections.abc import Callable
from functools import partial

import pytest
import torch
from support.embedded import built, random_embeddings, rows
from support.exported import exported
from support.runs import Teachers, encoder, weights

from crossx.encoding import losses
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.encoding.losses import EncodingLoss, EncodingTerm, MIBLoss, PairEmbeddings, TripletLoss
from crossx.encoding.module import EncoderModule


def every_loss() -> dict[str, EncodingLoss | Callable[[EmbeddingSpace], EncodingLoss]]:
    """Every exported loss that compares embeddings, with its defaults; and other options of some."""
    kind: type[EncodingLoss] = EncodingLoss  # type: ignore[type-abstract]  # compared with, never built
    found = {name: loss for name, loss in exported(losses, kind).items() if not loss.needs_features}
    return {
        **{name: _as_term(loss) for name, loss in found.items()},
        "triplet_all": TripletLoss(0.5, "all"),
        "triplet_semi_hard": TripletLoss(0.5, "semi_hard"),
        "triplet_hard": TripletLoss(0.5, "hard"),
        "mib_js": partial(MIBLoss, estimate="jensen_shannon"),
    }


def _as_term(loss: type[EncodingLoss]) -> EncodingLoss | Callable[[EmbeddingSpace], EncodingLoss]:
    return loss if "space" in inspect.signature(loss).parameters else loss()


LOSSES = every_loss()


@pytest.fixture(params=LOSSES, name="loss")
def loss_fixture(request: pytest.FixtureRequest, teachers: Teachers) -> EncodingLoss:
    loss = built(copy.deepcopy(LOSSES[request.param]), teachers).eval()
    assert isinstance(loss, EncodingLoss)
    return loss


def cast(x: PairEmbeddings, dtype: torch.dtype) -> PairEmbeddings:
    return PairEmbeddings(
        x.photo.to(dtype), x.sketch.to(dtype), x.photo_posterior.to(dtype), x.sketch_posterior.to(dtype), x.target
    )


def test_the_order_of_pairs_does_not_matter(loss: EncodingLoss) -> None:
    x = random_embeddings()
    torch.testing.assert_close(loss(rows(x, [3, 5, 0, 1, 4, 2])), loss(x))


def test_swapping_the_modalities_does_not_matter(loss: EncodingLoss) -> None:
    x = random_embeddings()
    swapped = PairEmbeddings(x.sketch, x.photo, x.sketch_posterior, x.photo_posterior, x.target)
    torch.testing.assert_close(loss(swapped), loss(x))


def test_autocast_does_not_change_value_or_gradient(loss: EncodingLoss) -> None:
    loss.float()
    x = cast(random_embeddings(), torch.float32)
    results = []
    for enabled in (False, True):
        x.photo = x.photo.detach().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            value = loss(x)
        assert value.dtype == torch.float32
        results.append((value, torch.autograd.grad(value, x.photo)[0]))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_half_precision_is_raised_wherever_it_comes_from(loss: EncodingLoss) -> None:
    loss.bfloat16()
    assert loss(cast(random_embeddings(), torch.bfloat16)).dtype == torch.float32


def test_posteriors_get_no_gradient(loss: EncodingLoss) -> None:
    x = random_embeddings()
    for tensor in (x.photo, x.photo_posterior, x.sketch_posterior):
        tensor.requires_grad_()
    loss(x).backward()
    assert x.photo.grad is not None
    assert x.photo.grad.abs().sum() > 0
    assert (x.photo_posterior.grad, x.sketch_posterior.grad) == (None, None)


def test_a_batch_of_one_pair_has_a_value_and_a_gradient(loss: EncodingLoss) -> None:
    x = random_embeddings(1)
    x.photo.requires_grad_()
    x.sketch.requires_grad_()
    value = loss(x)
    gradients = torch.autograd.grad(value, [x.photo, x.sketch])
    assert all(torch.isfinite(t).all() for t in (value, *gradients))


def test_surest_posteriors_are_finite(loss: EncodingLoss) -> None:
    """Teachers that are sure beyond what a float can tell, of other classes for the photo and for the sketch."""
    x = random_embeddings()
    x.photo_posterior = torch.eye(10, dtype=torch.float64)[[0, 0, 1, 1, 2, 3]]
    x.sketch_posterior = torch.eye(10, dtype=torch.float64)[[4, 5, 6, 6, 7, 7]]
    x.photo.requires_grad_()
    value = loss(x)
    assert torch.isfinite(value)
    assert torch.isfinite(torch.autograd.grad(value, x.photo)[0]).all()


def test_own_parameters_train_and_are_in_the_state(teachers: Teachers) -> None:
    module = EncoderModule(*teachers, encoder("head"), {"own": EncodingTerm(MIBLoss)})
    loss = module.objective.loss("own")
    own = {f"objective.losses.own.{n}" for n, _ in loss.named_parameters()}
    assert own
    assert own < set(weights(module))
    trained = {
        id(p) for group in module.optimizer_and_schedule(None)["optimizer"].param_groups for p in group["params"]
    }
    assert {id(p) for p in loss.parameters()} < trained
