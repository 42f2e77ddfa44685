"""The objective that is minimised: named losses, each with a weight and an optional ramp.

A module takes `terms: dict[str, ReconstructionTerm]` or `EncodingTerm` (a `WeightedTerm` of the losses that fit it), so
that a config reads

```yaml
terms:
  one_hot: {loss: OneHotLoss, weight: 0.5}
  adversarial:
    loss: {class_path: my_package.MyAdversarialLoss, init_args: {power: 2}}
    ramp: [1000, 3000]
```

and one number is changed on the command line with `--model.terms.one_hot.weight 2`. Losses of crossx go by their class
names, others by their dotted paths.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.training.run_length import Length, check_length, in_batches
from crossx.types import Progress

LossT = TypeVar("LossT", bound=nn.Module)
Ramp = tuple[Length | Literal["warmup"], Length]
"""Start and end of a ramp."""


@dataclass
class WeightedTerm(Generic[LossT]):
    """One loss of an objective.

    Args:
        loss: Module that maps the objective's input to a scalar, or a factory that takes its context.
        weight: Factor of the loss, finite and >= 0; 0 switches the term off.
        ramp: (start, end), numbers of batches or shares of the run: the factor is 0 up to start, rises linearly, and
            is `weight` from end on. The start may be `warmup`, the batch from which the encoders of a joint run train.
            None means `weight` from the first batch on.
    """

    loss: LossT | Callable[..., LossT]
    weight: float = 1.0
    ramp: Ramp | None = None

    def weight_at(self, progress: Progress, field: str = "ramp") -> float:
        """Return the factor at a place in the run: a pure function, so that resumed runs and all processes agree on it.

        Args:
            progress: Place in the run.
            field: Where the user set the ramp, for messages.

        Raises:
            InputError: When the ramp is a share of a run without known length.
        """
        if self.ramp is None:
            return self.weight
        start, end = (
            progress.warmup if length == "warmup" else in_batches(field, length, progress.total) for length in self.ramp
        )
        if end <= start:  # shares of a very short run, or a warm-up beyond the ramp's end
            return self.weight if progress.done >= start else 0.0
        return self.weight * min(max((progress.done - start) / (end - start), 0.0), 1.0)


def complete_terms(
    terms: Mapping[str, WeightedTerm[LossT]],
    kind: type[LossT],
    **context: Any,  # noqa: ANN401 - each kind of loss has its own context
) -> dict[str, WeightedTerm[LossT]]:
    """Return the terms that have a weight, each with its loss built.

    Args:
        terms: Terms by name.
        kind: Class of their losses.
        context: Arguments of the losses' factories.

    Raises:
        InputError: When a weight or a ramp is out of range, or a loss cannot be built.
    """
    for name, term in terms.items():
        _check(name, term)
    if not any(term.weight for term in terms.values()):
        raise InputError(f"terms: must have a term with a weight above 0, got {list(terms)}")
    return {
        name: replace(term, loss=complete(f"terms.{name}.loss", term.loss, kind, **context))
        for name, term in terms.items()
        if term.weight
    }


class WeightedObjective(nn.Module, Generic[LossT]):
    """Weighted sum of named losses that all take the same input.

    Args:
        terms: Terms by the names that appear in logs, with their losses built; see `complete_terms`.

    Raises:
        InputError: When a name cannot name a submodule.
    """

    def __init__(self, terms: Mapping[str, WeightedTerm[LossT]]) -> None:
        super().__init__()
        self.terms = dict(terms)
        # Registered as submodules too: a loss may have parameters or buffers of its own.
        try:
            self.losses = nn.ModuleDict({name: term.loss for name, term in terms.items()})  # type: ignore[misc]  # built
        except KeyError as error:
            raise InputError(f"terms: a name of {list(terms)} cannot be used: {error.args[0]}") from error

    def loss(self, name: str) -> LossT:
        """Return the loss of a term."""
        return self.losses[name]  # type: ignore[return-value]  # ModuleDict forgets the class

    def active(self, progress: Progress) -> dict[str, float]:
        """Return the weights of the terms that are evaluated now, by name."""
        weights = {name: term.weight_at(progress, f"terms.{name}.ramp") for name, term in self.terms.items()}
        # Before every ramp has begun nothing has a weight: the sum is then 0, but still has to have a graph.
        ramped = {name: weight for name, weight in weights.items() if self.terms[name].weight}
        return {name: weight for name, weight in weights.items() if weight > 0} or ramped

    def forward(self, inputs: object, progress: Progress) -> tuple[Tensor, dict[str, Tensor]]:
        """Evaluate the terms that have a weight now; warn of a loss without gradient.

        Args:
            inputs: What the losses take.
            progress: Place in the run, on which ramps depend.

        Returns:
            The weighted sum (scalar, with gradient), and the unweighted, detached value of each evaluated term.

        Raises:
            InputError: When a loss returns anything but a scalar.
        """
        active = self.active(progress)
        values: dict[str, Tensor] = {name: self.losses[name](inputs) for name in active}
        for name, value in values.items():
            if value.ndim:
                raise InputError(
                    f"terms.{name}.loss: must return a scalar, got the shape {tuple(value.shape)} from "
                    f"{type(self.losses[name]).__name__}"
                )
            # A plain 0 is a term with nothing to do here, such as the statistics of a teacher without BatchNorm.
            if self.training and torch.is_grad_enabled() and not value.requires_grad and value:
                rank_zero_warn(
                    f"terms.{name}.loss: must depend on what is trained, got a value without gradient from "
                    f"{type(self.losses[name]).__name__}; a call of detach() or no_grad() inside it cuts the gradient"
                )
        loss = torch.stack([weight * values[name] for name, weight in active.items()]).sum()
        # DDP waits for a gradient of every parameter, also of those of terms that have no weight now.
        for name in [name for name in self.terms if name not in active]:
            loss = loss + sum(0 * p.sum() for p in self.losses[name].parameters())
        return loss, {name: value.detach() for name, value in values.items()}


def _check(name: str, term: WeightedTerm[LossT]) -> None:
    must_be_in(f"terms.{name}.weight", term.weight, "[0, inf)")
    if term.ramp is None:
        return
    start, end = term.ramp
    for length in (end,) if start == "warmup" else (start, end):
        check_length(f"terms.{name}.ramp", length)
    if start == "warmup":
        return
    if type(start) is not type(end):
        raise InputError(
            f"terms.{name}.ramp: must be two numbers of batches or two shares of the run, got {list(term.ramp)}"
        )
    if not start < end:
        raise InputError(f"terms.{name}.ramp: must end after its start, got {list(term.ramp)}")
