"""Cross-modal encoder training: put a sketch beside the photos of its class."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from crossx.augmentation import Augmentation
from crossx.core.errors import InputError
from crossx.encoding.critics import DistanceCritic, PairCritic
from crossx.encoding.encoders import Encoder
from crossx.encoding.losses.base import EncodingTerm, Hint, PairEmbeddings
from crossx.pairs.sources import Pairs
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import GuidedRetrievalModule
from crossx.training.lightning_state import batches_done
from crossx.training.objective import WeightedObjective
from crossx.types import Criticism, Modality, PairBatch, StepOutput, TeacherOutput


class EncoderModule(GuidedRetrievalModule):
    """Trains a photo and a sketch encoder on pairs; alone (stage-wise or with data) or inside a joint run.

    A new objective is a subclass that overrides `objective_of`, or a new `EncodingLoss` among the terms.

    Args:
        photo_teacher: Where the photo teacher is read from; filled in by the command line from `teachers.photo`.
        sketch_teacher: The same for sketches.
        photo_encoder: Photo to unit vector.
        sketch_encoder: Sketch to unit vector.
        terms: The objective: its terms by name, each with its weight and ramp.
        pairs: Where pairs come from when this module is the root: `SavedPairs`, `RealPairs`, or one of them in a
            `Replay`. In a joint run the conductor brings them.
        critic: How a joint run measures what is hard for the encoders; None for `DistanceCritic()`.
        temperature: Divides the teachers' logits before they become soft labels, besides an encoder's own temperature;
            above 1 it softens.
        photo_augmentation: Encoders learn from random views of the photos; None: from the photos as they are.
        sketch_augmentation: The same for the sketches.
        judge_views: Whether encoders learn what the teachers say of the views themselves, as a patient and consistent
            teacher does (arXiv 2106.05237), at the price of one more forward of both teachers a step. Otherwise they
            learn what the teachers have said of the images before.
        aliases: Other spellings of class names, from `teachers.aliases`.
        optimizer: Makes the encoders' optimiser.
        scheduler: Makes its learning-rate schedule.
        clip_norm: Largest norm of the gradient; None does not clip.

    Raises:
        InputError: When the two encoders do not go together, a term or an augmentation asks for what is not there, or a
            number is out of range.
    """

    def __init__(
        self,
        photo_teacher: str,
        sketch_teacher: str,
        photo_encoder: Encoder,
        sketch_encoder: Encoder,
        terms: dict[str, EncodingTerm],
        pairs: Pairs | None = None,
        critic: PairCritic | None = None,
        temperature: float = 1.0,
        photo_augmentation: Augmentation | None = None,
        sketch_augmentation: Augmentation | None = None,
        judge_views: bool = False,
        aliases: dict[str, str] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        if not temperature > 0:
            raise InputError(f"temperature: {temperature} is not legal; a positive number")
        self.teachers = TeacherPair(photo_teacher, sketch_teacher, aliases)
        self.photo_encoder, self.sketch_encoder = photo_encoder, sketch_encoder
        photo_encoder.start_from(self.teachers, "photo")
        sketch_encoder.start_from(self.teachers, "sketch")
        photo_encoder.check_partner(sketch_encoder)
        sketch_encoder.check_partner(photo_encoder)
        self.objective = WeightedObjective(terms)
        for name, term in terms.items():
            for side, encoder in (("photo", photo_encoder), ("sketch", sketch_encoder)):
                if term.weight and term.loss.needs_guesses and not encoder.guesses_features:
                    raise InputError(
                        f"terms.{name}: {type(term.loss).__name__} is not legal beside {side}_encoder = "
                        f"{type(encoder).__name__}, which guesses no features; with StudentEncoder it is"
                    )
            term.loss.start_from(self.teachers, photo_encoder.dim)
        self.critic = DistanceCritic() if critic is None else critic
        if self.critic.raw and photo_encoder.learned_dim != photo_encoder.dim:
            raise InputError(
                f"critic: {type(self.critic).__name__} is not legal beside {type(photo_encoder).__name__}, of whose "
                "embedding training moves a part; DistanceCritic"
            )
        self.critic.start_from(self.teachers, photo_encoder.learned_dim)
        self.temperature = temperature
        self.photo_augmentation, self.sketch_augmentation = photo_augmentation, sketch_augmentation
        for side, augmentation in (("photo", photo_augmentation), ("sketch", sketch_augmentation)):
            if augmentation is not None and augmentation.new_content and not judge_views:
                raise InputError(
                    f"judge_views: false is not legal beside {side}_augmentation = {type(augmentation).__name__}, "
                    "whose views show what the teachers have not seen; true"
                )
        if judge_views and photo_augmentation is None and sketch_augmentation is None:
            raise InputError("judge_views: true is not legal without an augmentation: there are no views; name one")
        self.judge_views = judge_views
        self.pairs = pairs
        if pairs is not None:
            if judge_views and pairs.true_labels:
                raise InputError("judge_views: true is not legal beside pairs.true_labels, which ask no teacher; false")
            pairs.attach(self.teachers, live=None)

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Those of both encoders."""
        return [*self.photo_encoder.relative_rates(), *self.sketch_encoder.relative_rates()]

    @property
    def latent_dim(self) -> int:
        """Z of the pair source."""
        return self.pair_source.latent_dim

    @property
    def pair_source(self) -> Pairs:
        """Where the pairs come from.

        Raises:
            InputError: When none is named.
        """
        if self.pairs is None:
            raise InputError("model.pairs: none is named; SavedPairs (data-free) or RealPairs (with data)")
        return self.pairs

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """Both encoders, by modality."""
        return {"photo": self.photo_encoder, "sketch": self.sketch_encoder}

    def wants_pairs(self, batches_done: int) -> bool:
        """Always: this module learns from pairs."""
        return True

    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        embedding: Tensor = (self.photo_encoder if modality == "photo" else self.sketch_encoder)(images)
        return embedding

    def embed(self, pairs: PairBatch, augmented: bool = False) -> PairEmbeddings:
        """Both embeddings of each pair, beside what the teachers say of the pair.

        Args:
            pairs: B pairs.
            augmented: Embed random views of the images, where the module augments.
        """
        photo, of_photo, told_photo = self._seen(pairs, "photo", augmented)
        sketch, of_sketch, told_sketch = self._seen(pairs, "sketch", augmented)
        photo, photo_guess = self.photo_encoder.answer(photo, told_photo)
        sketch, sketch_guess = self.sketch_encoder.answer(sketch, told_sketch)
        guesses = ((photo_guess, of_photo), (sketch_guess, of_sketch))
        hints = tuple(Hint(guess, teacher.features) for guess, teacher in guesses if guess is not None)
        embeddings = self._judged(photo, sketch, of_photo, of_sketch, pairs.target, hints)
        if self.pairs is None or not self.pairs.true_labels:
            return embeddings
        truth = F.one_hot(pairs.target, len(self.teachers.vocabulary)).to(embeddings.photo_posterior.dtype)
        return replace(embeddings, photo_posterior=truth, sketch_posterior=truth)

    def _judged(
        self,
        photo: Tensor,
        sketch: Tensor,
        of_photo: TeacherOutput,
        of_sketch: TeacherOutput,
        target: Tensor,
        hints: tuple[Hint, ...] = (),
    ) -> PairEmbeddings:
        """Embeddings beside the posteriors of both teachers."""
        return PairEmbeddings(
            photo=photo,
            sketch=sketch,
            photo_posterior=self._soft_labels(of_photo, "photo", self.photo_encoder),
            sketch_posterior=self._soft_labels(of_sketch, "sketch", self.sketch_encoder),
            target=target,
            least_cosine=min(self.photo_encoder.least_cosine, self.sketch_encoder.least_cosine),
            hints=hints,
        )

    def _soft_labels(self, output: TeacherOutput, modality: Modality, encoder: Encoder) -> Tensor:
        temperature = self.temperature * encoder.temperature
        return self.teachers.vocabulary.union_posterior(output.logits, modality, temperature)

    def _seen(
        self, pairs: PairBatch, modality: Modality, augmented: bool
    ) -> tuple[Tensor, TeacherOutput, TeacherOutput | None]:
        """What an encoder sees of one modality.

        Returns:
            Images or views, (B, 3, H, W); what is to be learned of them; what the teacher has said of them, if asked.
        """
        photo = modality == "photo"
        images, output = (pairs.photo, pairs.photo_teacher) if photo else (pairs.sketch, pairs.sketch_teacher)
        augmentation = self.photo_augmentation if photo else self.sketch_augmentation
        if augmentation is None or not augmented:
            return images, output, output
        view = augmentation(images)
        if not self.judge_views:
            return view, output, None
        with torch.no_grad():
            judged: TeacherOutput = self.teachers.of(modality)(view)
        return view, judged, judged

    def objective_of(self, embeddings: PairEmbeddings, batches_done: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch and its parts by name; what a subclass with a new objective overrides."""
        loss, values = self.objective(embeddings, batches_done)
        return loss, values

    def step(self, pairs: PairBatch, batches_done: int) -> StepOutput:
        """One training step on a batch of pairs.

        Args:
            pairs: B pairs.
            batches_done: Training batches before this one; ramps depend on it.
        """
        embeddings = self.embed(pairs, augmented=True)
        loss, values = self.objective_of(embeddings, batches_done)
        distance = 1 - (embeddings.photo * embeddings.sketch).sum(1).mean()
        logs = {f"encode/{name}": value for name, value in values.items()}
        logs = {"encode/loss": loss.detach(), "encode/pair_distance": distance.detach(), **logs}
        return StepOutput(loss, logs, shown=("encode/loss",))

    def criticise(self, pairs: PairBatch) -> Criticism:
        """The critic's word on each pair."""
        photo, sketch = (
            encoder.embed(images, teacher) if self.critic.raw else encoder.embed_learned(images, teacher)
            for encoder, images, teacher in (
                (self.photo_encoder, pairs.photo, pairs.photo_teacher),
                (self.sketch_encoder, pairs.sketch, pairs.sketch_teacher),
            )
        )
        embeddings = self._judged(photo, sketch, pairs.photo_teacher, pairs.sketch_teacher, pairs.target)
        criticism: Criticism = self.critic(embeddings)
        return criticism

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """Lightning's hook, when this module is the root."""
        output = self.step(batch, batches_done(self.trainer))
        self.log_output(output)
        return output.loss
