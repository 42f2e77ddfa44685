"""Data-free reconstruction: generators learn to make images that two frozen teachers recognise."""

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from crossx.reconstruction.generators import Generator, GeneratorPair, make_pairs, sample_pairs, save_generators
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionTerm
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import TeacherGuided
from crossx.training.lightning_state import batches_done, run_folder
from crossx.training.module import CrossxModule
from crossx.training.objective import WeightedObjective
from crossx.types import Critic, LatentBatch, PairBatch, StepOutput


class ReconstructionModule(TeacherGuided, CrossxModule):
    """Trains a photo and a sketch generator against the teachers; alone (stage-wise) or inside a joint run.

    Alone, it writes `generators.safetensors` into the run folder, which `SavedPairs` reads.

    Args:
        photo_teacher: Where the photo teacher is read from; filled in by the command line from `teachers.photo`.
        sketch_teacher: The same for sketches.
        photo_generator: Latent to photo.
        sketch_generator: Latent to sketch.
        terms: The objective: its terms by name, each with its weight and ramp.
        aliases: Other spellings of class names, from `teachers.aliases`.
        optimizer: Makes the generators' optimiser.
        scheduler: Makes its learning-rate schedule.
        clip_norm: Largest norm of the gradient; None does not clip.

    Raises:
        InputError: When the generators do not fit each other, or a term does not fit the teachers.
    """

    def __init__(
        self,
        photo_teacher: str,
        sketch_teacher: str,
        photo_generator: Generator,
        sketch_generator: Generator,
        terms: dict[str, ReconstructionTerm],
        aliases: dict[str, str] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        self.teachers = TeacherPair(photo_teacher, sketch_teacher, aliases)
        self.generators = GeneratorPair(photo_generator, sketch_generator)
        self.terms = terms
        self.objective = WeightedObjective(terms)
        for term in terms.values():
            if term.weight:
                term.loss.attach(self.teachers)

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.generators.latent_dim

    def wants_pairs(self, batches_done: int) -> bool:
        """Never: this module learns from latents."""
        return False

    @property
    def pair_source(self) -> None:
        """None: nothing turns this module's latents into pairs before it sees them."""
        return

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Pairs from the generators as they are, without gradient."""
        return sample_pairs(self.generators, self.teachers, latents)

    def step(self, latents: LatentBatch, batches_done: int, critic: Critic | None = None) -> StepOutput:
        """One training step on a batch of latents.

        Args:
            latents: B latents.
            batches_done: Training batches before this one; ramps depend on it.
            critic: The encoders' view of the pairs, in a joint run.
        """
        losses = [self.terms[name].loss for name in self.objective.active(batches_done)]
        statistics = any(loss.needs_statistics for loss in losses)
        pairs = make_pairs(self.generators, self.teachers, latents, statistics)
        wanted = any(loss.needs_critic for loss in losses)
        criticism = critic(pairs) if critic is not None and wanted else None
        judged = Reconstruction(pairs, self.teachers.vocabulary)
        if criticism is not None:
            judged.disagreement, judged.surprise = criticism.disagreement, criticism.surprise
        if any(loss.needs_cross_statistics for loss in losses):
            judged.crossed = self.teachers.crossed(pairs.photo, pairs.sketch)
        loss, values = self.objective(judged, batches_done)
        logs = {f"recon/{name}": value for name, value in values.items()}
        logs = {"recon/loss": loss.detach(), **logs, **self._health(pairs)}
        return StepOutput(loss, logs, shown=("recon/loss", "recon/agreement", "recon/photo_confidence"))

    @torch.no_grad()
    def _health(self, pairs: PairBatch) -> dict[str, Tensor]:
        """What tells a good batch from a bad one: agreement, confidence, and how evenly the classes are used."""
        vocabulary = self.teachers.vocabulary
        photo = vocabulary.union_posterior(pairs.photo_teacher.logits, "photo")
        sketch = vocabulary.union_posterior(pairs.sketch_teacher.logits, "sketch")
        used = (photo + sketch).mean(0) / 2
        entropy = torch.special.entr(used).sum() / torch.tensor(float(len(used))).log()
        return {
            "recon/agreement": (photo.argmax(1) == sketch.argmax(1)).float().mean(),
            "recon/photo_confidence": photo.amax(1).mean(),
            "recon/sketch_confidence": sketch.amax(1).mean(),
            "recon/class_entropy": entropy,
        }

    def training_step(self, batch: LatentBatch, batch_idx: int) -> Tensor:
        """Lightning's hook, when this module is the root."""
        output = self.step(batch, batches_done(self.trainer))
        self.log_output(output)
        return output.loss

    def on_fit_end(self) -> None:
        """Leave the generators in the run folder, for stage-wise training."""
        super().on_fit_end()
        folder = run_folder(self.trainer)
        if folder is not None and self.trainer.is_global_zero:
            path = folder / "generators.safetensors"
            save_generators(path, self.generators)
            print(f"generators: {path.resolve()}", flush=True)  # noqa: T201 - what the user looks for
