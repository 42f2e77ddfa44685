"""REINFORCE against a closed form: a policy of two rows whose expected gradient can be added up."""

from itertools import product

import pytest
import torch
from torch import Tensor

from crossx.finegrained.drawing.losses import drawing_log_prob
from crossx.finegrained.drawing.mixture import MixtureHead
from crossx.finegrained.refinement.baselines import BatchBaseline
from crossx.finegrained.refinement.policy import policy_loss
from crossx.finegrained.refinement.rewards import advantages
from crossx.finegrained.types import Drawing

DRAWS = 4000
END = 2


def reward_of(pens: Tensor) -> Tensor:
    """Reward by the pen's states in two rows: lifts are worth 2, and ending at once is worth 0.5 more."""
    alive = torch.stack([torch.ones(len(pens)), (pens[:, 0] != END).float()], 1)
    return 2 * ((pens == 1) * alive).sum(1) + 0.5 * (pens[:, 0] == END) + 3


def scored(logits: Tensor, pens: Tensor, offsets: Tensor) -> Drawing:
    """Drawings of two rows at most, scored by the policy with these pen logits, (2, 3) or (N, 2, 3)."""
    numbers = torch.cat([logits.expand(len(pens), 2, 3), torch.zeros(len(pens), 2, 6)], -1)
    first, second = pens.unbind(1)
    length = (first != END).long() + ((first != END) & (second != END)).long()
    ended = (first == END) | (second == END)
    rows = torch.cat([offsets, torch.nn.functional.one_hot(pens, 3).float()], -1)
    padded = torch.cat([rows, rows.new_tensor([0, 0, 0, 0, 1.0]).expand(len(rows), 1, 5)], 1)
    behind = torch.cat([numbers, numbers[:, :1]], 1)
    log_prob = drawing_log_prob(MixtureHead(1)(behind), padded, length, ended)
    return Drawing(rows, length, ended, log_prob, torch.zeros(len(rows)))


def expected_gradient(logits: Tensor, baseline: float) -> Tensor:
    """Sum over all 9 drawings of probability * (reward - baseline) * gradient of log-probability / rows."""
    probability, log_prob = logits.detach().softmax(1), logits.log_softmax(1)
    total = torch.zeros_like(logits)
    for first, second in product(range(3), range(3)):
        if first == END and second > 0:
            continue  # one drawing, whatever a second row would have been
        p = probability[0, first] if first == END else probability[0, first] * probability[1, second]
        score = log_prob[0, first] if first == END else log_prob[0, first] + log_prob[1, second]
        reward = float(reward_of(torch.tensor([[first, second]])))
        rows = 1 if first == END else 2
        total += p * (reward - baseline) / rows * torch.autograd.grad(score, logits, retain_graph=True)[0]
    return total


def policy() -> Tensor:
    return torch.tensor([[0.3, -0.2, 0.1], [-0.4, 0.5, 0.2]], requires_grad=True)


def estimates(logits: Tensor, baseline: float) -> Tensor:
    """One estimate of the gradient a drawing, (N, 2, 3)."""
    torch.manual_seed(0)
    pens = torch.stack([torch.multinomial(row, DRAWS, replacement=True) for row in logits.detach().softmax(1)], 1)
    # Each drawing has logits of its own, so that one backward gives all gradients; the loss is their mean.
    own = logits.detach().expand(DRAWS, 2, 3).clone().requires_grad_()
    loss = policy_loss(scored(own, pens, torch.randn(DRAWS, 2, 2)), reward_of(pens) - baseline)
    return -DRAWS * torch.autograd.grad(loss, own)[0]


@pytest.mark.parametrize("baseline", [0.0, 3.5])
def test_mean_of_estimates_is_the_gradient(baseline: float) -> None:
    logits = policy()
    found = estimates(logits, baseline)
    error = found.std(0) / DRAWS**0.5
    assert ((found.mean(0) - expected_gradient(logits, baseline)).abs() <= 3 * error).all()
    assert expected_gradient(logits, baseline).abs().max() > 0.05


def test_baseline_lowers_the_variance() -> None:
    logits = policy()
    assert estimates(logits, 3.5).var(0).sum() < 0.5 * estimates(logits, 0.0).var(0).sum()


def test_rows_behind_the_end_have_no_effect() -> None:
    logits = policy()
    pens = torch.tensor([[END, 0], [END, 1], [0, 1]])
    offsets = torch.randn(3, 2, 2)
    advantage = torch.tensor([1.0, -0.5, 0.2])
    loss = policy_loss(scored(logits, pens, offsets), advantage)
    pens[0, 1], offsets[:2, 1] = 1, 100.0
    again = policy_loss(scored(logits, pens, offsets), advantage)
    assert torch.equal(loss, again)
    assert torch.equal(*(torch.autograd.grad(x, logits)[0] for x in (loss, again)))


def test_batch_baseline_leaves_the_drawing_itself_out() -> None:
    reward = torch.tensor([1.0, 2.0, 6.0])
    found = BatchBaseline()(reward, lambda: pytest.fail("draws"), lambda _: pytest.fail("judges"))
    assert found.tolist() == [4, 3.5, 1.5]


def test_advantages_have_the_deviation_of_one() -> None:
    reward = torch.tensor([1.0, 2.0, 6.0, 3.0], requires_grad=True)
    found = advantages(reward, torch.tensor(3.0))
    assert not found.requires_grad
    assert found.std(correction=0) == pytest.approx(1, abs=1e-3)
    assert torch.equal(found.sign(), torch.tensor([-1.0, -1.0, 1.0, 0.0]))
    assert advantages(torch.full((3,), 2.0), torch.tensor(2.0)).tolist() == [0, 0, 0]
