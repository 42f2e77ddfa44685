"""Data-free reconstruction: generators learn to make images that two frozen teachers recognise."""

from dataclasses import replace
from typing import Any, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from crossx.augmentation import Augmentation, check_same_content, view_of
from crossx.core.errors import InputError
from crossx.reconstruction.averages import GeneratorAverage
from crossx.reconstruction.generators import Generator, GeneratorPair, make_images, sample_pairs, save_generators
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionTerm
from crossx.reconstruction.restarts import check_first_layers, draw_anew, reset_optimizer
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
        photo_augmentation: The photo teacher, and with it every term, sees a random view of each photo instead of the
            photo itself (DeepInversion, arXiv 1912.08795, jitters and flips). None: the photo as it is.
        sketch_augmentation: The same for the sketches.
        ema_decay: Pairs come from an exponential moving average of the generators' weights that keeps this share of
            itself at each generator step, and it is what is saved; after MAD (arXiv 2209.10359), which takes images of
            both. None: from the generators.
        reinitialise_every: After so many generator steps the next one starts from weights that are drawn anew, with a
            new optimiser state (CMI, arXiv 2105.08584; NAYER, arXiv 2310.00258); the learning-rate schedule goes on,
            the average starts anew. Until that step, pairs come from the generators as they are. None: never.
        reinitialise: What is drawn anew: `all`, or the `first` layers only, which turn latents into a first image.
        meta_every: k, the length of a round of few-step meta-learning; see `crossx.reconstruction.restarts`. None: no
            rounds.
        meta_rate: How far the meta-weights move towards the generators after each round, in (0, 1].
        aliases: Other spellings of class names, from `teachers.aliases`.
        optimizer: Makes the generators' optimiser.
        scheduler: Makes its learning-rate schedule.
        clip_norm: Largest norm of the gradient; None does not clip.

    Raises:
        InputError: When the generators do not fit each other or the teachers, a term does not fit the teachers, or a
            number is out of range.
    """

    def __init__(
        self,
        photo_teacher: str,
        sketch_teacher: str,
        photo_generator: Generator,
        sketch_generator: Generator,
        terms: dict[str, ReconstructionTerm],
        photo_augmentation: Augmentation | None = None,
        sketch_augmentation: Augmentation | None = None,
        ema_decay: float | None = None,
        reinitialise_every: int | None = None,
        reinitialise: Literal["first", "all"] = "all",
        meta_every: int | None = None,
        meta_rate: float = 0.5,
        aliases: dict[str, str] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        self.teachers = TeacherPair(photo_teacher, sketch_teacher, aliases)
        self.generators = GeneratorPair(photo_generator, sketch_generator)
        self.generators.check_classes(len(self.teachers.vocabulary.union))
        self.terms = terms
        self.objective = WeightedObjective(terms)
        for term in terms.values():
            if term.weight:
                term.loss.attach(self.teachers)
        # Generators would learn to make up for what their images are pasted on.
        check_same_content(photo_augmentation, "photo_augmentation")
        check_same_content(sketch_augmentation, "sketch_augmentation")
        self.photo_augmentation, self.sketch_augmentation = photo_augmentation, sketch_augmentation
        if ema_decay is not None and not 0 < ema_decay < 1:
            raise InputError(f"ema_decay: {ema_decay} is not legal; above 0 and below 1, or null for no average")
        if not 0 < meta_rate <= 1:
            raise InputError(f"meta_rate: {meta_rate} is not legal; above 0, at most 1")
        for name, every in (("reinitialise_every", reinitialise_every), ("meta_every", meta_every)):
            if every is not None and every < 1:
                raise InputError(f"{name}: {every} is not legal; at least 1, or null for never")
        if reinitialise_every is not None and meta_every is not None:
            raise InputError(
                f"meta_every: {meta_every} is not legal beside reinitialise_every = {reinitialise_every}: one of them "
                "says what a round of generator steps starts from"
            )
        if reinitialise not in ("first", "all"):
            raise InputError(f"reinitialise: {reinitialise!r} is not legal; first or all")
        if reinitialise_every is not None and reinitialise == "first":
            check_first_layers(self.generators)
        self.reinitialise_every, self.reinitialise, self.meta_every = reinitialise_every, reinitialise, meta_every
        self.average = None if ema_decay is None else GeneratorAverage(self.generators, ema_decay)
        self.meta = None if meta_every is None else GeneratorAverage(self.generators, 1 - meta_rate)

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

    @property
    def sampled(self) -> GeneratorPair:
        """The generators that pairs come from: those that learn, or their average."""
        return self.generators if self.average is None else self.average.generators

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Pairs from the generators, or their average, as they are, without gradient."""
        return sample_pairs(self.sampled, self.teachers, latents)

    def before_step(self, optimizer: torch.optim.Optimizer, steps: int) -> None:
        """Start a new round of generator steps, where one is due; the root calls it before the step.

        Args:
            optimizer: The generators' optimiser.
            steps: Generator steps since the very start, before this one.
        """
        if self.reinitialise_every is not None and steps and steps % self.reinitialise_every == 0:
            drawn = draw_anew(self.generators, self.reinitialise, steps)
            reset_optimizer(optimizer, self.make_optimizer, drawn)
            if self.average is not None:
                self.average.start_anew(self.generators)
        if self.meta is not None and self.meta_every and steps and steps % self.meta_every == 0:
            self.meta.update_parameters(self.generators)
            self.meta.copy_to(self.generators)
            reset_optimizer(optimizer, self.make_optimizer, list(self.generators.parameters()))

    def after_step(self) -> None:
        """Take the new weights into the average; the root calls it after the optimiser has stepped."""
        if self.average is not None:
            self.average.update_parameters(self.generators)

    def step(self, latents: LatentBatch, batches_done: int, critic: Critic | None = None) -> StepOutput:
        """One training step on a batch of latents.

        Args:
            latents: B latents.
            batches_done: Training batches before this one; ramps depend on it.
            critic: The encoders' view of the pairs, in a joint run.
        """
        losses = [self.terms[name].loss for name in self.objective.active(batches_done)]
        statistics = any(loss.needs_statistics for loss in losses)
        photo, sketch, target = make_images(self.generators, self.teachers, latents)
        views = view_of(photo, self.photo_augmentation), view_of(sketch, self.sketch_augmentation)
        seen: PairBatch = self.teachers(*views, target, statistics)
        pairs = replace(seen, photo=photo, sketch=sketch)
        wanted = any(loss.needs_critic for loss in losses)
        # Critic and teachers judge the very images that the teachers have seen.
        criticism = critic(seen) if critic is not None and wanted else None
        judged = Reconstruction(pairs, self.teachers.vocabulary)
        if criticism is not None:
            judged.disagreement, judged.surprise = criticism.disagreement, criticism.surprise
        if any(loss.needs_cross_statistics for loss in losses):
            judged.crossed = self.teachers.crossed(*views)
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
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        self.before_step(optimizer, self.trainer.global_step)  # which counts the optimiser's steps
        output = self.step(batch, batches_done(self.trainer))
        self.log_output(output)
        return output.loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's arguments, passed on
        """Lightning's hook, when this module is the root."""
        super().optimizer_step(*args, **kwargs)
        self.after_step()

    def on_fit_end(self) -> None:
        """Leave the generators in the run folder, for stage-wise training."""
        super().on_fit_end()
        folder = run_folder(self.trainer)
        if folder is not None and self.trainer.is_global_zero:
            path = folder / "generators.safetensors"
            save_generators(path, self.sampled, self.teachers.vocabulary.union)
            print(f"generators: {path.resolve()}", flush=True)  # noqa: T201 - what the user looks for
