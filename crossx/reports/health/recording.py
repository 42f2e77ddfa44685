"""What a training step shows of itself without a further pass through any network, and the last steps of a phase."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from crossx.reconstruction.losses.base import Reconstruction
from crossx.reports.health.measures import FloatArray, class_counts, class_spread, grip, pair_correlation
from crossx.teachers.pair import TeacherPair
from crossx.training.objective import WeightedObjective
from crossx.types import MODALITIES, PairBatch


class Step:
    """What one training step shows of itself.

    Args:
        phase: Prefix of its logs.
        number: Batches done after it.
        pairs: The pairs that it learns from; those that it makes are found out.
    """

    def __init__(self, phase: str = "train", number: int = 0, pairs: PairBatch | None = None) -> None:
        self.phase, self.number, self.pairs = phase, number, pairs
        self.values: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def listen(self, objectives: Iterable[WeightedObjective[Any]]) -> None:
        """Hear what the objectives are told and what they say."""
        self._handles = [objective.register_forward_hook(self._hear) for objective in objectives]

    def hang_up(self) -> None:
        """Listen no more."""
        while self._handles:
            self._handles.pop().remove()

    def _hear(self, objective: nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, dict[str, Tensor]]) -> None:
        self.values.update({f"{self.phase}/{name}": value for name, value in output[1].items()})
        if isinstance(inputs[0], Reconstruction):
            self.pairs = inputs[0].pairs
            if inputs[0].critic is not None:
                self._watch(inputs[0].critic.hardness)

    def _watch(self, disagreement: Tensor) -> None:
        known = disagreement.detach()
        self.values["disagreement"] = known.mean()
        self.values["grip"] = known.new_zeros(())  # as long as no gradient comes back
        if disagreement.requires_grad:
            disagreement.register_hook(  # type: ignore[no-untyped-call]  # torch's
                lambda gradient: self.values.update(grip=grip(known, gradient))
            )


class Phase:
    """The last steps of a phase.

    Args:
        length: How many are kept.
    """

    def __init__(self, length: int) -> None:
        self.steps = 0
        self.first_gradient = 0.0
        self._readings: deque[dict[str, FloatArray]] = deque(maxlen=length)

    def add(self, reading: dict[str, FloatArray]) -> None:
        """Add a step."""
        self.steps += 1
        self._readings.append(reading)

    def last(self, name: str, least: int, most: int | None = None) -> FloatArray | None:
        """A measure over the last steps that have it: at least `least`, else None; no more than `most` (`least`)."""
        values = [reading[name] for reading in self._readings if name in reading][-(most or least) :]
        return np.stack(values) if len(values) >= least else None


@torch.no_grad()
def measure_pairs(pairs: PairBatch, teachers: TeacherPair) -> dict[str, Tensor]:
    """What the teachers' answers say of a batch of pairs.

    Returns:
        `spread_*`, `counts_*` over the union and `known_*` (number of classes) of each modality, `agreement`, and with
        at least two shared classes `correlation`.
    """
    vocabulary = teachers.vocabulary
    outputs = dict(zip(MODALITIES, (pairs.photo_teacher, pairs.sketch_teacher), strict=True))
    predicted = {m: vocabulary.union_posterior(output.logits, m).argmax(1) for m, output in outputs.items()}
    values: dict[str, Tensor] = {}
    for modality, output in outputs.items():
        values[f"spread_{modality}"] = class_spread(output.features, predicted[modality], len(vocabulary))
        values[f"counts_{modality}"] = class_counts(predicted[modality], len(vocabulary))
        values[f"known_{modality}"] = torch.tensor(float(output.logits.shape[1]))
    values["agreement"] = (predicted["photo"] == predicted["sketch"]).float().mean()
    if len(vocabulary.shared) > 1:
        photo, sketch = (vocabulary.shared_logits(output.logits, m) for m, output in outputs.items())
        values["correlation"] = pair_correlation(photo, sketch)
    return values


def fetch(steps: list[dict[str, Tensor]]) -> list[dict[str, FloatArray]]:
    """The same values on the CPU, all in one transfer a device."""
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
