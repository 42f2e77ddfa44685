"""Refinement of a real generator: who gets a gradient, and towards what it leads."""

from functools import partial
from pathlib import Path

import pytest
import torch
from support.drawing_runs import SIZE, drawer, instances, refinement, running, semi_supervised
from support.runs import changed, weights
from torch import Tensor

from crossx.core.errors import InputError
from crossx.finegrained.data import flipped
from crossx.finegrained.drawing.mixture import MixtureHead
from crossx.finegrained.joint.module import SemiSupervisedModule
from crossx.finegrained.refinement.base import Refinement, RefinementLoss, Reward
from crossx.finegrained.refinement.baselines import BatchBaseline, GreedyBaseline
from crossx.finegrained.refinement.policy import PolicyGradient
from crossx.finegrained.refinement.rewards import retrieval_reward
from crossx.finegrained.refinement.soft import SoftReward, with_gradient
from crossx.finegrained.types import FiveBatch
from crossx.types import Progress


@pytest.fixture
def module(tmp_path: Path) -> SemiSupervisedModule:
    made = semi_supervised(tmp_path)
    made.generator.generator.scale.fill_(0.1)
    return made.train()


def inputs(module: SemiSupervisedModule, photos: int = 5) -> Refinement:
    torch.manual_seed(3)
    photo = torch.rand(photos, 3, SIZE, SIZE)
    return Refinement(photo, torch.arange(photos), module.generator.generator, module.teacher, module.discriminator)


LOSSES = [PolicyGradient(baseline=GreedyBaseline()), PolicyGradient(baseline=BatchBaseline()), SoftReward()]


@pytest.mark.parametrize("loss", LOSSES, ids=["greedy", "batch", "soft"])
def test_the_generator_alone_is_trained_and_nothing_else_moves(
    module: SemiSupervisedModule, loss: RefinementLoss
) -> None:
    before = weights(module)
    module.discriminator.requires_grad_(False)  # as in a generator's turn
    loss(inputs(module)).backward()
    assert changed(before, weights(module)) == set()
    assert len(running(module)) > 4
    with_gradients = {n for n, p in module.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert {n.partition(".")[0] for n in with_gradients} == {"generator"}
    assert {n for n in with_gradients if "decoder.head" in n}


def test_policy_gradient_makes_rewarded_drawings_likelier() -> None:
    """A reward for short drawings makes them shorter."""
    generator = drawer("group").generator
    generator.scale.fill_(0.1)

    class Short(Reward):
        def __call__(self, inputs: Refinement, sketch: Tensor) -> Tensor:
            return sketch.mean((1, 2, 3))  # the more paper, the less was drawn

    loss = PolicyGradient(Short(), BatchBaseline(), entropy=0.0)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    torch.manual_seed(0)
    photos = torch.rand(16, 3, SIZE, SIZE)
    lengths = []
    for _ in range(25):
        lengths.append(float(generator.draw(photos, 1.0).length.float().mean()))
        optimizer.zero_grad()
        loss(Refinement(photos, torch.arange(16), generator, None, None)).backward()  # type: ignore[arg-type]  # no judges
        optimizer.step()
    assert sum(lengths[-5:]) < 0.7 * sum(lengths[:5])


def test_entropy_keeps_the_pen_open(module: SemiSupervisedModule) -> None:
    """With no difference between rewards only the entropy has a gradient."""

    class Same(Reward):
        def __call__(self, inputs: Refinement, sketch: Tensor) -> Tensor:
            return torch.ones(len(sketch))

    given = inputs(module)
    assert float(PolicyGradient(Same(), entropy=0.0)(given).detach()) == 0
    loss = PolicyGradient(Same(), entropy=0.5)(given)
    assert 0 < -float(loss.detach()) <= 0.5 * 1.0987


def test_rows_keep_their_values_and_get_the_gradient_of_their_component() -> None:
    torch.manual_seed(0)
    numbers = torch.randn(2, 4, 6 * 3 + 3, requires_grad=True)
    mixture = MixtureHead(3)(numbers)
    rows = mixture.draw(torch.rand(2, 4, 4), 1.0)
    rows[0, :, 2:] = torch.tensor([1.0, 0, 0])
    rows[1, 2:] = torch.tensor([0.0, 0, 0, 0, 1])
    found = with_gradient(mixture, rows)
    torch.testing.assert_close(found, rows)
    (gradient,) = torch.autograd.grad(found[0, 1, 0], numbers, retain_graph=True)
    x_means, others = gradient[0, 1, 6:9], gradient.clone()
    others[0, 1] = 0
    assert sorted(x_means.tolist()) == [0, 0, 1]  # the offset moves with the mean of one component
    assert others.abs().max() == 0
    (at_end,) = torch.autograd.grad(found[1, 2, :2].sum(), numbers, retain_graph=True)
    assert at_end.abs().max() == 0  # an end row has no offset
    (pen,) = torch.autograd.grad(found[0, 1, 2], numbers)
    p = mixture.pen[0, 1].softmax(0).detach()
    torch.testing.assert_close(pen[0, 1, :3], torch.stack([p[0] * (1 - p[0]), -p[0] * p[1], -p[0] * p[2]]))


def test_retrieval_reward_by_hand() -> None:
    photo = torch.eye(3)
    sketch = torch.stack([photo[0], photo[1], photo[1]])
    found = retrieval_reward(sketch, photo, torch.arange(3), 0.2)
    far = 2**0.5
    assert found.tolist() == pytest.approx([0, 0, -(0.2 + far)], abs=2e-3)  # 0.001 stands for a distance of 0
    same = retrieval_reward(sketch, photo, torch.tensor([0, 1, 1]), 0.2)
    assert same.tolist() == pytest.approx([0, 0, -0.2], abs=2e-3)  # the photo of the same instance is no rival
    assert retrieval_reward(sketch, photo, torch.zeros(3), 0.2).tolist() == [0, 0, 0]


def test_reward_adds_both_parts(module: SemiSupervisedModule) -> None:
    given = inputs(module)
    sketch = torch.rand(5, 3, SIZE, SIZE)
    retrieval, certainty = (Reward(*factors)(given, sketch) for factors in ((1.0, 0.0), (0.0, 1.0)))
    torch.testing.assert_close(Reward(2.0, 0.5)(given, sketch), 2 * retrieval + 0.5 * certainty)
    torch.testing.assert_close(certainty, module.discriminator.certainty(given.photo, sketch))
    assert ((retrieval <= 0) & (retrieval >= -2.2)).all()


def test_a_term_without_weight_draws_nothing(tmp_path: Path) -> None:
    """Before its ramp begins, a term costs no drawing."""
    terms = {"soft": refinement()["soft"]}
    module = semi_supervised(tmp_path, refinement=terms)
    data = instances()
    batch = flipped(data.items()[0])
    assert isinstance(batch.five, FiveBatch)
    for done, expected in ((0, set()), (2, {"refine/soft"})):
        logs = module.play("generator", batch, Progress(done, 10)).logs
        assert {name for name in logs if name.startswith("refine")} == expected


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (partial(Reward, retrieval=-1.0), r"reward\.retrieval: must be at least 0, got -1\.0"),
        (partial(Reward, margin=0.0), r"reward\.margin: must be in \(0, 2\], got 0\.0"),
        (partial(Reward, 0.0, 0.0), "reward: must have a retrieval or a certainty above 0, got 0 for both"),
        (partial(PolicyGradient, entropy=-0.1), r"PolicyGradient\.entropy: must be at least 0, got -0\.1"),
    ],
)
def test_mistakes(part: "partial[object]", message: str) -> None:
    with pytest.raises(InputError, match=message):
        part()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_reward_is_exact_in_mixed_precision(dtype: torch.dtype) -> None:
    """Half precision takes nearly equal vectors for equal ones."""
    photo = torch.nn.functional.normalize(torch.randn(6, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    sketch = torch.nn.functional.normalize(photo + 0.01 * photo.roll(1, 0), dim=1)
    expected = retrieval_reward(sketch, photo, torch.arange(6), 1.5)
    with torch.autocast("cpu", dtype):
        found = retrieval_reward(sketch, photo, torch.arange(6), 1.5)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_drawings_that_are_cut_are_refined_too() -> None:
    """A generator that cannot end draws as many points as it may."""

    class Paper(Reward):
        def __call__(self, inputs: Refinement, sketch: Tensor) -> Tensor:
            return sketch.mean((1, 2, 3))

    generator = drawer("group").generator
    generator.scale.fill_(0.01)
    with torch.no_grad():
        generator.decoder.head.bias[:3] = torch.tensor([9.0, 0.0, -99.0])  # draw, lift, end
    inputs = Refinement(torch.rand(2, 3, SIZE, SIZE), torch.arange(2), generator, None, None)  # type: ignore[arg-type]  # no judges
    assert generator.draw(inputs.photo, temperature=1.0).length.tolist() == [generator.max_points] * 2
    for refine in (SoftReward(Paper()), PolicyGradient(Paper())):
        assert refine(inputs).isfinite()
