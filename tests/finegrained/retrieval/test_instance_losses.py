"""Losses of fine-grained retrieval against loops in numpy, by hand, and at their edges."""

import math
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings, PhotoEmbeddings
from crossx.finegrained.retrieval.losses import (
    InstanceLoss,
    InstanceNCE,
    InstanceTriplet,
    PhotoContrast,
    PhotoRelation,
    RelationDistillation,
)

Array = npt.NDArray[np.float64]

LOSSES = [
    InstanceNCE(0.2),
    InstanceTriplet(0.5, "all"),
    InstanceTriplet(0.5, "hardest"),
    InstanceTriplet(0.5, "random"),
    RelationDistillation(0.3),
    RelationDistillation(form="pair"),
    PhotoRelation(0.3),
    PhotoContrast(0.2),
]


def embeddings(instance: tuple[int, ...] = (3, 1, 3, 7, 9), seed: int = 0) -> InstanceEmbeddings:
    """Five pairs, of which the first and the third show one instance, and as many free photos."""
    generator = torch.Generator().manual_seed(seed)
    photo, sketch, teacher_photo, teacher_sketch, free, view, free_teacher = F.normalize(
        torch.randn(7, len(instance), 4, generator=generator, dtype=torch.float64), dim=2
    )
    places = torch.tensor(instance)
    certainty = torch.linspace(1, 0.2, len(instance), dtype=torch.float64)
    return InstanceEmbeddings(
        photo,
        sketch,
        places,
        certainty,
        PhotoEmbeddings(free, places, view, free_teacher),
        teacher_photo,
        teacher_sketch,
    )


def array(x: Tensor | None) -> Array:
    assert x is not None
    return x.detach().numpy()


def distance(a: Array, b: Array) -> float:
    return math.sqrt(float(((a - b) ** 2).sum()))


def softmax(values: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def nce_in_numpy(a: Array, b: Array, instance: list[int], weight: list[float], temperature: float) -> float:
    total = 0.0
    for queries, keys in ((a, b), (b, a)):
        for i, query in enumerate(queries):
            kept = [j for j in range(len(keys)) if j == i or instance[j] != instance[i]]
            cosine = {j: float(query @ keys[j]) / temperature for j in kept}
            total += weight[i] * (math.log(sum(math.exp(c) for c in cosine.values())) - cosine[i])
    return total / (2 * len(a))


def test_nce_matches_a_loop() -> None:
    x = embeddings()
    expected = nce_in_numpy(array(x.sketch), array(x.photo), x.instance.tolist(), x.certainty.tolist(), 0.2)
    assert InstanceNCE(0.2)(x).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("negatives", ["all", "hardest"])
def test_triplet_matches_a_loop(negatives: str) -> None:
    x, margin, total = embeddings(), 0.9, 0.0
    photo, sketch = array(x.photo), array(x.sketch)
    for i, instance in enumerate(x.instance.tolist()):
        own = distance(sketch[i], photo[i])
        far = [distance(sketch[i], photo[j]) for j, other in enumerate(x.instance.tolist()) if other != instance]
        costs = [max(0.0, margin + own - d) for d in (far if negatives == "all" else [min(far)])]
        total += float(x.certainty[i]) * sum(costs) / len(costs)
    loss = InstanceTriplet(margin, negatives)(x)  # type: ignore[arg-type]  # one of the two
    assert loss.item() == pytest.approx(total / 5, rel=1e-9)


def test_a_random_negative_is_any_of_another_instance() -> None:
    x = embeddings()
    x.certainty = torch.tensor([1.0, 0, 0, 0, 0])
    loss, own = InstanceTriplet(2.0, "random"), distance(array(x.sketch)[0], array(x.photo)[0])
    legal = {round((2 + own - distance(array(x.sketch)[0], array(x.photo)[j])) / 5, 9) for j in (1, 3, 4)}
    torch.manual_seed(0)
    assert {round(loss(x).item(), 9) for _ in range(60)} == legal


@pytest.mark.parametrize(("own", "other", "expected"), [(0.3, 0.6, 0.0), (0.5, 0.6, 0.1)])
def test_triplet_by_hand(own: float, other: float, expected: float) -> None:
    def at(d: float) -> Tensor:  # a unit vector at a distance from (1, 0)
        cosine = 1 - d * d / 2
        return torch.tensor([cosine, math.sqrt(1 - cosine * cosine)])

    photo = torch.stack([at(own), at(other)])
    x = InstanceEmbeddings(photo, torch.tensor([[1.0, 0], [1, 0]]), torch.tensor([0, 1]), torch.tensor([2.0, 0]))
    assert InstanceTriplet(0.2)(x).item() == pytest.approx(expected, abs=1e-6)


def divergence_in_numpy(
    student: list[tuple[Array, Array]], teacher: list[tuple[Array, Array]], t: float, skip: list[int]
) -> float:
    total = 0.0
    for i in range(len(student[0][0])):
        kept = [j for j in range(len(student[0][0])) if not skip or skip[j] != skip[i]]
        p, q = (
            softmax([-distance(rows[i], columns[j]) / t for j in kept]) for rows, columns in (teacher[0], student[0])
        )
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(student[0][0])


def test_relation_matches_a_loop() -> None:
    x = embeddings()
    student = [(array(x.sketch), array(x.photo))]
    teacher = [(array(x.teacher_sketch), array(x.teacher_photo))]
    expected = divergence_in_numpy(student, teacher, 0.3, [])
    assert RelationDistillation(0.3)(x).item() == pytest.approx(expected, rel=1e-6)


def test_relation_of_pairs_matches_a_loop() -> None:
    x = embeddings((0, 1))  # one legal negative each
    total = 0.0
    for i in (0, 1):
        for j in (i, 1 - i):
            own = distance(array(x.sketch)[i], array(x.photo)[j])
            total += abs(own - distance(array(x.teacher_sketch)[i], array(x.teacher_photo)[j])) / 2
    assert RelationDistillation(form="pair")(x).item() == pytest.approx(total, rel=1e-6)


def test_photo_relation_matches_a_loop() -> None:
    x = embeddings()
    assert x.free is not None
    student, teacher = [(array(x.free.photo),) * 2], [(array(x.free.teacher),) * 2]
    expected = divergence_in_numpy(student, teacher, 0.3, x.instance.tolist())
    assert PhotoRelation(0.3)(x).item() == pytest.approx(expected, rel=1e-6)


def test_photo_contrast_matches_a_loop() -> None:
    x = embeddings()
    assert x.free is not None
    expected = nce_in_numpy(array(x.free.photo), array(x.free.view), x.instance.tolist(), [1.0] * 5, 0.2)
    assert PhotoContrast(0.2)(x).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{type(loss).__name__}-{vars(loss).get('negatives', '')}")
def test_every_loss_is_finite_at_its_edges(loss: InstanceLoss) -> None:
    """Half precision, certainties of 0, and vectors that are equal: value and gradient stay finite."""
    x = embeddings()
    assert x.free is not None
    x.certainty = torch.zeros(5)
    x.photo, x.sketch = x.photo.half(), x.photo.half()
    x.free.photo = x.free.photo[:1].expand(5, -1).half()
    x.free.view = x.free.photo
    for tensor in (x.photo, x.sketch):
        tensor.requires_grad_()
    value = loss(x)
    assert torch.isfinite(value)
    assert value.dtype != torch.float16
    if value.requires_grad:
        value.backward()
        gradients = [tensor.grad for tensor in (x.photo, x.sketch) if tensor.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(
    "loss", LOSSES[:4], ids=lambda loss: f"{type(loss).__name__}-{vars(loss).get('negatives', '')}"
)
def test_pairs_without_certainty_teach_nothing(loss: InstanceLoss) -> None:
    x = embeddings()
    x.certainty = torch.zeros(5, requires_grad=True)
    x.photo.requires_grad_()
    value = loss(x)
    value.backward()
    assert value.item() == 0
    assert x.photo.grad is not None
    assert x.photo.grad.abs().max() == 0
    assert x.certainty.grad is None


@pytest.mark.parametrize(
    "loss", LOSSES[:4], ids=lambda loss: f"{type(loss).__name__}-{vars(loss).get('negatives', '')}"
)
def test_a_batch_of_one_instance_has_no_negatives(loss: InstanceLoss) -> None:
    assert loss(embeddings((2, 2, 2))).item() == 0


def test_photo_relation_wants_two_instances() -> None:
    with pytest.raises(InputError, match="needs at least 2 unlabelled photos of different instances a batch, got 1"):
        PhotoRelation()(embeddings((4,)))


@pytest.mark.parametrize(
    "loss", [RelationDistillation(), PhotoRelation(), PhotoContrast()], ids=lambda x: type(x).__name__
)
def test_a_loss_says_what_it_lacks(loss: InstanceLoss) -> None:
    x = embeddings()
    x.free = x.teacher_photo = None
    with pytest.raises(InputError, match="name model"):
        loss(x)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: InstanceNCE(0), "temperature: must be above 0, got 0"),
        (lambda: InstanceTriplet(2.5), r"margin: must be in \(0, 2\], got 2.5"),
        (partial(InstanceTriplet, negatives="hard"), "negatives: must be one of random, hardest, all; got 'hard'"),  # type: ignore[arg-type]
        (partial(RelationDistillation, form="pairs"), r"form: must be one of batch, pair; got 'pairs' \(did you mean"),  # type: ignore[arg-type]
        (lambda: PhotoRelation(-1), "temperature: must be above 0, got -1"),
        (lambda: PhotoContrast(math.nan), "temperature: must be above 0, got nan"),
    ],
)
def test_numbers_out_of_range_are_refused(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(InputError, match=message):
        build()
