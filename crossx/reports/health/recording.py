"""Measures of a training step that cost no further pass through any network."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.reports.health.measures import FloatArray, class_counts, class_spread, gradient_factor, pair_correlation
from crossx.teachers.pair import TeacherPair
from crossx.training.objective import WeightedObjective
from crossx.types import MODALITIES, PairBatch


class Step:
    """Measures of one training step.

    Args:
        phase: Prefix of the step's logs.
        number: Batches done, this one included.
        pairs: The pairs that the encoders learn from; pairs of a generator step come with its objective.
        bounded_cosine: Whether the hardness of a pair is half a cosine distance; see `gradient_factor`.
    """

    def __init__(
        self, phase: str = "train", number: int = 0, pairs: PairBatch | None = None, bounded_cosine: bool = False
    ) -> None:
        self.phase, self.number, self.pairs, self.bounded_cosine = phase, number, pairs, bounded_cosine
        self.values: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def attach_hooks(self, objectives: Iterable[WeightedObjective[Any]]) -> None:
        """Record inputs and values of the objectives from now on."""
        self._handles = [objective.register_forward_hook(self._record) for objective in objectives]

    def remove_hooks(self) -> None:
        """Record nothing more."""
        while self._handles:
            self._handles.pop().remove()

    def _record(self, objective: nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, dict[str, Tensor]]) -> None:
        self.values.update({f"{self.phase}/{name}": value for name, value in output[1].items()})
        if isinstance(objective, WeightedObjective) and isinstance(inputs[0], Reconstruction):
            self.pairs = inputs[0].pairs
            for name, weight in objective.active(inputs[1]).items():
                if weight > 0:  # before all ramps have begun, terms are evaluated with a weight of 0
                    self._record_adversary(objective.losses[name], inputs[0])

    def _record_adversary(self, loss: nn.Module, reconstruction: Reconstruction) -> None:
        """Record the critic's output that a loss reads, and the gradient that comes back to it."""
        if not isinstance(loss, ReconstructionLoss) or not loss.needs_critic:
            return
        critic, published = reconstruction.critic, loss.needs_class_nll
        read = None if critic is None else critic.class_nll if published else critic.hardness
        if read is None:
            return
        known, cosine = read.detach(), self.bounded_cosine and not published
        self.values["class_nll" if published else "hardness"] = known.mean()

        def record_gradient(gradient: Tensor) -> None:
            self.values["adversarial_pairs"] = (gradient != 0).float().mean()
            if cosine:
                self.values["gradient_factor"] = gradient_factor(known, gradient)

        record_gradient(torch.zeros_like(known))  # the values as long as no gradient comes back
        if read.requires_grad:
            read.register_hook(record_gradient)  # type: ignore[no-untyped-call]  # torch's


@torch.no_grad()
def measure_pairs(pairs: PairBatch, teachers: TeacherPair) -> dict[str, Tensor]:
    """Measure a batch of pairs by the teachers' outputs.

    Returns:
        `spread_*`, `counts_*` over the union and `known_*` (number of classes) of each modality, `shared` (mask over
        the union), `agreement`, and with at least two shared classes `correlation`.
    """
    vocabulary = teachers.vocabulary
    outputs = dict(zip(MODALITIES, (pairs.photo_teacher, pairs.sketch_teacher), strict=True))
    predicted = {m: vocabulary.union_posterior(output.logits, m).argmax(1) for m, output in outputs.items()}
    values: dict[str, Tensor] = {}
    for modality, output in outputs.items():
        values[f"spread_{modality}"] = class_spread(output.features, predicted[modality], len(vocabulary))
        values[f"counts_{modality}"] = class_counts(predicted[modality], len(vocabulary))
        values[f"known_{modality}"] = torch.tensor(float(output.logits.shape[1]))
    values["shared"] = vocabulary.known_to_both
    values["agreement"] = (predicted["photo"] == predicted["sketch"]).float().mean()
    if len(vocabulary.shared) > 1:
        photo, sketch = (vocabulary.shared_logits(output.logits, m) for m, output in outputs.items())
        values["correlation"] = pair_correlation(photo, sketch)
    return values


def fetch(steps: list[dict[str, Tensor]]) -> list[dict[str, FloatArray]]:
    """Copy values to the CPU, in one transfer a device."""
    found: list[dict[str, FloatArray]] = [{} for _ in steps]
    by_device: dict[torch.device, list[tuple[int, str, Tensor]]] = {}
    for i, values in enumerate(steps):
        for name, value in values.items():
            by_device.setdefault(value.device, []).append((i, name, value))
    for entries in by_device.values():
        flat = torch.cat([value.detach().float().flatten() for _, _, value in entries]).cpu().numpy()
        ends = np.cumsum([value.numel() for _, _, value in entries])
        for (i, name, value), part in zip(entries, np.split(flat, ends[:-1]), strict=True):
            found[i][name] = part.reshape(tuple(value.shape))
    return found
