import math
import warnings
from argparse import ArgumentError
from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.reconstruction.losses import InformationEntropyLoss, OneHotLoss, ReconstructionLoss, ReconstructionTerm
from crossx.training.objective import WeightedObjective, WeightedTerm, complete_terms
from crossx.training.run_length import Length
from crossx.types import Progress


class Power(nn.Module):
    """x^exponent, counting its calls."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x**self.exponent


def test_weighted_sum_and_raw_detached_values() -> None:
    objective = WeightedObjective({"square": WeightedTerm(Power(2), 0.5), "cube": WeightedTerm(Power(3), 2)})
    x = torch.tensor(3.0, requires_grad=True)
    loss, values = objective(x, Progress(0))
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * 9 + 2 * 27)
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(0.5 * 6 + 2 * 27)
    assert {name: value.item() for name, value in values.items()} == {"square": 9.0, "cube": 27.0}
    assert not any(value.requires_grad for value in values.values())


@pytest.mark.parametrize(("batches", "weight"), [(0, 0), (10, 0), (11, 0.2), (15, 1), (20, 2), (10**6, 2)])
def test_ramp_rises_linearly_from_start_to_end(batches: int, weight: float) -> None:
    assert WeightedTerm(Power(1), 2, (10, 20)).weight_at(Progress(batches)) == pytest.approx(weight)


@pytest.mark.parametrize(("done", "weight"), [(0, 0), (50, 0), (60, 0.4), (100, 2), (200, 2)])
@pytest.mark.parametrize("ramp", [(0.25, 0.5), (50, 100), (0.25, 100), (50, 0.5)])
def test_ramp_is_in_batches_or_shares_of_the_run(ramp: tuple[Length, Length], done: int, weight: float) -> None:
    assert WeightedTerm(Power(1), 2, ramp).weight_at(Progress(done, 200)) == pytest.approx(weight)


def test_ramp_shorter_than_a_batch_is_a_step() -> None:
    term = WeightedTerm(Power(1), 2, (0.5, 0.6))
    assert [term.weight_at(Progress(done, 4)) for done in range(4)] == [0, 0, 2, 2]


def test_ramp_of_a_run_without_known_length_is_refused() -> None:
    objective = WeightedObjective({"late": WeightedTerm(Power(1), 2, (0.25, 0.5))})
    with pytest.raises(InputError, match=r"^terms\.late\.ramp: 0\.25 is a share of the run, whose length is not known"):
        objective(torch.tensor(2.0), Progress(0))


def test_terms_without_weight_are_never_built() -> None:
    def forbidden() -> Power:
        raise AssertionError

    terms = complete_terms({"off": WeightedTerm(forbidden, 0), "on": WeightedTerm(lambda: Power(3))}, Power)
    assert set(terms) == {"on"}
    assert isinstance(terms["on"].loss, Power)
    assert terms["on"].loss.exponent == 3


def test_terms_without_weight_are_not_evaluated_before_all_ramps_begin() -> None:
    off, later = Power(1), Power(2)
    objective = WeightedObjective({"off": WeightedTerm(off, 0), "later": WeightedTerm(later, 1, (5, 6))})
    loss, values = objective(torch.tensor(2.0, requires_grad=True), Progress(0))
    assert (off.calls, later.calls, set(values), loss.item()) == (0, 1, {"later"}, 0)


def test_terms_without_weight_are_not_evaluated() -> None:
    off, later, on = Power(1), Power(1), Power(2)
    objective = WeightedObjective(
        {"off": WeightedTerm(off, 0), "later": WeightedTerm(later, 1, (5, 6)), "on": WeightedTerm(on)}
    )
    _, values = objective(torch.tensor(2.0, requires_grad=True), Progress(5))
    assert (off.calls, later.calls, on.calls) == (0, 0, 1)
    assert set(values) == {"on"}
    _, values = objective(torch.tensor(2.0, requires_grad=True), Progress(6))
    assert set(values) == {"later", "on"}


def test_a_sum_without_weights_yet_still_goes_backward() -> None:
    objective = WeightedObjective({"later": WeightedTerm(Power(2), 1, (5, 6))})
    x = torch.tensor(3.0, requires_grad=True)
    loss, _ = objective(x, Progress(0))
    loss.backward()
    assert x.grad is not None
    assert (loss.item(), x.grad.item()) == (0, 0)


def test_a_loss_with_parameters_is_trained_and_saved_with_the_objective() -> None:
    objective = WeightedObjective({"bilinear": WeightedTerm(nn.Linear(2, 1))})
    assert set(objective.state_dict()) == {"losses.bilinear.weight", "losses.bilinear.bias"}


def test_parameters_of_a_term_without_weight_have_a_gradient_of_zero() -> None:
    """DDP would wait for them."""
    linear = nn.Linear(2, 1)
    terms: dict[str, WeightedTerm[nn.Module]] = {"on": WeightedTerm(Power(2)), "later": WeightedTerm(linear, 1, (5, 6))}
    objective = WeightedObjective(terms)
    x = torch.tensor([3.0, 0.0], requires_grad=True).norm()
    loss, values = objective(x, Progress(0))
    loss.backward()
    assert (loss.item(), set(values)) == (9, {"on"})
    assert [p.grad is not None and bool((p.grad == 0).all()) for p in linear.parameters()] == [True, True]


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_illegal_weights_name_the_term(weight: float) -> None:
    with pytest.raises(InputError, match=rf"^terms\.bad\.weight: must be .*, got {weight}$"):
        complete_terms({"good": WeightedTerm(Power(1)), "bad": WeightedTerm(Power(1), weight)}, nn.Module)


@pytest.mark.parametrize(
    "ramp", [(5, 5), (6, 5), (-1, 5), (0.5, 0.5), (0.6, 0.5), (-0.1, 0.5), (0.5, 1.5), (0.5, math.nan)]
)
def test_illegal_ramps_name_the_term(ramp: tuple[Length, Length]) -> None:
    with pytest.raises(InputError, match=r"^terms\.bad\.ramp"):
        complete_terms({"bad": WeightedTerm(Power(1), 1, ramp)}, nn.Module)


def test_an_objective_needs_something_to_learn() -> None:
    empty: dict[str, WeightedTerm[nn.Module]] = {}
    for terms in (empty, {"off": WeightedTerm(Power(1), 0)}):
        with pytest.raises(InputError, match=r"^terms: must have a term with a weight above 0, got \["):
            complete_terms(terms, nn.Module)


@pytest.mark.parametrize("name", ["", "a.b", "items"])
def test_a_term_name_must_be_able_to_name_a_submodule(name: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        WeightedObjective({name: WeightedTerm(Power(1))})


def test_full_precision_raises_half_types_only() -> None:
    for before, after in ((torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2):
        assert full_precision(torch.ones(1, dtype=before)).dtype == after


class Owner:
    """Takes terms as a module does."""

    def __init__(self, terms: dict[str, ReconstructionTerm]) -> None:
        self.objective = WeightedObjective(complete_terms(terms, ReconstructionLoss))  # type: ignore[type-abstract]


TERMS = {
    "one_hot": {"loss": {"class_path": "crossx.reconstruction.losses.OneHotLoss", "init_args": {"labels": "agreed"}}},
    "entropy": {"loss": "InformationEntropyLoss", "weight": 5, "ramp": [0, 10]},
}


def from_config(folder: Path, *arguments: str) -> WeightedObjective[ReconstructionLoss]:
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"model": {"class_path": f"{__name__}.Owner", "init_args": {"terms": TERMS}}}))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(Owner, "model")
    owner: Owner = parser.instantiate(parser.parse_args(["--config", str(config), *arguments])).model
    return owner.objective


def test_terms_come_from_yaml(tmp_path: Path) -> None:
    terms = from_config(tmp_path).terms
    one_hot, entropy = terms["one_hot"], terms["entropy"]
    assert isinstance(one_hot.loss, OneHotLoss)
    assert (one_hot.loss.labels, one_hot.weight, one_hot.ramp) == ("agreed", 1.0, None)
    assert isinstance(entropy.loss, InformationEntropyLoss)
    assert (entropy.weight, entropy.ramp) == (5.0, (0, 10))


def test_the_command_line_changes_one_number_and_adds_a_term(tmp_path: Path) -> None:
    terms = from_config(
        tmp_path,
        "--model.terms.entropy.weight=2",
        "--model.terms.one_hot.loss.labels=predicted",
        "--model.terms.activation.loss=crossx.reconstruction.losses.ActivationLoss",
        "--model.terms.activation.weight=0.1",
    ).terms
    assert {name: term.weight for name, term in terms.items()} == {"one_hot": 1, "entropy": 2, "activation": 0.1}
    assert terms["entropy"].ramp == (0, 10)
    one_hot = terms["one_hot"].loss
    assert isinstance(one_hot, OneHotLoss)
    assert one_hot.labels == "predicted"


def test_a_loss_of_the_other_side_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="ReconstructionLoss"):
        from_config(tmp_path, "--model.terms.entropy.loss=crossx.encoding.losses.SupConLoss")


class PerPair(nn.Module):
    """A loss that forgets the mean."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square()


def test_a_loss_that_is_no_scalar_is_named() -> None:
    objective = WeightedObjective({"mine": WeightedTerm(PerPair()), "other": WeightedTerm(Power(2))})
    with pytest.raises(
        InputError, match=r"^terms\.mine\.loss: must return a scalar, got the shape \(4,\) from PerPair$"
    ):
        objective(torch.ones(4), Progress(0))


class Detached(nn.Module):
    """A loss that cuts its gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return x.detach().square().mean()


def test_a_loss_without_gradient_is_named() -> None:
    objective = WeightedObjective({"mine": WeightedTerm(Detached()), "other": WeightedTerm(Power(2))})
    x = torch.tensor(4.0, requires_grad=True)
    with pytest.warns(UserWarning, match=r"^terms\.mine\.loss: must depend on what is trained, got .* from Detached;"):
        objective(x, Progress(0))
    with torch.no_grad():  # validation asks for values only
        assert objective(x, Progress(0))[1]["mine"].item() == 16
    objective.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert objective(x, Progress(0))[1]["mine"].item() == 16


def test_a_loss_that_is_plainly_zero_needs_no_gradient() -> None:
    objective = WeightedObjective({"mine": WeightedTerm(Detached()), "other": WeightedTerm(Power(1))})
    x = torch.tensor(0.0, requires_grad=True)
    objective(x, Progress(0))[0].backward()
    assert x.grad is not None
    assert x.grad.item() == 1


def test_a_ramp_starts_with_the_encoders_even_where_they_start_late() -> None:
    """A warm-up beyond the ramp's end: no weight before it, all of it after."""
    term = WeightedTerm(Power(2), 2.0, ("warmup", 0.5))
    at = {done: term.weight_at(Progress(done, 100, warmup=60)) for done in (0, 50, 59, 60, 80)}
    assert at == {0: 0.0, 50: 0.0, 59: 0.0, 60: 2.0, 80: 2.0}
    assert [term.weight_at(Progress(done, 100, warmup=30)) for done in (30, 40, 50)] == [0.0, 1.0, 2.0]
