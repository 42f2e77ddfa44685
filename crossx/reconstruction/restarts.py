"""Rounds of generator steps: what the next round starts from when one is over.

Generators that train without end narrow down to the images that please the teachers most. Two ways out give the
encoders many short trainings in place of a long one; both leave the generators as they are until the next generator
step, so that pairs in between come from a round's end and not from its start.

**Drawn anew** (`reinitialise_every`): weights and optimiser state start from nothing, for the whole generators as in
CMI (arXiv 2105.08584) or for their first layers alone, as NAYER (arXiv 2310.00258) does it with its noisy layer. What
is drawn is a function of (seed, generator steps done), so that all processes and a resumed run draw the same.

**Meta-learnt** (`meta_every`), our reading of Fast-DFKD (arXiv 2112.06421) within one batch, one step. There a copy of
the generators takes k steps on one batch of latents, which learn too, and the generators then take one step of an
optimiser of their own towards it, by first-order MAML. Here k generator steps are a round, each on new latents that do
not learn. When it is over, the meta-weights move by `meta_rate` towards the generators (Reptile, arXiv 1803.02999), and
the generators start from them again, with a new optimiser state: weights from which k steps lead far.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import nn

from crossx.core.errors import InputError
from crossx.core.seeding import philox, run_seed
from crossx.reconstruction.generators import Generator, GeneratorPair

_STREAM = 3
"""Latents, images and replay draw from the streams 0 to 2."""


def check_first_layers(generators: GeneratorPair) -> None:
    """Refuse generators that do not say which layers come first.

    Raises:
        InputError: When one has no `first_layers`.
    """
    for side in (generators.photo, generators.sketch):
        if not side.first_layers:
            raise InputError(
                f"reinitialise: first is not legal with {type(side).__name__}, which names no first_layers; all"
            )


@torch.no_grad()
def draw_anew(generators: GeneratorPair, part: Literal["first", "all"], steps: int) -> list[nn.Parameter]:
    """Draw weights as the constructors do, from (seed, steps), and leave torch's own random state alone.

    Args:
        generators: Changed in place, with buffers where everything is drawn.
        part: All weights, or those of `first_layers` only.
        steps: Generator steps done.

    Returns:
        The parameters that were drawn.
    """
    seed = int(philox(run_seed(), steps, _STREAM).integers(2**63))
    drawn: list[nn.Parameter] = []
    # On the CPU, and with its generator alone: the same weights wherever the run trains.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for generator in (generators.photo, generators.sketch):
            fresh = _built_like(generator).state_dict()
            for name, tensor in generator.state_dict(keep_vars=True).items():
                if part == "all" or name.startswith(tuple(f"{layer}." for layer in generator.first_layers)):
                    tensor.copy_(fresh[name])
                    drawn += [tensor] if isinstance(tensor, nn.Parameter) else []
    return drawn


def _built_like(generator: Generator) -> Generator:
    return type(generator)(**generator.arguments())


def reset_optimizer(
    optimizer: torch.optim.Optimizer, make_optimizer: OptimizerCallable, parameters: Sequence[nn.Parameter]
) -> None:
    """Give parameters the optimiser state that they would have in a new optimiser; rates stay as they are.

    Args:
        optimizer: Changed in place.
        make_optimizer: Makes one of the same kind.
        parameters: Whose state is reset.
    """
    fresh = make_optimizer(parameters).state
    for parameter in parameters:
        optimizer.state.pop(parameter, None)
        if parameter in fresh:  # most kinds have no state before their first step
            optimizer.state[parameter] = fresh[parameter]
