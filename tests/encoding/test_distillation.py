import math
from pathlib import Path

import numpy as np
import pytest
import torch
from support.embedded import Array, array, check_gradient, gap, learn, random_embeddings, started, sure_embeddings
from support.runs import CLASSES, Teachers, save_teachers

from crossx.core.errors import InputError
from crossx.encoding.losses import DistillationLoss
from crossx.encoding.losses.distillation import Follow
from crossx.encoding.losses.proxies import ProxyStart

each_follow = pytest.mark.parametrize("follow", ["geometry", "classes"])


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


def kl(teacher: Array, student: Array) -> float:
    return float(sum(p * math.log(p / q) for p, q in zip(teacher, student, strict=True) if p > 0))


def test_geometry_matches_numpy(teachers: Teachers) -> None:
    x, temperature, expected = random_embeddings(7), 0.3, 0.0
    for vectors, posterior in ((x.photo, x.photo_posterior), (x.sketch, x.sketch_posterior)):
        e, root = array(vectors), np.sqrt(array(posterior))
        for i in range(7):
            others = [j for j in range(7) if j != i]
            teacher, student = (softmax((m[others] @ m[i]) / temperature) for m in (root, e))
            expected += kl(teacher, student) / 14
    loss = started(DistillationLoss("geometry", temperature), teachers)
    assert list(loss.parameters()) == []
    assert loss(x).item() == pytest.approx(expected, rel=1e-6)


def test_classes_match_numpy(tmp_path: Path) -> None:
    """Each encoder chooses among the classes that its teacher knows."""
    known = {"photo": list(range(7)), "sketch": [0, 1, 2, *range(7, 10)]}
    names = {side: [CLASSES[c] for c in classes] for side, classes in known.items()}
    loss = started(DistillationLoss(temperature=0.3), save_teachers(tmp_path, classes=names))  # type: ignore[arg-type]
    x, expected = random_embeddings(7), 0.0
    (proxies,) = (array(p) for p in loss.parameters())
    for side in ("photo", "sketch"):
        posterior = getattr(x, f"{side}_posterior")
        unknown = [c for c in range(10) if c not in known[side]]
        posterior[:, unknown] = 0
        posterior /= posterior.sum(1, keepdim=True)
        for e, p in zip(array(getattr(x, side)), array(posterior), strict=True):
            directions = proxies[known[side]] / np.linalg.norm(proxies[known[side]], axis=1, keepdims=True)
            expected += kl(p[known[side]], softmax(directions @ e / 0.3)) / 14
    assert loss(x).item() == pytest.approx(expected, rel=1e-5)
    check_gradient(loss, x)


@each_follow
def test_gradient(teachers: Teachers, follow: Follow) -> None:
    check_gradient(started(DistillationLoss(follow, 0.3), teachers), random_embeddings(7))


def test_the_angles_follow_the_posteriors(teachers: Teachers) -> None:
    x = random_embeddings(12)
    loss = started(DistillationLoss("geometry", 0.2), teachers)

    def correlation() -> float:
        root, off = x.photo_posterior.sqrt(), ~torch.eye(12, dtype=torch.bool)
        pair = torch.stack([(x.photo @ x.photo.T)[off], (root @ root.T)[off]])
        return torch.corrcoef(pair)[0, 1].item()

    before = correlation()
    values = learn(loss, x)
    assert values[-1] < 0.3 * values[0]
    assert correlation() > max(before, 0) + 0.4


@pytest.mark.parametrize("start", ["teachers", "random"])
def test_the_scores_follow_the_posteriors_and_bring_the_modalities_together(
    teachers: Teachers, start: ProxyStart
) -> None:
    x = sure_embeddings([0, 0, 1, 1, 2, 2])
    before = gap(x.sketch, x.photo, x.target)
    loss = started(DistillationLoss(start=start), teachers)
    first = [proxies.detach().clone() for proxies in loss.parameters()]
    values = learn(loss, x)
    assert values[-1] < 0.2 * values[0]
    assert gap(x.sketch, x.photo, x.target) > before + 0.3
    assert not torch.allclose(next(loss.parameters()), first[0], atol=0.05), "the proxies learn, too"


def test_only_the_proxies_are_kept(teachers: Teachers) -> None:
    assert set(started(DistillationLoss(), teachers).state_dict()) == {"proxies"}


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_the_temperature_is_checked(temperature: float) -> None:
    with pytest.raises(InputError, match=r"temperature: .* is not above 0"):
        DistillationLoss(temperature=temperature)


def test_choices_are_checked() -> None:
    with pytest.raises(InputError, match=r"follow: 'labels' is not legal; one of geometry, classes"):
        DistillationLoss("labels")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"start: 'zeros' is not legal; one of teachers, random"):
        DistillationLoss(start="zeros")  # type: ignore[arg-type]


def test_it_must_be_started() -> None:
    with pytest.raises(RuntimeError, match="start_from"):
        DistillationLoss()(random_embeddings())
