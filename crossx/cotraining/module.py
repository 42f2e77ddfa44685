"""The conductor of a joint run: generators and encoders learn in turn, within one fit and one checkpoint."""

from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.encoding.module import EncoderModule
from crossx.networks.batch_norm import eval_mode
from crossx.pairs.sources import LivePairs, Pairs
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import GuidedRetrievalModule
from crossx.training.lightning_state import batches_done, is_fast_dev_run
from crossx.training.limits import check_trainer
from crossx.training.module import CrossxModule
from crossx.training.schedule import Schedule
from crossx.types import Criticism, LatentBatch, Modality, PairBatch


class CoTrainingModule(GuidedRetrievalModule):
    """Joint training, the published method ("Data-Free Sketch-Based Image Retrieval", arXiv 2303.07775).

    One batch is one phase, one backward and one optimiser step: a `LatentBatch` trains the generators, a `PairBatch`
    the encoders. So `global_step` equals batches, and `max_steps` means what it says.

    Args:
        reconstruction: The generators' side.
        encoding: The encoders' side.
        schedule: Which batch trains which side.
        pairs: Where the encoders' pairs come from: `LivePairs`, or `Replay` over it.

    Raises:
        InputError: When the two sides name different teachers, the pairs cannot be live, or a term needs what the
            critic cannot give.
    """

    def __init__(
        self,
        reconstruction: ReconstructionModule,
        encoding: EncoderModule,
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        pairs: Pairs | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.reconstruction = reconstruction
        self.encoding = encoding
        self.schedule = schedule
        for side in ("photo", "sketch"):
            if getattr(reconstruction.teachers, side) is not getattr(encoding.teachers, side):
                raise InputError(
                    f"model: reconstruction and encoding name different {side} teachers; set teachers.{side} alone"
                )
        for name, term in reconstruction.terms.items():
            if term.weight and term.loss.needs_surprise and not encoding.critic.scores_classes:
                raise InputError(
                    f"model.reconstruction.terms.{name}: form: published is not legal beside encoding.critic = "
                    f"{type(encoding.critic).__name__}, which scores no classes; form: bounded, or critic: "
                    "LastLayerCritic"
                )
        self._pairs = LivePairs() if pairs is None else pairs  # not `or`: an empty Replay has the length 0
        self._pairs.attach(reconstruction.teachers, live=reconstruction)

    @property
    def teachers(self) -> TeacherPair:  # type: ignore[override]  # it belongs to the children
        """The frozen teachers of both sides."""
        return self.reconstruction.teachers

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Pairs from the generators as they are, without gradient."""
        return self.reconstruction.sample(latents)

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.reconstruction.latent_dim

    @property
    def pair_source(self) -> Pairs:
        """Where the encoders' pairs come from."""
        return self._pairs

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """The encoders' side's encoders, by modality."""
        return self.encoding.encoders

    def wants_pairs(self, batches_done: int) -> bool:
        """Whether the coming batch trains the encoders."""
        return self._present_schedule.trains_encoders(batches_done)

    @property
    def _present_schedule(self) -> Schedule:
        # A try-out has two batches, and both phases have their turn.
        return Schedule() if is_fast_dev_run(self.trainer) else self.schedule

    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        return self.encoding.encode(images, modality)

    def configure_callbacks(self) -> list[Callback]:
        """No callbacks: the one hook before Lightning's own check, which would refuse without saying what to do.

        Raises:
            InputError: When a setting of the trainer cannot work in a joint run.
        """
        check_trainer(self.trainer)
        return []

    def configure_optimizers(self) -> tuple[OptimizerLRSchedulerConfig, ...]:  # type: ignore[override]  # two optimisers
        """The children's optimisers and schedules, in the order of the phases."""
        return tuple(child.configure_optimizers() for child in (self.reconstruction, self.encoding))

    def training_step(self, batch: LatentBatch | PairBatch, batch_idx: int) -> None:
        """One step of the phase that the batch belongs to."""
        done = batches_done(self.trainer)
        phase = 1 if isinstance(batch, PairBatch) else 0
        optimizer, scheduler = self._optimizers()[phase], self._schedulers()[phase]
        child: CrossxModule = self.encoding if phase else self.reconstruction
        with optimizer.toggle_model():  # encloses the forward: the other phase's parameters get no gradient
            if isinstance(batch, PairBatch):
                output = self.encoding.step(batch, done)
            else:
                output = self.reconstruction.step(batch, done, self._critic)
            optimizer.zero_grad()
            self.manual_backward(output.loss)
        if child.clip_norm is not None:
            self.clip_gradients(optimizer.optimizer, child.clip_norm, "norm")
        optimizer.step()
        scheduler.step()  # Lightning steps no schedule in manual optimisation
        self.log_output(output)

    def _critic(self, pairs: PairBatch) -> Criticism:
        with eval_mode(self.encoding):  # a generator's step must not move the encoders' running statistics
            return self.encoding.criticise(pairs)

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers: Any = self.optimizers()
        return list(optimizers)

    def _schedulers(self) -> list[torch.optim.lr_scheduler.LRScheduler]:
        schedulers: Any = self.lr_schedulers()
        return list(schedulers)
