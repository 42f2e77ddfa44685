"""Warnings about training that goes wrong, and a stop before a NaN is saved."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from crossx.core.errors import InputError, TrainingError
from crossx.networks.batch_norm import trainable_modules
from crossx.reports.health.measures import FloatArray, chance_agreement, class_use, gradient_size, mean_and_error
from crossx.reports.health.recording import Phase, Step, fetch, measure_pairs
from crossx.teachers.pair import TeacherPair
from crossx.training.lightning_state import batches_done
from crossx.training.objective import WeightedObjective
from crossx.types import MODALITIES, LatentBatch, PairBatch

_CHECK_EVERY = 10
"""Steps between two looks at the numbers: until then they stay on the device, which is not waited for."""
_PHASES = {"recon": "generators", "encode": "encoders", "train": "model"}
_SCALARS = ("spread_photo", "spread_sketch", "agreement", "correlation", "disagreement", "grip", "gradient")


class HealthMonitor(Callback):
    """Watches every fit, and says once in a plain sentence what is wrong with it.

    The generators' and the encoders' steps are watched apart, each over its last steps. What is measured comes out of
    the step itself (the batch, the terms' values, the gradients); no network runs for it. Every ten steps the means are
    logged as `health/<phase>_<measure>`, and `results.json` lists the warnings as `health`. On several processes each
    one looks at its own batches, and the first one warns. After a resume the windows start empty.

    - `mode_collapse`: the images of one class are copies of one another (`least_spread`).
    - `class_imbalance`: some classes are hardly made (`least_class_use`).
    - `lost_agreement`: photo and sketch of a pair agree no more than those of different pairs (`least_agreement`).
    - `saturated_adversary`: the disagreement of the encoders is at its bound (`most_disagreement`), or an adversarial
      term has no gradient (`least_grip`).
    - `dying_gradients` and `exploding_gradients`: `least_gradient` and `most_growth`.
    - A loss, a gradient or a weight that is not finite ends the run before a checkpoint is written.

    Real pairs are as they are: the first three are for made pairs alone.

    Args:
        enabled: Whether to watch at all.
        window: Steps of a phase that are judged together, so that no single batch decides.
        settle: Steps of a phase before its first judgement. Untrained generators make few classes and all alike; those
            of the shipped configs have left that behind after 30 steps.
        least_spread: Distance of two images of one class in their teacher's features, in units of the distance between
            classes. Real images of the shapes have 0.8, the quickstart's generators 1.2, copies of one image 0; with
            1 % of noise, copies of a sketch have 0.01, but those of a photo, whose texture the teacher reads, 0.3.
        least_class_use: Entropy of the use of the classes as a share of its maximum. The shipped generators have 0.99;
            0.7 is what 5 of 10 classes give, or one class with six tenths of all images.
        agreement_window: Steps of a phase over which agreement is judged, and it is not judged before twice as many.
            Generators that are not told their class learn it late and little: after 200 steps the shipped ones give
            one class to 0.12 of the pairs where chance gives 0.10.
        least_agreement: Correlation between the two teachers' answers, in its standard errors over the steps. At
            random it is above 1 in a sixth of all windows; the quickstart's generators reach 7 after 120 steps.
        most_disagreement: Mean disagreement of the critic, in [0, 1], where 1 is as far apart as the encoders' vectors
            can be. Where that is opposite, vectors that have nothing to do with each other have 0.5, and 0.95 is 154
            degrees.
        least_grip: How much gradient the disagreement leaves the adversarial term, 1 at 0.5 and 0 at the bounds; 0.1
            is a disagreement of 0.0025 or 0.9975. It is 0, too, when no pair counts.
        least_gradient: Root mean square of the gradient's elements. Adam adds 1e-8 to it before dividing, so that below
            it the steps vanish.
        most_growth: Factor of the gradient to that of the phase's first window; high, because ramps add terms.

    Attributes:
        found: Warnings as `{name, step, message}`, those of a resumed or tested checkpoint first; None before a fit.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self,
        enabled: bool = True,
        window: int = 40,
        settle: int = 60,
        least_spread: float = 0.1,
        least_class_use: float = 0.7,
        agreement_window: int = 120,
        least_agreement: float = 1.0,
        most_disagreement: float = 0.95,
        least_grip: float = 0.1,
        least_gradient: float = 1e-8,
        most_growth: float = 100.0,
    ) -> None:
        for name, steps in (("window", window), ("agreement_window", agreement_window)):
            if steps < 2:
                raise InputError(f"health.{name}: {steps} is not legal; at least 2 steps")
        if settle < 0:
            raise InputError(f"health.settle: {settle} is not legal; 0 steps or more")
        for name, share in (
            ("least_class_use", least_class_use),
            ("most_disagreement", most_disagreement),
            ("least_grip", least_grip),
        ):
            if not 0 <= share <= 1:
                raise InputError(f"health.{name}: {share} is not legal; from 0 to 1")
        for name, least in (("least_spread", least_spread), ("least_gradient", least_gradient)):
            if not 0 <= least < math.inf:
                raise InputError(f"health.{name}: {least} is not legal; a finite number, 0 or more")
        if not math.isfinite(least_agreement):
            raise InputError(f"health.least_agreement: {least_agreement} is not legal; a finite number")
        if not 1 < most_growth < math.inf:
            raise InputError(f"health.most_growth: {most_growth} is not legal; a finite number above 1")
        self.enabled = enabled
        self.window, self.settle, self.agreement_window = window, settle, agreement_window
        self.least_spread, self.least_class_use, self.least_agreement = least_spread, least_class_use, least_agreement
        self.most_disagreement, self.least_grip = most_disagreement, least_grip
        self.least_gradient, self.most_growth = least_gradient, most_growth
        self.found: list[dict[str, Any]] | None = None
        self._step = Step()
        self._waiting: list[Step] = []
        self._phases: dict[str, Phase] = {}
        self._told: set[str] = set()
        self._objectives: list[WeightedObjective[Any]] = []
        self._parameters: list[nn.Parameter] = []

    def state_dict(self) -> dict[str, Any]:
        """The warnings so far."""
        return {"found": self.found}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the warnings of the run that is resumed; what is still wrong is said again."""
        self.found = state_dict["found"]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with empty windows."""
        self._waiting, self._phases, self._told = [], {}, set()
        if self.enabled:
            self.found = self.found or []
            # Looked up once: a walk through all modules costs as much as what is measured.
            own = list(trainable_modules(pl_module))
            self._objectives = [m for m in own if isinstance(m, WeightedObjective)]
            self._parameters = [p for m in own for p in m.parameters(recurse=False)]

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Listen to the objectives for as long as the step lasts."""
        if not self.enabled:
            return
        phase = {LatentBatch: "recon", PairBatch: "encode"}.get(type(batch), "train")
        self._step = Step(phase, batches_done(trainer) + 1, batch if isinstance(batch, PairBatch) else None)
        self._step.listen(self._objectives)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Note the loss."""
        if self.enabled:
            self._step.hang_up()
            self._step.values["loss"] = loss.detach()

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the gradient of the phase, before it is clipped."""
        # A gradient scaler's gradients are not what they seem, and may overflow as part of its search.
        if self.enabled and getattr(trainer.precision_plugin, "scaler", None) is None:
            # The parameters of the other phase do not require a gradient now.
            self._step.values["gradient"] = gradient_size(self._parameters)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Note the learning rate."""
        if self.enabled:
            self._step.values["rate"] = torch.as_tensor(max(group["lr"] for group in optimizer.param_groups))

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Measure the batch, and look at the numbers now and then."""
        if not self.enabled:
            return
        self._step.hang_up()
        teachers = getattr(pl_module, "teachers", None)
        if isinstance(teachers, TeacherPair) and self._step.pairs is not None and not _is_real(pl_module):
            self._step.values.update(measure_pairs(self._step.pairs, teachers))
        self._step.pairs = None
        self._waiting.append(self._step)
        if self._step.number % _CHECK_EVERY == 0:
            for name, value in self._check().items():
                pl_module.log(name, value, batch_size=1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the rest."""
        self._check()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the rest, before the last weights are saved and reported."""
        self._check()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave nothing attached to the module."""
        self._step.hang_up()
        self._objectives, self._parameters = [], []

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hold on to nothing of the module."""
        self._objectives, self._parameters = [], []

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to save what is not finite; the checkpoint that would be overwritten stays.

        Raises:
            TrainingError: Naming the step and the term, or the weight.
        """
        if not self.enabled or trainer.state.fn != TrainerFn.FITTING:
            return
        self._check()
        learning = {name for name, p in pl_module.named_parameters() if p.requires_grad}
        for name, tensor in checkpoint.get("state_dict", {}).items():
            # A buffer may hold an infinity on purpose, such as an attention mask.
            if not bool(torch.isfinite(tensor).all() if name in learning else ~torch.isnan(tensor).any()):
                raise TrainingError(f"after step {self._step.number} the weight {name!r} is not finite; {_REMEDY_NAN}")

    def _check(self) -> dict[str, float]:
        """Judge the steps since the last look, and return what is to be logged."""
        steps, self._waiting = self._waiting, []
        for step, reading in zip(steps, fetch([step.values for step in steps]), strict=True):
            _refuse_non_finite(step, reading)
            self._phases.setdefault(step.phase, Phase(max(self.window, self.agreement_window))).add(reading)
        if not steps:
            return {}
        for name, phase in self._phases.items():
            for illness, message in self._illnesses(phase, _PHASES[name]):
                self._warn(illness, steps[-1].number, message)
        return {
            f"health/{step_phase}_{name}": float(np.nanmean(values))
            for step_phase in dict.fromkeys(step.phase for step in steps)
            for name in _SCALARS
            if (values := self._phases[step_phase].last(name, 1, _CHECK_EVERY)) is not None
            and not np.isnan(values).all()
        }

    def _warn(self, name: str, step: int, message: str) -> None:
        if name in self._told or self.found is None:
            return
        self._told.add(name)
        message = f"health, step {step}: {message}"
        self.found.append({"name": name, "step": step, "message": message})
        rank_zero_warn(message)

    def _illnesses(self, phase: "Phase", who: str) -> Iterator[tuple[str, str]]:
        """Names and sentences of what is wrong with a phase."""
        if phase.steps < self.settle:
            return
        over = f"over the last {self.window} steps of the {who}"
        yield from self._of_images(phase, over)
        if phase.steps >= 2 * self.agreement_window:
            yield from self._of_pairs(phase, f"over the last {self.agreement_window} steps of the {who}")
        yield from self._of_adversary(phase, over)
        yield from self._of_gradients(phase, over)

    def _of_images(self, phase: "Phase", over: str) -> Iterator[tuple[str, str]]:
        for modality in MODALITIES:
            spread = phase.last(f"spread_{modality}", self.window)
            if spread is not None and not np.isnan(spread).all() and np.nanmean(spread) < self.least_spread:
                yield (
                    "mode_collapse",
                    f"{over} two {modality} images of one class lie only {np.nanmean(spread):.3f} times as far apart "
                    f"in the teacher's features as two classes do, below {self.least_spread:g}: they are copies of "
                    "one another. Usually helps: a lower weight of the one-hot term, a higher one of the BatchNorm "
                    "statistics term, a larger latent_dim, a lower learning rate",
                )
            counts, known = phase.last(f"counts_{modality}", self.window), phase.last(f"known_{modality}", self.window)
            if counts is None or known is None:
                continue
            total = counts.sum(0)
            use = class_use(total, int(known[-1]))
            if use < self.least_class_use:
                yield (
                    "class_imbalance",
                    f"{over} the entropy of the classes that the {modality} teacher sees is {use:.2f} of its maximum, "
                    f"below {self.least_class_use:g}: {total.max() / total.sum():.0%} of the images are of one class. "
                    "Usually helps: raise the weight of the entropy term",
                )

    def _of_pairs(self, phase: "Phase", over: str) -> Iterator[tuple[str, str]]:
        names = ("correlation", "agreement", "counts_photo", "counts_sketch")
        correlation, agreement, photo, sketch = (phase.last(name, self.agreement_window) for name in names)
        if correlation is None or agreement is None or photo is None or sketch is None:
            return
        mean, error = mean_and_error(correlation)
        # Without any variation there is nothing to agree on, and collapse says so.
        if error > 0 and mean < self.least_agreement * error:
            yield (
                "lost_agreement",
                f"{over} both teachers gave one class to {agreement.mean():.1%} of the pairs, where photos and "
                f"sketches of different pairs would give {chance_agreement(photo.sum(0), sketch.sum(0)):.1%}; their "
                f"answers correlate by {mean / error:.1f} standard errors, below {self.least_agreement:g}: a photo "
                "says nothing about its sketch. Usually helps: raise the weight of the alignment term, OneHotLoss "
                "with labels: agreed, more steps of the generators; objectives whose positives are the pairs "
                "themselves cannot learn from such pairs",
            )

    def _of_adversary(self, phase: "Phase", over: str) -> Iterator[tuple[str, str]]:
        disagreement, grips = phase.last("disagreement", self.window), phase.last("grip", self.window)
        if disagreement is not None and disagreement.mean() > self.most_disagreement:
            yield (
                "saturated_adversary",
                f"{over} the encoders disagree by {disagreement.mean():.3f} on a scale from 0 to 1, above "
                f"{self.most_disagreement:g}: the generators have won, and their pairs teach the encoders nothing. "
                "Usually helps: lower the weight of the adversarial term, or ramp it later",
            )
        elif grips is not None and grips.mean() < self.least_grip:
            yield (
                "saturated_adversary",
                f"{over} the adversarial term has {grips.mean():.3f} of its gradient left, below {self.least_grip:g}: "
                "every pair's embeddings are equal or opposite, or no pair counts because the teachers agree on none. "
                "Usually helps: a lower weight of the adversarial term, more encoder steps, a higher weight of the "
                "alignment term",
            )

    def _of_gradients(self, phase: "Phase", over: str) -> Iterator[tuple[str, str]]:
        gradient, rate = phase.last("gradient", self.window), phase.last("rate", self.window)
        if rate is not None and rate.max() == 0:
            yield (
                "dying_gradients",
                f"{over} the learning rate was 0, so nothing is learned. Usually helps: a schedule that lasts as long "
                "as the run, or an end above 0",
            )
        if gradient is None:
            return
        if gradient.max() < self.least_gradient:
            yield (
                "dying_gradients",
                f"{over} the gradient's elements have a root mean square of at most {gradient.max():.1e}, below "
                f"{self.least_gradient:g}: nothing is learned. Usually helps: check that the terms have a weight and "
                "depend on what is trained, a higher temperature of the contrastive term, another initialisation",
            )
        phase.first_gradient = phase.first_gradient or float(np.median(gradient))
        if phase.first_gradient > 0 and gradient.min() > self.most_growth * phase.first_gradient:
            yield (
                "exploding_gradients",
                f"{over} the gradient was at least {gradient.min() / phase.first_gradient:.0f} times that of the "
                f"phase's first steps, above {self.most_growth:g}. Usually helps: a lower learning rate, clip_norm, a "
                "lower weight of the adversarial or the activation term",
            )


_REMEDY_NAN = (
    "training has stopped, and the last checkpoint that was finite stays. Usually helps: a lower learning rate, "
    "clip_norm, a lower weight of the term that grows"
)


def _is_real(module: pl.LightningModule) -> bool:
    """Whether a module learns from real pairs."""
    return bool(getattr(getattr(module, "pair_source", None), "real", False))


def _refuse_non_finite(step: Step, reading: Mapping[str, FloatArray]) -> None:
    """Stop at the first step whose loss, term or gradient is not finite.

    Raises:
        TrainingError: Naming it.
    """
    terms = {name: values for name, values in reading.items() if name.startswith(f"{step.phase}/")}
    wrong = [name for name, values in terms.items() if not np.isfinite(values).all()]
    if wrong:
        what = f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not finite"
    elif "loss" in reading and not np.isfinite(reading["loss"]).all():
        what = f"the loss of the {_PHASES[step.phase]} is not finite, though its terms are"
    elif "gradient" in reading and not np.isfinite(reading["gradient"]).all():
        values = ", ".join(f"{name} {float(value):.4g}" for name, value in terms.items())
        what = f"the gradient of the {_PHASES[step.phase]} is not finite, though the loss is ({values})"
    else:
        return
    raise TrainingError(f"in step {step.number} {what}; {_REMEDY_NAN}")
