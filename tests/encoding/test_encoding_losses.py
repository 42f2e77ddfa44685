"""Values and gradients: against numpy, against hand-made cases, in one process and in two."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from support.processes import run_processes
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.losses import EncodingLoss, InfoNCELoss, PairEmbeddings, PosteriorMatchingLoss, SupConLoss
from crossx.encoding.losses.info_nce import info_nce
from crossx.encoding.losses.posterior_matching import posterior_matching
from crossx.encoding.losses.sup_con import sup_con

Array = npt.NDArray[np.float64]


def random_embeddings(size: int = 6, seed: int = 0, classes: int = 4) -> PairEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    photo, sketch = F.normalize(torch.randn(2, size, 5, generator=generator), dim=2)
    photo_posterior, sketch_posterior = torch.randn(2, size, classes, generator=generator).mul(3).softmax(dim=2)
    return PairEmbeddings(photo, sketch, photo_posterior, sketch_posterior, torch.zeros(size).long())


def rows(x: PairEmbeddings, order: list[int]) -> PairEmbeddings:
    return PairEmbeddings(
        x.photo[order], x.sketch[order], x.photo_posterior[order], x.sketch_posterior[order], x.target[order]
    )


def array(x: Tensor) -> Array:
    return x.detach().numpy().astype(np.float64)


def numpy_info_nce(queries: Array, keys: Array, query_class: Array, key_class: Array, temperature: float) -> float:
    total = 0.0
    for i, query in enumerate(queries):
        kept = [j for j in range(len(keys)) if j == i or key_class[j] != query_class[i]]
        similarity = {j: float(query @ keys[j]) / temperature for j in kept}
        total += math.log(sum(math.exp(s) for s in similarity.values())) - similarity[i]
    return total / len(queries)


# --- InfoNCE ---


def test_info_nce_matches_numpy_over_batches_of_any_size() -> None:
    loss, size, temperature = InfoNCELoss(0.2, queue_size=7), 7, 0.2
    queue: dict[str, list[tuple[Array, int]]] = {"photo": [], "sketch": []}
    for step, batch in enumerate([4, 4, 3, 9, 2]):
        x = random_embeddings(batch, seed=step)
        vectors = {"photo": array(x.photo), "sketch": array(x.sketch)}
        classes = {"photo": array(x.photo_posterior).argmax(1), "sketch": array(x.sketch_posterior).argmax(1)}
        expected = 0.0
        for query, key in (("sketch", "photo"), ("photo", "sketch")):
            keys = np.stack([*vectors[key], *(k for k, _ in queue[key])])
            key_class = np.array([*classes[key], *(c for _, c in queue[key])])
            expected += numpy_info_nce(vectors[query], keys, classes[query], key_class, temperature) / 2
        assert loss(x).item() == pytest.approx(expected, rel=1e-5)
        for key, known in queue.items():
            known.extend(zip(vectors[key], classes[key], strict=True))
            del known[:-size]


def test_keys_of_the_own_class_are_no_negatives() -> None:
    x = random_embeddings()
    x.photo_posterior = x.sketch_posterior = torch.eye(4)[torch.zeros(6).long()]
    x.photo.requires_grad_()
    loss = InfoNCELoss(queue_size=0)(x)
    assert loss.item() == 0
    assert torch.autograd.grad(loss, x.photo)[0].abs().sum() == 0


def test_info_nce_falls_when_pairs_move_together() -> None:
    x = random_embeddings()
    x.photo_posterior = x.sketch_posterior = torch.eye(6)
    apart = InfoNCELoss(queue_size=0)(x).item()
    x.sketch = x.photo
    assert InfoNCELoss(queue_size=0)(x).item() < apart - 1


def test_the_queue_is_fed_in_training_only_and_is_no_part_of_the_state() -> None:
    loss = InfoNCELoss(queue_size=8)
    loss.eval()
    loss(random_embeddings())
    assert len(loss.photo_queue) == len(loss.sketch_queue) == 0
    loss.train()
    loss(random_embeddings())
    assert len(loss.photo_queue) == len(loss.sketch_queue) == 6
    assert loss.state_dict() == {}
    assert list(loss.buffers()) == []


def test_feeding_the_queue_does_not_disturb_a_pending_backward() -> None:
    loss, x = InfoNCELoss(queue_size=4), random_embeddings()
    loss(x)
    x.photo.requires_grad_()
    pending = loss(x)
    loss(random_embeddings(seed=1))
    assert torch.autograd.grad(pending, x.photo)[0].abs().sum() > 0


# --- SupCon ---


@pytest.mark.parametrize(("soft", "sharpness"), [(True, 1.0), (True, 3.0), (False, 1.0)])
def test_sup_con_matches_numpy(soft: bool, sharpness: float) -> None:
    x, temperature = random_embeddings(), 0.3
    photo, sketch = array(x.photo), array(x.sketch)
    photo_posterior, sketch_posterior = array(x.photo_posterior), array(x.sketch_posterior)
    expected = 0.0
    for queries, keys, ours, theirs in (
        (sketch, photo, sketch_posterior, photo_posterior),
        (photo, sketch, photo_posterior, sketch_posterior),
    ):
        for i, query in enumerate(queries):
            log_sum = math.log(sum(math.exp(query @ key / temperature) for key in keys))
            weights = [(ours[i] @ p) ** sharpness if soft else float(ours[i].argmax() == p.argmax()) for p in theirs]
            terms = [w * (query @ key / temperature - log_sum) for w, key in zip(weights, keys, strict=True)]
            if sum(weights) > 0:
                expected -= sum(terms) / sum(weights) / (2 * len(queries))
    assert SupConLoss(temperature, soft=soft, sharpness=sharpness)(x).item() == pytest.approx(expected, rel=1e-5)


def test_sup_con_with_one_pair_a_class_is_info_nce() -> None:
    x = random_embeddings()
    x.photo_posterior = x.sketch_posterior = torch.eye(6)
    assert SupConLoss()(x).item() == pytest.approx(InfoNCELoss(queue_size=0)(x).item(), rel=1e-5)


def test_a_query_without_positives_contributes_nothing() -> None:
    weight = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    query = F.normalize(torch.randn(2, 3, generator=torch.Generator().manual_seed(0)), dim=1).requires_grad_()
    loss = sup_con(query, torch.eye(3)[:2], weight, 0.5)
    assert loss.item() > 0
    assert torch.autograd.grad(loss, query)[0][0].tolist() == [0, 0, 0]


def test_posteriors_get_no_gradient() -> None:
    x = random_embeddings()
    x.photo.requires_grad_()
    x.photo_posterior.requires_grad_()
    SupConLoss()(x).backward()
    assert x.photo_posterior.grad is None


def test_training_on_sup_con_alone_gathers_classes() -> None:
    x = random_embeddings(24, seed=3)
    x.photo_posterior = x.sketch_posterior = F.one_hot(torch.arange(24) % 4, 4).float() * 0.9 + 0.025
    free = torch.stack([x.photo, x.sketch]).requires_grad_()
    same = (torch.arange(24) % 4)[:, None] == (torch.arange(24) % 4)[None, :]

    def margin() -> float:
        photo, sketch = F.normalize(free, dim=2)
        similarity = sketch @ photo.T
        return float((similarity[same].mean() - similarity[~same].mean()).item())

    before, optimizer = margin(), torch.optim.Adam([free], lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        x.photo, x.sketch = F.normalize(free, dim=2)
        SupConLoss(0.2)(x).backward()
        optimizer.step()
    assert margin() > before + 0.5


# --- posterior matching ---


def test_posterior_matching_matches_numpy() -> None:
    x, temperature = random_embeddings(), 0.3
    photo, sketch = array(x.photo), array(x.sketch)
    match = array(x.sketch_posterior) @ array(x.photo_posterior).T
    expected = 0.0
    for wanted, cosine in ((match, sketch @ photo.T), (match.T, photo @ sketch.T)):
        target = np.exp(wanted / temperature)
        target /= target.sum(axis=1, keepdims=True)
        found = cosine / temperature
        found = found - np.log(np.exp(found).sum(axis=1, keepdims=True))
        expected -= (target * found).sum(axis=1).mean() / 2
    assert PosteriorMatchingLoss(temperature)(x).item() == pytest.approx(expected, rel=1e-5)


def test_training_on_posterior_matching_alone_ranks_as_the_teachers_do() -> None:
    """Also among photos of one class, where a contrast of positives with negatives makes no difference."""
    x = random_embeddings(24, seed=5)
    generator = torch.Generator().manual_seed(6)
    free = torch.randn(2, 24, 8, generator=generator).requires_grad_()
    match = x.sketch_posterior @ x.photo_posterior.T
    difference = match[:, :, None] - match[:, None, :]

    def agreement() -> float:
        """Share of the photo pairs of each sketch that stand in the order of the match."""
        similarity = F.normalize(free[1], dim=1) @ F.normalize(free[0], dim=1).T
        same_order = difference * (similarity[:, :, None] - similarity[:, None, :]) > 0
        return float(same_order[difference.abs() > 0.05].float().mean())

    before, optimizer = agreement(), torch.optim.Adam([free], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        x.photo, x.sketch = F.normalize(free, dim=2)
        PosteriorMatchingLoss(0.1)(x).backward()
        optimizer.step()
    assert before < 0.6
    assert agreement() > 0.85


# --- all ---

ALL: list[EncodingLoss] = [InfoNCELoss(queue_size=0), SupConLoss(), SupConLoss(soft=False), PosteriorMatchingLoss()]
each_loss = pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)


@each_loss
def test_the_order_of_pairs_does_not_matter(loss: EncodingLoss) -> None:
    x = random_embeddings()
    assert loss(rows(x, [3, 5, 0, 1, 4, 2])).item() == pytest.approx(loss(x).item(), rel=1e-5)


@each_loss
def test_swapping_the_modalities_does_not_matter(loss: EncodingLoss) -> None:
    x = random_embeddings()
    swapped = PairEmbeddings(x.sketch, x.photo, x.sketch_posterior, x.photo_posterior, x.target)
    assert loss(swapped).item() == pytest.approx(loss(x).item(), rel=1e-5)


@each_loss
def test_autocast_does_not_change_the_value(loss: EncodingLoss) -> None:
    x = random_embeddings()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(x)
    assert value.dtype == torch.float32
    assert value.item() == loss(x).item()


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_the_temperature_is_checked(temperature: float) -> None:
    for loss in (InfoNCELoss, SupConLoss, PosteriorMatchingLoss):
        with pytest.raises(InputError, match=rf"^temperature: must be above 0, got {temperature}$"):
            loss(temperature)


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(3, 5, generator=generator, dtype=torch.float64)
    query_class, key_class = torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1, 0, 2])
    assert torch.autograd.gradcheck(lambda q, k: info_nce(q, k, query_class, key_class, 0.5), (query, keys))
    assert torch.autograd.gradcheck(lambda q, k: sup_con(q, k, weight, 0.5), (query, keys))
    assert torch.autograd.gradcheck(lambda q, k: posterior_matching(q, k, weight, 0.5), (query, keys))


# --- two processes are one process with the double batch ---


def contrastive_losses(inputs: Tensor, posteriors: Tensor) -> list[list[Any]]:
    """Value, process-averaged gradient of a shared weight, and queue of each loss over three batches, each in parts."""
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    results = []
    for loss in (InfoNCELoss(0.2, 11), SupConLoss(0.2), PosteriorMatchingLoss(0.2)):
        for batch, posterior in zip(inputs, posteriors, strict=True):
            weight = torch.linspace(-1, 1, 20, dtype=torch.float64).view(5, 4).sin().requires_grad_()
            photo, sketch = F.normalize(batch.chunk(world)[rank].view(-1, 2, 5) @ weight, dim=2).unbind(dim=1)
            photo_posterior, sketch_posterior = posterior.chunk(world)[rank].unbind(dim=1)
            value = loss(
                PairEmbeddings(photo, sketch, photo_posterior, sketch_posterior, torch.zeros(len(photo)).long())
            )
            (gradient,) = torch.autograd.grad(value, weight)
            if world > 1:
                dist.all_reduce(gradient)
            results.append([value.item(), (gradient / world).tolist()])
            if isinstance(loss, InfoNCELoss) and loss.photo_queue.keys is not None:
                results[-1].append(loss.photo_queue.keys.tolist())
    return results


def test_two_processes_equal_one_with_the_double_batch() -> None:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(3, 8, 10, dtype=torch.float64, generator=generator)
    posteriors = torch.randn(3, 8, 2, 3, dtype=torch.float64, generator=generator).softmax(dim=3)
    expected = contrastive_losses(inputs, posteriors)
    for results in run_processes(2, contrastive_losses, inputs, posteriors):
        for result, reference in zip(results, expected, strict=True):
            for part, reference_part in zip(result, reference, strict=True):
                np.testing.assert_allclose(part, reference_part, rtol=1e-6, atol=1e-9)
