"""The discriminator of pairs, whose certainty says how far a drawing can be trusted."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.factories import complete
from crossx.finegrained.certainty.measures import area_under_curve, fit_temperature
from crossx.finegrained.certainty.networks import PairNetwork, PairNetworkFactory, TwoTowers
from crossx.finegrained.retrieval.frozen import FrozenEncoders
from crossx.networks.batch_norm import eval_mode
from crossx.training.module import CrossxModule
from crossx.training.rates import RateFactory
from crossx.types import StepOutput


@dataclass
class JudgedPairs:
    """Photos with their true sketches, and with drawings of the very same photos.

    True and generated pairs have the same photos, so that a photo by itself tells nothing.

    Attributes:
        photo: (B, 3, H, W) float32 in [0, 1].
        sketch: True sketches of the photos, (B, 3, H, W).
        drawing: What a generator has drawn of the photos, (B, 3, H, W), without gradient.
        instance: Place of each photo in a list, (B,) int64; equal numbers show the same instance.
    """

    photo: Tensor
    sketch: Tensor
    drawing: Tensor
    instance: Tensor


class PairDiscriminator(CrossxModule):
    """Learn to tell a photo's true sketch from a drawing of the photo, and from the sketch of another photo.

    "More Photos are All You Need" (arXiv 2103.13990) weighs each drawing by a discriminator's certainty. The sketches
    of other photos are our addition: without them style alone would decide, and not whether the sketch fits the photo.

    Args:
        teacher: The frozen retrieval model; the joint run fills it in.
        network: What maps a pair to a logit; None for `TwoTowers()`.
        smoothing: Label smoothing, in [0, 1): targets are 1 - smoothing / 2 and smoothing / 2.
        wrong_photo: Weight of true sketches beside the photo of another instance, at least 0; drawings have weight 1.
        optimizer: Factory of the optimiser.
        scheduler: Factory of its learning-rate schedule.
        clip_norm: Largest norm of the gradient; None does not clip.

    Attributes:
        temperature: Divides the logits of certainties, (); see `calibrate`.

    Raises:
        InputError: When a number is out of range, or the network cannot be built.
    """

    temperature: Tensor

    def __init__(
        self,
        teacher: FrozenEncoders,
        network: PairNetwork | PairNetworkFactory | None = None,
        smoothing: float = 0.1,
        wrong_photo: float = 0.5,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        must_be_in("discriminator.smoothing", smoothing, "[0, 1)")
        must_be_in("discriminator.wrong_photo", wrong_photo, "[0, inf)")
        chosen = TwoTowers() if network is None else network
        kind: type[PairNetwork] = PairNetwork  # type: ignore[type-abstract]  # compared with, never built
        self.network = complete("discriminator.network", chosen, kind, teacher=teacher)
        self.smoothing = smoothing
        self.wrong_photo = wrong_photo
        self.register_buffer("temperature", torch.ones(()))

    def logits(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """Judge pairs, (B, 3, H, W) each: logits, (B,) float32."""
        logits: Tensor = self.network(photo, sketch)
        return logits.float()

    def probability(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """Calibrated probability that each pair is true, (B,) in [0, 1]; in eval mode, with gradient to the images."""
        with eval_mode(self):
            return torch.sigmoid(self.logits(photo, sketch) / self.temperature)

    @torch.no_grad()
    def certainty(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """How far each sketch can be trusted as a sketch of its photo, (B,) in [0, 1]; detached."""
        return self.probability(photo, sketch)

    @torch.no_grad()
    def calibrate(self, real: Tensor, generated: Tensor) -> None:
        """Fit the temperature to pairs that the discriminator was not trained on.

        Args:
            real: Logits of true pairs, (N,).
            generated: Logits of drawings of the same photos, (M,).
        """
        logits = torch.cat([real, generated])
        is_real = torch.cat([torch.ones_like(real), torch.zeros_like(generated)]).bool()
        self.temperature.fill_(fit_temperature(logits, is_real))

    def step(self, pairs: JudgedPairs) -> StepOutput:
        """Take one training step: a forward without backward.

        Args:
            pairs: B photos with their true sketches and with drawings of them.
        """
        other = another_instance(pairs.instance)
        has_other = other != torch.arange(len(other), device=other.device)
        real = self.logits(pairs.photo, pairs.sketch)
        generated = self.logits(pairs.photo, pairs.drawing)
        wrong = self.logits(pairs.photo[other], pairs.sketch)
        weights = (1.0, 1.0, self.wrong_photo)
        losses = (
            self._cross_entropy(real, True).mean(),
            self._cross_entropy(generated, False).mean(),
            (self._cross_entropy(wrong, False) * has_other).mean(),
        )
        loss = torch.stack([w * value for w, value in zip(weights, losses, strict=True)]).sum() / sum(weights)
        logs = {
            "certainty/loss": loss.detach(),
            "certainty/real": torch.sigmoid(real.detach() / self.temperature).mean(),
            "certainty/generated": torch.sigmoid(generated.detach() / self.temperature).mean(),
            "certainty/auc": loss.new_tensor(area_under_curve(real.detach(), generated.detach())),
        }
        return StepOutput(loss, logs, shown=("certainty/auc",))

    def _cross_entropy(self, logits: Tensor, real: bool) -> Tensor:
        target = 1 - self.smoothing / 2 if real else self.smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="none")


def another_instance(instance: Tensor) -> Tensor:
    """For each row the nearest following row, around the end, that shows another instance; itself where there is none.

    Args:
        instance: (B,) int64.

    Returns:
        Rows, (B,) int64.
    """
    size = len(instance)
    rows = torch.arange(size, device=instance.device)
    ahead = (rows[:, None] + rows[None]) % size  # row i, then those that follow it
    differs = instance[ahead] != instance[:, None]
    first = differs.long().argmax(1)  # 0, the row itself, where none differs
    return ahead[rows, first]
