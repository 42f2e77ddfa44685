"""Data-free reconstruction: generators learn to make images that two frozen teachers recognise."""

import math

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from crossx.core.factories import complete
from crossx.networks.batch_norm import average_running_statistics
from crossx.reconstruction.generators import (
    Generator,
    GeneratorFactory,
    GeneratorPair,
    load_weights,
    make_pairs,
    sample_pairs,
    save_generators,
)
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss, ReconstructionTerm
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import TeacherGuided
from crossx.training.lightning_state import progress, run_folder
from crossx.training.module import CrossxModule
from crossx.training.objective import WeightedObjective, complete_terms
from crossx.training.rates import RateFactory
from crossx.types import Critic, LatentBatch, PairBatch, Progress, StepOutput


class ReconstructionModule(TeacherGuided, CrossxModule):
    """Train a photo and a sketch generator against the teachers; alone (stage-wise) or inside a joint run.

    Alone, it writes `generators.safetensors` into the run folder, which `SavedPairs` reads.

    Args:
        photo_teacher: Where the photo teacher is read from; filled in by the command line from `teachers.photo`.
        sketch_teacher: The same for sketches.
        generator: Latent to image, for both modalities; each gets a generator of its own.
        terms: The objective: its terms by name, each with its weight and ramp.
        sketch_generator: Another generator for sketches; None takes `generator` for both.
        aliases: Other spellings of class names, from `teachers.aliases`.
        optimizer: Factory of the generators' optimiser.
        scheduler: Factory of its learning-rate schedule.
        clip_norm: Largest norm of the gradient; None does not clip.
        start: The `generators.safetensors` of an earlier run, whose weights the generators start with; None lets them
            start at random. The file is also read where a checkpoint of the run is measured.

    Raises:
        InputError: When the generators do not fit each other or the file of their start, or a term does not fit the
            teachers.
    """

    def __init__(
        self,
        photo_teacher: str,
        sketch_teacher: str,
        generator: GeneratorFactory,
        terms: dict[str, ReconstructionTerm],
        sketch_generator: GeneratorFactory | None = None,
        aliases: dict[str, str] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
        start: str | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        kind: type[Generator] = Generator  # type: ignore[type-abstract]  # compared with, never built
        for_sketches = generator if sketch_generator is None else sketch_generator
        self.generators = GeneratorPair(
            complete("generator", generator, kind, modality="photo"),
            complete("sketch_generator", for_sketches, kind, modality="sketch"),
        )
        if start is not None:
            load_weights(self.generators, start, "start")
        self.teachers = TeacherPair(photo_teacher, sketch_teacher, aliases)
        built = complete_terms(terms, ReconstructionLoss, teachers=self.teachers)  # type: ignore[type-abstract]  # as above
        self.objective = WeightedObjective(built)

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.generators.latent_dim

    def wants_pairs(self, progress: Progress) -> bool:
        """Return False: this module learns from latents."""
        return False

    @property
    def pair_source(self) -> None:
        """None: this module makes pairs of its latents itself."""
        return

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Make pairs with the generators as they are, without gradient."""
        return sample_pairs(self.generators, self.teachers, latents)

    def step(self, latents: LatentBatch, progress: Progress, critic: Critic | None = None) -> StepOutput:
        """Take one training step on a batch of latents.

        Args:
            latents: B latents.
            progress: Where the run stands before this batch; ramps depend on it.
            critic: The encoders' critic of the pairs, in a joint run.
        """
        losses = [self.objective.loss(name) for name in self.objective.active(progress)]
        statistics = any(loss.needs_statistics for loss in losses)
        pairs = make_pairs(self.generators, self.teachers, latents, statistics)
        reconstruction = Reconstruction(pairs, self.teachers.vocabulary)
        if critic is not None and any(loss.needs_critic for loss in losses):
            reconstruction.critic = critic(pairs)
        layers = max((loss.swapped_layers for loss in losses), default=0)
        if layers:
            reconstruction.swapped = self.teachers.swapped(pairs.photo, pairs.sketch, layers)
        loss, values = self.objective(reconstruction, progress)
        logs = {f"recon/{name}": value for name, value in values.items()}
        logs = {"recon/loss": loss.detach(), **logs, **_health(reconstruction)}
        return StepOutput(loss, logs, shown=("recon/loss", "recon/agreement", "recon/photo_confidence"))

    def training_step(self, batch: LatentBatch, batch_idx: int) -> Tensor:
        """Take a step, when this module is the root."""
        output = self.step(batch, progress(self.trainer))
        self.log_output(output)
        return output.loss

    def on_train_end(self) -> None:
        """Make the generators of all processes the same, which one of them writes."""
        average_running_statistics(self)

    def on_fit_end(self) -> None:
        """Write the generators into the run folder, for stage-wise training."""
        super().on_fit_end()
        folder = run_folder(self.trainer)
        if folder is not None and self.trainer.is_global_zero:
            path = folder / "generators.safetensors"
            save_generators(path, self.generators)
            print(f"generators: {path.resolve()}", flush=True)  # noqa: T201 - what the user looks for


@torch.no_grad()
def _health(reconstruction: Reconstruction) -> dict[str, Tensor]:
    """Return what tells a good batch from a bad one: agreement, confidence, and how evenly the classes are used."""
    photo, sketch = reconstruction.posteriors["photo"], reconstruction.posteriors["sketch"]
    used = (photo + sketch).mean(0) / 2
    entropy = torch.special.entr(used).sum() / math.log(used.numel())
    return {
        "recon/agreement": (photo.argmax(1) == sketch.argmax(1)).float().mean(),
        "recon/photo_confidence": photo.amax(1).mean(),
        "recon/sketch_confidence": sketch.amax(1).mean(),
        "recon/class_entropy": entropy,
    }
