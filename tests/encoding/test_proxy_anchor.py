import math

import numpy as np
import pytest
import torch
from support.embedded import Array, array, check_gradient, gap, learn, random_embeddings, started, sure_embeddings
from support.runs import CLASSES, Teachers

from crossx.core.errors import InputError
from crossx.encoding.losses import ProxyAnchorLoss
from crossx.encoding.losses.proxies import ProxyStart, start_proxies
from crossx.teachers.pair import TeacherPair


def numpy_proxy_anchor(vectors: Array, classes: Array, proxies: Array, margin: float, alpha: float) -> float:
    proxies = proxies / np.linalg.norm(proxies, axis=1, keepdims=True)
    pull, push, with_positives = 0.0, 0.0, 0
    for c, proxy in enumerate(proxies):
        cosine = vectors @ proxy
        near, far = cosine[classes == c], cosine[classes != c]
        with_positives += len(near) > 0
        pull += math.log(1 + sum(math.exp(-alpha * (s - margin)) for s in near))
        push += math.log(1 + sum(math.exp(alpha * (s + margin)) for s in far))
    return pull / with_positives + push / len(proxies)


@pytest.mark.parametrize("start", ["teachers", "random"])
def test_matches_numpy(teachers: Teachers, start: ProxyStart) -> None:
    x = random_embeddings(7)
    loss = started(ProxyAnchorLoss(0.2, 8, start), teachers)
    vectors = np.concatenate([array(x.photo), array(x.sketch)])
    classes = np.concatenate([array(x.photo_posterior).argmax(1), array(x.sketch_posterior).argmax(1)])
    torch.manual_seed(0)
    sets = [array(proxies) for proxies in start_proxies(TeacherPair(*teachers), 5, start)]
    expected = sum(numpy_proxy_anchor(vectors, classes, proxies, 0.2, 8) for proxies in sets) / 2
    assert loss(x).item() == pytest.approx(expected, rel=1e-5)


def test_gradient(teachers: Teachers) -> None:
    check_gradient(started(ProxyAnchorLoss(alpha=8), teachers), random_embeddings(7))


@pytest.mark.parametrize("start", ["teachers", "random"])
def test_both_modalities_gather_around_the_proxies_of_their_class(teachers: Teachers, start: ProxyStart) -> None:
    x = sure_embeddings([0, 0, 1, 1, 2, 2])
    before = gap(x.sketch, x.photo, x.target)
    loss = started(ProxyAnchorLoss(start=start), teachers)
    first = {name: proxies.detach().clone() for name, proxies in loss.named_parameters()}
    assert len(first) == 2
    assert all(proxies.shape == (len(CLASSES), 5) for proxies in first.values())
    learn(loss, x)
    assert gap(x.sketch, x.photo, x.target) > before + 0.2
    for name, proxies in loss.named_parameters():
        assert not torch.allclose(proxies, first[name], atol=0.05), "the proxies learn, too"
        for vectors in (x.photo, x.sketch):
            assert torch.equal((vectors @ torch.nn.functional.normalize(proxies, dim=1).T).argmax(1), x.target)


def test_only_the_direction_of_a_proxy_matters(teachers: Teachers) -> None:
    x, loss = random_embeddings(), started(ProxyAnchorLoss(), teachers)
    before = loss(x)
    with torch.no_grad():
        for proxies in loss.parameters():
            proxies.mul_(3)
    torch.testing.assert_close(loss(x), before)


@pytest.mark.parametrize("margin", [-0.1, 1.0, math.nan])
def test_the_margin_is_checked(margin: float) -> None:
    with pytest.raises(InputError, match=r"margin: .* is not legal; from 0 to below 1"):
        ProxyAnchorLoss(margin)


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.inf, math.nan])
def test_alpha_is_checked(alpha: float) -> None:
    with pytest.raises(InputError, match=r"alpha: .* is not above 0"):
        ProxyAnchorLoss(alpha=alpha)


def test_the_start_is_checked() -> None:
    with pytest.raises(InputError, match=r"start: 'zeros' is not legal; one of teachers, random"):
        ProxyAnchorLoss(start="zeros")  # type: ignore[arg-type]


def test_it_must_be_started() -> None:
    with pytest.raises(RuntimeError, match="start_from"):
        ProxyAnchorLoss()(random_embeddings())
