"""What is minimised: named losses, each with a weight and, if wanted, a ramp.

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

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from crossx.core.errors import InputError

LossT = TypeVar("LossT", bound=nn.Module)


@dataclass
class WeightedTerm(Generic[LossT]):
    """One loss of an objective.

    Args:
        loss: Module that maps the objective's input to a scalar.
        weight: Factor of the loss, finite and >= 0; 0 switches the term off.
        ramp: (start, end) in batches done: the factor is 0 up to start, rises linearly, and is `weight` from end on.
            None means `weight` from the first batch on.
    """

    loss: LossT
    weight: float = 1.0
    ramp: tuple[int, int] | None = None

    def weight_at(self, batches_done: int) -> float:
        """The factor after so many batches: a pure function, so a resumed run and every process agree on it."""
        if self.ramp is None:
            return self.weight
        start, end = self.ramp
        return self.weight * min(max((batches_done - start) / (end - start), 0.0), 1.0)


class WeightedObjective(nn.Module):
    """Weighted sum of named losses that all see the same input.

    Args:
        terms: Losses by the names that appear in logs.

    Raises:
        InputError: When there is no term, a name cannot name a submodule, a weight is negative or not finite, every
            weight is 0, or a ramp does not increase.
    """

    def __init__(self, terms: Mapping[str, WeightedTerm[LossT]]) -> None:
        super().__init__()
        for name, term in terms.items():
            _check(name, term)
        if not any(term.weight for term in terms.values()):
            raise InputError(f"terms: no term of {list(terms)} has a weight above 0, so there is nothing to learn")
        self.terms = dict(terms)
        # Registered as submodules too: a loss may have parameters or buffers of its own.
        try:
            self.losses = nn.ModuleDict({name: term.loss for name, term in terms.items()})
        except KeyError as error:
            raise InputError(f"terms: a name of {list(terms)} cannot be used: {error.args[0]}") from error

    def active(self, batches_done: int) -> dict[str, float]:
        """Weights of the terms that are evaluated now, by name."""
        weights = {name: term.weight_at(batches_done) for name, term in self.terms.items()}
        # Before every ramp has begun nothing has a weight: the sum is then 0, but still has to have a graph.
        return {name: weight for name, weight in weights.items() if weight > 0} or weights

    def forward(self, inputs: object, batches_done: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Evaluate the terms that have a weight now.

        Args:
            inputs: What the losses take.
            batches_done: Position on the ramps.

        Returns:
            The weighted sum (scalar, with gradient), and the unweighted, detached value of each evaluated term.
        """
        active = self.active(batches_done)
        values: dict[str, Tensor] = {name: self.losses[name](inputs) for name in active}
        loss = torch.stack([weight * values[name] for name, weight in active.items()]).sum()
        # DDP waits for a gradient of every parameter, also of those of terms that have no weight now.
        for name in [name for name in self.terms if name not in active]:
            loss = loss + sum(0 * p.sum() for p in self.losses[name].parameters())
        return loss, {name: value.detach() for name, value in values.items()}


def _check(name: str, term: WeightedTerm[LossT]) -> None:
    if not (math.isfinite(term.weight) and term.weight >= 0):
        raise InputError(f"terms.{name}.weight: {term.weight} is not a finite number >= 0")
    if term.ramp is not None and not 0 <= term.ramp[0] < term.ramp[1]:
        raise InputError(f"terms.{name}.ramp: {list(term.ramp)} is not [start, end] with 0 <= start < end")
