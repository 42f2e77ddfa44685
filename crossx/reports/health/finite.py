"""A run ends at the first value that is not finite."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from crossx.core.errors import TrainingError
from crossx.reports.health.measures import FloatArray

_REMEDY = (
    "training has stopped, and the last checkpoint that was finite stays. Usually helps: a lower learning rate, "
    "clip_norm, a lower weight of the term that grows"
)


def refuse_non_finite_step(phase: str, trains: str, number: int, reading: Mapping[str, FloatArray]) -> None:
    """Stop at a step whose loss, term or gradient is not finite.

    Args:
        phase: Prefix of the terms' names.
        trains: What the phase trains, in the plural.
        number: The step.
        reading: The step's measures.

    Raises:
        TrainingError: Naming what is not finite.
    """
    terms = {name: values for name, values in reading.items() if name.startswith(f"{phase}/")}
    wrong = [name for name, values in terms.items() if not np.isfinite(values).all()]
    if wrong:
        what = f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not finite"
    elif "loss" in reading and not np.isfinite(reading["loss"]).all():
        what = f"the loss of the {trains} is not finite, though its terms are"
    elif "gradient" in reading and not np.isfinite(reading["gradient"]).all():
        values = ", ".join(f"{name} {float(value):.4g}" for name, value in terms.items())
        what = f"the gradient of the {trains} is not finite, though the loss is ({values})"
    else:
        return
    raise TrainingError(f"in step {number} {what}; {_REMEDY}")


def refuse_non_finite_weights(state: Mapping[str, Tensor], trainable: set[str], number: int) -> None:
    """Stop before weights are saved that are not finite.

    Args:
        state: The state dictionary that is about to be saved.
        trainable: Names of the trainable parameters; a buffer may hold an infinity on purpose, such as an attention
            mask, but no NaN.
        number: The step.

    Raises:
        TrainingError: Naming the weight.
    """
    for name, tensor in state.items():
        if not bool(torch.isfinite(tensor).all() if name in trainable else ~torch.isnan(tensor).any()):
            raise TrainingError(f"after step {number} the weight {name!r} is not finite; {_REMEDY}")
