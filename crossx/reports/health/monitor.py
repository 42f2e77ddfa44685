"""Measures of every training step, findings of the detectors, and a stop before a NaN is saved."""

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.critics import PairCritic
from crossx.encoding.encoders import Encoder
from crossx.networks.batch_norm import trainable_modules
from crossx.reports.health.collapse import first_collapse, kept_checkpoint, refuse_collapse
from crossx.reports.health.detectors import Detector, Finding, default_detectors
from crossx.reports.health.finite import refuse_non_finite_step, refuse_non_finite_weights
from crossx.reports.health.measures import gradient_size
from crossx.reports.health.phase import Phase
from crossx.reports.health.recording import Step, fetch, measure_pairs
from crossx.reports.lookup import wants_agreement
from crossx.reports.present_module import PresentModule
from crossx.training.guided import TeacherGuided
from crossx.training.lightning_state import batches_done, run_steps
from crossx.training.objective import WeightedObjective
from crossx.training.retrieval import RetrievalModule
from crossx.types import LatentBatch, PairBatch, Progress, Split

_CHECK_EVERY = 10
"""Steps between two judgements: until then the measures stay on the device, and the run does not wait for it."""
_PHASES = {"recon": "generators", "encode": "encoders", "train": "model"}
_SCALARS = (
    *("spread_photo", "spread_sketch", "agreement", "correlation"),
    *("hardness", "class_nll", "gradient_factor", "adversarial_pairs", "gradient"),
)


class HealthMonitor(Callback):
    """Collects measures of every fit, asks the detectors, and warns once of each finding.

    The generators' and the encoders' steps are judged apart, each over its last steps. The measures come from the step
    itself (the batch, the terms' values, the gradients); no network runs for them. Every ten steps their means are
    logged as `health/<phase>_<measure>`, and `results.json` lists the findings as `health`. On several processes each
    process measures its own batches, and the first one warns. After a resume the windows start empty.

    Images of real pairs are not judged, only generated ones. A loss, a gradient or a weight that is not finite ends the
    run before a checkpoint is written.

    Encoders do not learn from generators that have collapsed (`mode_collapse`, `class_imbalance`): a joint run ends
    where its encoders would take their first step, and a run with saved generators at the first judgement of their
    pairs. The checkpoint of that step is kept. Generators with too few steps for a judgement are not stopped.

    Args:
        detectors: What is looked for; None for `default_detectors()`.
        stop_on_collapse: Whether generators that have collapsed end the run.

    Attributes:
        findings: Findings as `{name, step, message}`, those of a resumed or tested checkpoint first; None before a fit.
    """

    def __init__(self, detectors: Sequence[Detector] | None = None, stop_on_collapse: bool = True) -> None:
        self.detectors = default_detectors() if detectors is None else list(detectors)
        self.stop_on_collapse = stop_on_collapse
        self.findings: list[dict[str, Any]] | None = None
        self._collapse: str | None = None
        self._given_judged = False
        self._step = Step()
        self._waiting: list[Step] = []
        self._phases: dict[str, Phase] = {}
        self._present: dict[str, list[Finding]] = {}
        self._seen: set[str] = set()
        self._reported: set[str] = set()
        self._objectives: list[WeightedObjective[Any]] = []
        self._parameters: list[nn.Parameter] = []
        self._bounded_cosine = False
        self._wants_agreement = False
        self._module = PresentModule()

    def section(self, split: Split | None) -> dict[str, Any]:
        """Return the findings, for `results.json`."""
        return {"health": self.findings}

    def state_dict(self) -> dict[str, Any]:
        """Return the findings so far, and the collapse that ended the run."""
        return {"findings": self.findings, "collapse": self._collapse}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the findings of the run that is resumed; a fault that is still there is reported again."""
        self.findings = state_dict["findings"]
        self._collapse = state_dict.get("collapse")

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget the findings of another module; those of a checkpoint are loaded after this."""
        if self._module.is_another(pl_module):
            self.findings = self._collapse = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with empty windows.

        Raises:
            TrainingError: When a run is resumed that its collapse has ended, and still may not go on.
        """
        if self._collapse is not None and self.stop_on_collapse:
            refuse_collapse(self._collapse)
        self._collapse, self._given_judged = None, False
        self._waiting, self._phases, self._present, self._seen, self._reported = [], {}, {}, set(), set()
        self.findings = self.findings or []
        # Looked up once: a walk through all modules costs as much as the measures do.
        own = list(trainable_modules(pl_module))
        self._objectives = [m for m in own if isinstance(m, WeightedObjective)]
        self._parameters = [p for m in own for p in m.parameters(recurse=False)]
        self._bounded_cosine = _has_bounded_cosine(own)
        self._wants_agreement = wants_agreement(pl_module)

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Record the objectives for as long as the step lasts."""
        phase = {LatentBatch: "recon", PairBatch: "encode"}.get(type(batch), "train")
        pairs = batch if isinstance(batch, PairBatch) else None
        self._step = Step(phase, batches_done(trainer) + 1, pairs, self._bounded_cosine)
        self._step.attach_hooks(self._objectives)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Note the loss."""
        self._step.remove_hooks()
        self._step.values["loss"] = loss.detach()

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the gradient of the phase, before it is clipped."""
        precision = trainer.precision_plugin
        # Gradients under a gradient scaler are scaled, and may overflow while it searches for its scale.
        if not (isinstance(precision, MixedPrecision) and precision.scaler is not None):
            # The parameters of the other phase do not require a gradient now.
            self._step.values["gradient"] = gradient_size(self._parameters)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Note the learning rate."""
        self._step.values["rate"] = torch.as_tensor(max(group["lr"] for group in optimizer.param_groups))

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Measure the batch, judge every tenth step, and end a run whose encoders would learn from a collapse.

        Raises:
            TrainingError: Naming the collapse and how to go on all the same.
        """
        self._step.remove_hooks()
        generated = not isinstance(pl_module, RetrievalModule) or pl_module.data_free
        if isinstance(pl_module, TeacherGuided) and self._step.pairs is not None and generated:
            measures = measure_pairs(self._step.pairs, pl_module.teachers)
            measures["wants_agreement"] = torch.tensor(float(self._wants_agreement))
            self._step.values.update(measures)
        self._step.pairs = None
        self._waiting.append(self._step)
        self._seen.add(self._step.phase)
        if self._step.number % _CHECK_EVERY == 0:
            for name, value in self._judge().items():
                pl_module.log(name, value, batch_size=1)
        if self.stop_on_collapse and (phase := self._decisive_phase(trainer, pl_module)) is not None:
            self._judge()
            finding = first_collapse(self._present.get(phase, []))
            # Processes measure their own batches; the first one decides for all.
            self._collapse = trainer.strategy.broadcast(None if finding is None else self._message(finding))
            if self._collapse is not None:
                refuse_collapse(self._collapse, kept_checkpoint(trainer))

    def _decisive_phase(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> str | None:
        """Name of the phase that tells, after this step, whether encoders may learn; None where nothing is decided."""
        done, total = self._step.number, run_steps(trainer)
        if self._step.phase == "encode":
            # Pairs of generators that do not train in this run are all alike: the first judgement decides.
            first = "recon" not in self._seen and not self._given_judged and done % _CHECK_EVERY == 0
            self._given_judged |= first
            return "encode" if first else None
        if not isinstance(pl_module, CoTrainingModule) or done == total or "encode" in self._seen:
            return None
        return "recon" if pl_module.wants_pairs(Progress(done, total)) else None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge the remaining steps of the epoch."""
        self._judge()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge the remaining steps, before the last weights are saved and reported."""
        self._judge()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave no hook on the module."""
        self._step.remove_hooks()
        self._objectives, self._parameters = [], []

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep no reference to the module."""
        self._objectives, self._parameters = [], []

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to save weights that are not finite; the checkpoint that would be overwritten stays.

        Raises:
            TrainingError: Naming the step and the term, or the weight.
        """
        if trainer.state.fn == TrainerFn.FITTING:
            self._judge()
            trainable = {name for name, p in pl_module.named_parameters() if p.requires_grad}
            refuse_non_finite_weights(checkpoint.get("state_dict", {}), trainable, self._step.number)

    def _judge(self) -> dict[str, float]:
        """Judge the steps since the last judgement, and return what is to be logged."""
        steps, self._waiting = self._waiting, []
        length = max([detector.window for detector in self.detectors], default=_CHECK_EVERY)
        for step, reading in zip(steps, fetch([step.values for step in steps]), strict=True):
            trains = _PHASES[step.phase]
            refuse_non_finite_step(step.phase, trains, step.number, reading)
            self._phases.setdefault(step.phase, Phase(trains, max(length, _CHECK_EVERY))).add(reading)
        if not steps:
            return {}
        for name, phase in self._phases.items():
            self._present[name] = [finding for detector in self.detectors for finding in detector.findings(phase)]
            for finding in self._present[name]:
                self._report(finding)
        return {
            f"health/{name}_{measure}": float(np.nanmean(values))
            for name in dict.fromkeys(step.phase for step in steps)
            for measure in _SCALARS
            if (values := self._phases[name].last(measure, 1, _CHECK_EVERY)) is not None and not np.isnan(values).all()
        }

    def _report(self, finding: Finding) -> None:
        if finding.name in self._reported or self.findings is None:
            return
        self._reported.add(finding.name)
        message = self._message(finding)
        self.findings.append({"name": finding.name, "step": self._step.number, "message": message})
        rank_zero_warn(message)

    def _message(self, finding: Finding) -> str:
        return f"health, step {self._step.number}: {finding.message}"


def _has_bounded_cosine(modules: list[nn.Module]) -> bool:
    """Whether the hardness of a pair is half the cosine distance of two vectors that can be opposite."""
    critics = [m for m in modules if isinstance(m, PairCritic)]
    encoders = [m for m in modules if isinstance(m, Encoder)]
    return any(c.bounded_cosine for c in critics) and all(e.least_cosine == -1 for e in encoders)
