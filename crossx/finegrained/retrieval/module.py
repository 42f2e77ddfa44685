"""Fine-grained retrieval: a sketch comes to lie beside the very photo that it was drawn from."""

from dataclasses import dataclass

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from crossx.augmentation import Augmentation, check_same_content
from crossx.core.errors import InputError
from crossx.encoding.encoders import EncoderFactory
from crossx.finegrained.pseudo.base import PseudoSketches
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings, PhotoEmbeddings
from crossx.finegrained.retrieval.encoders import build_encoder, load_encoders, teachers_of
from crossx.finegrained.retrieval.frozen import FrozenRetrieval, frozen_encoders
from crossx.finegrained.retrieval.losses.base import InstanceLoss, InstanceTerm
from crossx.finegrained.retrieval.measured import InstanceRetrievalModule
from crossx.finegrained.types import FineGrainedBatch
from crossx.training.lightning_state import progress
from crossx.training.objective import WeightedObjective, complete_terms
from crossx.training.rates import RateFactory
from crossx.types import Images, Modality, Progress, StepOutput


class FineGrainedModule(InstanceRetrievalModule):
    """Train a photo and a sketch encoder on labelled pairs of instances, and on pseudo pairs of unlabelled photos.

    The retrieval half of "More Photos are All You Need" (arXiv 2103.13990): a root module by itself, or a part of the
    joint run. The encoders are those of crossx, so that `encoders.safetensors` serves everything that takes encoders.

    Args:
        encoder: Factory of the encoders; each modality gets an encoder of its own.
        terms: The objective: its terms by name, each with its weight and ramp.
        sketch_encoder: Factory of another encoder for sketches; None for `encoder`.
        shared: Whether one encoder embeds photos and sketches (Siamese, as published); it is built for photos.
        start: `encoders.safetensors` that the encoders start from, of a run with the same encoders: a data-free run, or
            one that was trained by `PhotoContrast`. None for encoders as they are built.
        pseudo: Source of sketches for the unlabelled photos; None learns from the labelled pairs alone.
        teacher: Frozen retrieval model, for the terms that need one.
        pair_views: Random views of pairs that move photo and sketch alike, such as `Augment(flip=0.5)`: both come as
            one image of six channels. None for pairs as they are.
        photo_views: Random views of the photos, behind those of the pairs.
        sketch_views: Random views of the sketches, likewise.
        photo_teacher: Photo classifier that encoders may start from; filled in by the command line from
            `teachers.photo`. None in a run without teachers.
        sketch_teacher: The same for sketches.
        aliases: Other spellings of class names, from `teachers.aliases`.
        optimizer: See `CrossxModule`.
        scheduler: See `CrossxModule`.
        clip_norm: See `CrossxModule`.

    Raises:
        InputError: When parts do not fit each other, a view may show other content than its image, a file does not hold
            such encoders, or a number is out of range.
    """

    def __init__(
        self,
        encoder: EncoderFactory,
        terms: dict[str, InstanceTerm],
        sketch_encoder: EncoderFactory | None = None,
        shared: bool = False,
        start: str | None = None,
        pseudo: PseudoSketches | None = None,
        teacher: FrozenRetrieval | None = None,
        pair_views: Augmentation | None = None,
        photo_views: Augmentation | None = None,
        sketch_views: Augmentation | None = None,
        photo_teacher: str | None = None,
        sketch_teacher: str | None = None,
        aliases: dict[str, str] | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        if shared and sketch_encoder is not None:
            raise InputError("sketch_encoder: must be null where shared is true, got an encoder of its own")
        views = {"pair_views": pair_views, "photo_views": photo_views, "sketch_views": sketch_views}
        for field, augmentation in views.items():
            check_same_content(augmentation, f"model.{field}")
        teachers = teachers_of(photo_teacher, sketch_teacher, aliases)
        factories: dict[Modality, EncoderFactory] = {"photo": encoder, "sketch": sketch_encoder or encoder}
        self.photo_encoder = build_encoder("encoder", encoder, teachers, "photo")
        self.sketch_encoder = self.photo_encoder
        if not shared:
            named = "encoder" if sketch_encoder is None else "sketch_encoder"
            self.sketch_encoder = build_encoder(named, factories["sketch"], teachers, "sketch")
        self.photo_encoder.check_partner(self.sketch_encoder)
        if start is not None:
            load_encoders({"photo": self.photo_encoder, "sketch": self.sketch_encoder}, start, "model.start")
        self.objective = WeightedObjective(complete_terms(terms, InstanceLoss))  # type: ignore[type-abstract]  # compared with
        self.pseudo = pseudo
        self.pair_views, self.photo_views, self.sketch_views = pair_views, photo_views, sketch_views
        self._check_terms(teacher)
        self.teacher = None if teacher is None else frozen_encoders(teacher, factories, teachers)

    def _losses(self) -> dict[str, InstanceLoss]:
        return {name: self.objective.loss(name) for name in self.objective.terms}

    def _check_terms(self, teacher: FrozenRetrieval | None) -> None:
        """Refuse terms without what they need."""
        for name, loss in self._losses().items():
            if loss.needs_teacher and teacher is None:
                raise InputError(
                    f"terms.{name}: {type(loss).__name__} needs a frozen retrieval model; name model.teacher"
                )
            if loss.needs_views and self.photo_views is None:
                raise InputError(f"terms.{name}: {type(loss).__name__} needs random views; name model.photo_views")
        if teacher is not None and not any(loss.needs_teacher for loss in self._losses().values()):
            raise InputError(
                "model.teacher: must be null where no term learns from it, got a frozen retrieval model; add a "
                "RelationDistillation or PhotoRelation"
            )

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """Both encoders, by modality; the same one twice where they are shared."""
        return {"photo": self.photo_encoder, "sketch": self.sketch_encoder}

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Return the submodules of both encoders that learn at a rate of their own."""
        return [*self.photo_encoder.relative_rates(), *self.sketch_encoder.relative_rates()]

    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        embedding: Tensor = (self.photo_encoder if modality == "photo" else self.sketch_encoder)(images)
        return embedding

    def adapt(self, queries: Images | None) -> int:
        """Show the queries to the encoder of sketches."""
        return self.sketch_encoder.adapt(queries)

    def pairs(self, batch: FineGrainedBatch) -> "TrainingPairs":
        """Return the labelled pairs of a batch, and behind them the pseudo pairs of its unlabelled photos."""
        ones = torch.ones(len(batch.photo), device=batch.photo.device)
        if self.pseudo is None:
            return TrainingPairs(batch.photo, batch.sketch, batch.instance, ones)
        drawn = self.pseudo(batch)
        if batch.free_photo is None or batch.free_instance is None:
            raise InputError("model.pseudo: needs unlabelled photos and their places in the list of photos, got none")
        return TrainingPairs(
            torch.cat([batch.photo, batch.free_photo]),
            torch.cat([batch.sketch, drawn.sketch.to(batch.sketch.dtype)]),
            torch.cat([batch.instance, batch.free_instance]),
            torch.cat([ones, drawn.certainty.detach().to(ones.dtype)]),
        )

    def embed(self, batch: FineGrainedBatch) -> InstanceEmbeddings:
        """Embed random views of the pairs of a batch, with what the terms need besides."""
        pairs = self.pairs(batch)
        photo, sketch = self._views(pairs.photo, pairs.sketch)
        embeddings = InstanceEmbeddings(
            self.photo_encoder.embed_trainable(photo, None).unit,
            self.sketch_encoder.embed_trainable(sketch, None).unit,
            pairs.instance,
            pairs.certainty,
        )
        losses = self._losses().values()
        if self.teacher is not None and any(loss.needs_teacher and not loss.needs_free for loss in losses):
            embeddings.teacher_photo = self.teacher(photo, "photo")
            embeddings.teacher_sketch = self.teacher(sketch, "sketch")
        if any(loss.needs_free for loss in losses):
            embeddings.free = self._free(batch)
        return embeddings

    def _views(self, photo: Tensor, sketch: Tensor) -> tuple[Tensor, Tensor]:
        if self.pair_views is not None:
            photo, sketch = self.pair_views(torch.cat([photo, sketch], dim=1)).tensor_split(2, dim=1)
        return _view(photo, self.photo_views), _view(sketch, self.sketch_views)

    def _free(self, batch: FineGrainedBatch) -> PhotoEmbeddings:
        if batch.free_photo is None or batch.free_instance is None:
            wanting = next(type(loss).__name__ for loss in self._losses().values() if loss.needs_free)
            raise InputError(f"model.terms: {wanting} learns from unlabelled photos, and the run has none")
        losses = self._losses().values()
        photo = _view(batch.free_photo, self.photo_views)
        free = PhotoEmbeddings(self.photo_encoder.embed_trainable(photo, None).unit, batch.free_instance)
        if any(loss.needs_views for loss in losses):
            other = _view(batch.free_photo, self.photo_views)
            free.view = self.photo_encoder.embed_trainable(other, None).unit
        if self.teacher is not None and any(loss.needs_free and loss.needs_teacher for loss in losses):
            free.teacher = self.teacher(photo, "photo")
        return free

    def step(self, batch: FineGrainedBatch, progress: Progress) -> StepOutput:
        """Take one training step.

        Args:
            batch: Labelled pairs, and unlabelled photos beside them.
            progress: Where the run stands before this batch; ramps depend on it.
        """
        embeddings = self.embed(batch)
        loss, values = self.objective(embeddings, progress)
        labelled = len(batch.photo)
        distance = 1 - (embeddings.photo * embeddings.sketch)[:labelled].sum(1).mean()
        logs = {"fg/loss": loss.detach(), "fg/pair_distance": distance.detach()}
        if self.pseudo is not None:
            logs["fg/certainty"] = embeddings.certainty[labelled:].mean()
        return StepOutput(loss, {**logs, **{f"fg/{name}": v for name, v in values.items()}}, shown=("fg/loss",))

    def training_step(self, batch: FineGrainedBatch, batch_idx: int) -> Tensor:
        """Take a step, when this module is the root."""
        output = self.step(batch, progress(self.trainer))
        self.log_output(output)
        return output.loss


@dataclass
class TrainingPairs:
    """Images of the pairs of a step, before random views.

    Attributes:
        photo: (B, 3, H, W) in [0, 1].
        sketch: (B, 3, H, W) in [0, 1].
        instance: Which object each pair shows, (B,) int64.
        certainty: How far each pair is trusted, (B,) in [0, 1].
    """

    photo: Tensor
    sketch: Tensor
    instance: Tensor
    certainty: Tensor


def _view(images: Tensor, views: Augmentation | None) -> Tensor:
    return images if views is None else views(images)
