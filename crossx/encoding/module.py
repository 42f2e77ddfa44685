"""Cross-modal encoder training: sketches come to lie beside the photos of their class."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from crossx.augmentation import Augmentation
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.encoding.critics import CriticFactory, DistanceCritic, PairCritic
from crossx.encoding.embeddings import Embedding, EmbeddingSpace, FeaturePair, PairEmbeddings
from crossx.encoding.encoders import Encoder, EncoderFactory
from crossx.encoding.losses.base import EncodingLoss, EncodingTerm
from crossx.pairs.matching import paired_by_class
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import GuidedRetrievalModule
from crossx.training.lightning_state import progress
from crossx.training.objective import WeightedObjective, complete_terms
from crossx.training.rates import RateFactory
from crossx.types import CriticOutput, Images, Modality, PairBatch, PairSource, Progress, StepOutput, TeacherOutput

PairSourceFactory = Callable[[TeacherPair], PairSource]
"""Builds a pair source that the teachers classify, such as `RealPairs` or a partial of it."""
ReplayFactory = Callable[[PairSource], PairSource]
"""Wraps a pair source, such as `Replay` or a partial of it."""


class EncoderModule(GuidedRetrievalModule):
    """Train a photo and a sketch encoder on pairs; alone (stage-wise or with data) or inside a joint run.

    A new objective is a new `EncodingLoss` among the terms, or a subclass that overrides `objective_of`.

    Args:
        photo_teacher: Where the photo teacher is read from; filled in by the command line from `teachers.photo`.
        sketch_teacher: The same for sketches.
        encoder: Factory of the encoders; each modality gets an encoder of its own.
        terms: The objective: its terms by name, each with its weight and ramp.
        sketch_encoder: Factory of another encoder for sketches; None for `encoder`.
        pairs: Where pairs come from when this module is the root: `SavedPairs`, `RealPairs`, ... Left out of a joint
            run, whose generators make the pairs.
        replay: Pool of earlier pairs that are mixed into the new ones, such as `Replay`; None mixes in none.
        pair_by_class: Whether the photos and sketches of a batch are paired anew before the encoders learn from them,
            by the teachers' posteriors and so that most pairs agree. It is for objectives whose positives are the
            pairs (`InfoNCELoss`, `MIBLoss`), beside generators whose pairs need not agree.
        critic: How a joint run measures the hardness of a pair; None for `DistanceCritic()`.
        temperature: Divides the teachers' logits before they become soft labels, > 0; above 1 softens the labels.
        photo_augmentation: Random views of the photos that encoders learn from; None for the photos themselves.
        sketch_augmentation: Random views of the sketches, likewise.
        judge_views: Whether the soft labels of a view are the teachers' posteriors of the view itself, as in
            consistent teaching (arXiv 2106.05237), at the cost of one more forward of both teachers a step. Otherwise
            they are the posteriors of the image that the view was made from.
        aliases: Other spellings of class names, from `teachers.aliases`.
        optimizer: Factory of the encoders' optimiser.
        scheduler: Factory of its learning-rate schedule.
        clip_norm: Largest norm of the gradient; None does not clip.

    Raises:
        InputError: When the two encoders do not fit each other, a term or an augmentation does not fit them, or a
            number is out of range.
    """

    def __init__(
        self,
        photo_teacher: str,
        sketch_teacher: str,
        encoder: EncoderFactory,
        terms: dict[str, EncodingTerm],
        sketch_encoder: EncoderFactory | None = None,
        pairs: PairSourceFactory | None = None,
        replay: ReplayFactory | None = None,
        pair_by_class: bool = False,
        critic: PairCritic | CriticFactory | None = None,
        temperature: float = 1.0,
        photo_augmentation: Augmentation | None = None,
        sketch_augmentation: Augmentation | None = None,
        judge_views: bool = False,
        aliases: dict[str, str] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        must_be_in("temperature", temperature, "(0, inf)")
        self.teachers = teachers = TeacherPair(photo_teacher, sketch_teacher, aliases)
        kind: type[Encoder] = Encoder  # type: ignore[type-abstract]  # compared with, never built
        self.photo_encoder = complete("encoder", encoder, kind, teachers=teachers, modality="photo")
        for_sketches = encoder if sketch_encoder is None else sketch_encoder
        self.sketch_encoder = complete("sketch_encoder", for_sketches, kind, teachers=teachers, modality="sketch")
        self.photo_encoder.check_partner(self.sketch_encoder)
        self.sketch_encoder.check_partner(self.photo_encoder)
        space = EmbeddingSpace(teachers, self.photo_encoder.trainable_dim)
        self.objective = WeightedObjective(complete_terms(terms, EncodingLoss, space=space))  # type: ignore[type-abstract]  # as above
        self.critic = DistanceCritic() if critic is None else complete("critic", critic, PairCritic, space=space)  # type: ignore[type-abstract]  # as above
        self.temperature = temperature
        self.pair_by_class = pair_by_class
        self.photo_augmentation, self.sketch_augmentation = photo_augmentation, sketch_augmentation
        self.judge_views = judge_views
        self.pairs: PairSource | None = None
        if pairs is not None:
            source = complete("pairs", pairs, PairSource, teachers=teachers)  # type: ignore[type-abstract]  # as above
            self.pairs = with_replay(source, replay)
        elif replay is not None:
            raise InputError(
                "replay: needs pairs to keep; name pairs, or in a joint run the replay of CoTrainingModule"
            )
        self._check_fit()

    def _check_fit(self) -> None:
        """Refuse parts that do not work together."""
        for name in self.objective.terms:
            for encoder in (self.photo_encoder, self.sketch_encoder):
                if self.objective.loss(name).needs_features and not encoder.predicts_features:
                    raise InputError(
                        f"terms.{name}: {type(self.objective.loss(name)).__name__} needs an encoder that predicts "
                        f"teacher features (StudentEncoder), got {type(encoder).__name__} for {encoder.modality}"
                    )
        augmentations = {"photo": self.photo_augmentation, "sketch": self.sketch_augmentation}
        for side, augmentation in augmentations.items():
            if augmentation is not None and augmentation.new_content and not self.judge_views:
                raise InputError(
                    f"judge_views: must be true beside {side}_augmentation: {type(augmentation).__name__}, whose views "
                    "show content that the teachers have not classified"
                )
        if self.judge_views and not any(augmentations.values()):
            raise InputError(
                "judge_views: must be false without an augmentation, got true; name photo_augmentation or "
                "sketch_augmentation, which makes the views"
            )
        if self.judge_views and self.pairs is not None and self.pairs.true_labels:
            raise InputError("judge_views: must be false beside pairs.true_labels, which use no teacher")

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Return the submodules of both encoders that learn at a rate of their own."""
        return [*self.photo_encoder.relative_rates(), *self.sketch_encoder.relative_rates()]

    @property
    def latent_dim(self) -> int:
        """Z, length of the pair source's noise."""
        return self.pair_source.latent_dim

    @property
    def pair_source(self) -> PairSource:
        """Where the pairs come from.

        Raises:
            InputError: When no source is named.
        """
        if self.pairs is None:
            raise InputError("model.pairs: must be named; SavedPairs (data-free) or RealPairs (with data)")
        return self.pairs

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """Both encoders, by modality."""
        return {"photo": self.photo_encoder, "sketch": self.sketch_encoder}

    def wants_pairs(self, progress: Progress) -> bool:
        """Return True: this module always learns from pairs."""
        return True

    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        embedding: Tensor = (self.photo_encoder if modality == "photo" else self.sketch_encoder)(images)
        return embedding

    def adapt(self, queries: Images | None) -> int:
        """Show the queries to the encoder of sketches."""
        return self.sketch_encoder.adapt(queries)

    def embed(self, pairs: PairBatch, augmented: bool = False) -> PairEmbeddings:
        """Embed both images of each pair by what trains of the encoders, beside the teachers' posteriors.

        Args:
            pairs: B pairs.
            augmented: Embed random views of the images, where the module augments.
        """
        photo, sketch = self._view(pairs, "photo", augmented), self._view(pairs, "sketch", augmented)
        photo_embedding = self.photo_encoder.embed_trainable(photo.images, photo.known)
        sketch_embedding = self.sketch_encoder.embed_trainable(sketch.images, sketch.known)
        features = tuple(
            FeaturePair(embedding.features, view.labels.features)
            for embedding, view in ((photo_embedding, photo), (sketch_embedding, sketch))
            if embedding.features is not None
        )
        embeddings = self._beside_posteriors(
            photo_embedding.unit, sketch_embedding.unit, photo.labels, sketch.labels, pairs.target, features
        )
        if self.pairs is None or not self.pairs.true_labels:
            return embeddings
        truth = F.one_hot(pairs.target, len(self.teachers.vocabulary)).to(embeddings.photo_posterior.dtype)
        return replace(embeddings, photo_posterior=truth, sketch_posterior=truth)

    def _beside_posteriors(
        self,
        photo: Tensor,
        sketch: Tensor,
        photo_labels: TeacherOutput,
        sketch_labels: TeacherOutput,
        target: Tensor,
        features: tuple[FeaturePair, ...] = (),
    ) -> PairEmbeddings:
        return PairEmbeddings(
            photo=photo,
            sketch=sketch,
            photo_posterior=self._soft_labels(photo_labels, "photo"),
            sketch_posterior=self._soft_labels(sketch_labels, "sketch"),
            target=target,
            least_cosine=min(self.photo_encoder.least_cosine, self.sketch_encoder.least_cosine),
            features=features,
        )

    def _soft_labels(self, output: TeacherOutput, modality: Modality) -> Tensor:
        return self.teachers.vocabulary.union_posterior(output.logits, modality, self.temperature)

    def _view(self, pairs: PairBatch, modality: Modality, augmented: bool) -> "_View":
        photo = modality == "photo"
        images, output = (pairs.photo, pairs.photo_teacher) if photo else (pairs.sketch, pairs.sketch_teacher)
        augmentation = self.photo_augmentation if photo else self.sketch_augmentation
        if augmentation is None or not augmented:
            return _View(images, output, output)
        view = augmentation(images)
        if not self.judge_views:
            return _View(view, output, None)
        with torch.no_grad():
            of_view: TeacherOutput = self.teachers.of(modality)(view)
        return _View(view, of_view, of_view)

    def objective_of(self, embeddings: PairEmbeddings, progress: Progress) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch and its parts by name; a subclass with a new objective overrides this method."""
        loss, values = self.objective(embeddings, progress)
        return loss, values

    def step(self, pairs: PairBatch, progress: Progress) -> StepOutput:
        """Take one training step on a batch of pairs.

        Args:
            pairs: B pairs.
            progress: Where the run stands before this batch; ramps depend on it.
        """
        if self.pair_by_class:
            pairs = paired_by_class(pairs, self.teachers.vocabulary)
        self.photo_encoder.observe(pairs.photo, pairs.photo_teacher)
        self.sketch_encoder.observe(pairs.sketch, pairs.sketch_teacher)
        embeddings = self.embed(pairs, augmented=True)
        loss, values = self.objective_of(embeddings, progress)
        distance = 1 - (embeddings.photo * embeddings.sketch).sum(1).mean()
        logs = {f"encode/{name}": value for name, value in values.items()}
        logs = {"encode/loss": loss.detach(), "encode/pair_distance": distance.detach(), **logs}
        return StepOutput(loss, logs, shown=("encode/loss",))

    def criticise(self, pairs: PairBatch) -> CriticOutput:
        """Return the critic's measure of how hard each pair is for the encoders."""
        photo = self._for_critic(self.photo_encoder.embed_trainable(pairs.photo, pairs.photo_teacher))
        sketch = self._for_critic(self.sketch_encoder.embed_trainable(pairs.sketch, pairs.sketch_teacher))
        embeddings = self._beside_posteriors(photo, sketch, pairs.photo_teacher, pairs.sketch_teacher, pairs.target)
        output: CriticOutput = self.critic(embeddings)
        return output

    def _for_critic(self, embedding: Embedding) -> Tensor:
        return embedding.vector if self.critic.raw else embedding.unit

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """Take a step, when this module is the root."""
        output = self.step(batch, progress(self.trainer))
        self.log_output(output)
        return output.loss


def with_replay(source: PairSource, replay: ReplayFactory | None) -> PairSource:
    """Return a pair source, wrapped by `replay` where there is one."""
    if replay is None:
        return source
    return complete("replay", replay, PairSource, source=source)  # type: ignore[type-abstract]  # compared with, never built


@dataclass
class _View:
    """Images and soft labels of one modality, as an encoder learns from them.

    Attributes:
        images: Images or random views of them, (B, 3, H, W).
        labels: Teacher's output that the encoder learns.
        known: Teacher's output on these very images; None where the teacher has not run on them.
    """

    images: Tensor
    labels: TeacherOutput
    known: TeacherOutput | None
