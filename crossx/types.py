"""The whole coupling of crossx on one screen: the batches, and the contracts between the packages.

- Reconstruction and encoding: generators make pairs (`Sampler`) and may ask a `Critic` how hard the pairs are;
  encoders learn from the pairs of a `PairSource`. Neither side depends on anything else of the other.
- Data module and root module: `PairTrainer`.
- Reports and root module: `Sampler` here, and the base classes of `crossx.training`.

Letters in shapes, everywhere in crossx: B batch, K classes of one teacher, U classes of the union of both teachers,
Z latent, F teacher feature, D embedding, Q queries, G gallery, CxHxW image.

Batches are plain (not frozen) dataclasses because Lightning moves them between devices field by field and refuses
frozen ones.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

Modality = Literal["photo", "sketch"]
MODALITIES: tuple[Modality, Modality] = ("photo", "sketch")
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Progress:
    """Position in a run.

    Attributes:
        done: Training batches finished since the very start, also before a resume.
        total: Batches of the whole run; None where the run has no known end.
        warmup: Batches at the start of a joint run in which the encoders do not train yet.
    """

    done: int
    total: int | None = None
    warmup: int = 0


@dataclass
class LatentBatch:
    """A batch of latents, as the loader's workers make it: numbers, and with data also real images.

    Attributes:
        index: Place of each latent in the endless stream, (B,) int64; it stays on the CPU.
        noise: Standard normal noise, (B, Z) float32.
        uniform: Uniform number in [0, 1) that becomes the class of a real pair, (B,) float32.
        photo: Real photos in [0, 1] for training with data, (B, 3, H, W); None when training is data-free.
        sketch: Real sketches of the same classes, (B, 3, H, W); None when training is data-free.
        target: Classes of the real pairs as indices into the union of both teachers' classes, (B,) int64; None when
            data-free.
    """

    index: Tensor
    noise: Tensor
    uniform: Tensor
    photo: Tensor | None = None
    sketch: Tensor | None = None
    target: Tensor | None = None

    def to(self, device: torch.device) -> "LatentBatch":
        """Return the batch on a device; Lightning calls this method.

        The places stay where they are: they seed random draws, and to read them from a GPU would mean to wait for it.
        """
        moved = {
            f.name: value.to(device, non_blocking=device.type == "cuda")
            for f in fields(self)
            if f.name != "index" and (value := getattr(self, f.name)) is not None
        }
        return replace(self, **moved)


@dataclass
class LayerStatistics:
    """Input statistics of one BatchNorm layer, beside the stored statistics of the layer's training data.

    Attributes:
        mean: Mean over batch and space, (C,) float32, with gradient.
        var: Biased variance over batch and space, (C,) float32, with gradient.
        running_mean: The layer's stored mean, (C,).
        running_var: The layer's stored variance, (C,).
    """

    mean: Tensor
    var: Tensor
    running_mean: Tensor
    running_var: Tensor


@dataclass
class TeacherOutput:
    """Output of one forward pass of a frozen teacher.

    Attributes:
        logits: (B, K).
        features: Pooled features before the classifier, (B, F).
        statistics: One entry a BatchNorm layer in forward order; empty unless requested, and for teachers
            without BatchNorm.
    """

    logits: Tensor
    features: Tensor
    statistics: list[LayerStatistics] = field(default_factory=list)


@dataclass
class PairBatch:
    """Photos and sketches, one pair a row, with the teachers' outputs on them.

    Attributes:
        photo: (B, 3, H, W) float32 in [0, 1].
        sketch: (B, 3, H, W) float32 in [0, 1]; black strokes on white, the one channel repeated.
        photo_teacher: The photo teacher's output on `photo`.
        sketch_teacher: The sketch teacher's output on `sketch`.
        target: Class that both teachers together find most likely (or, with data, the true class), as an index into the
            union of both class lists, (B,) int64.
    """

    photo: Tensor
    sketch: Tensor
    photo_teacher: TeacherOutput
    sketch_teacher: TeacherOutput
    target: Tensor


@dataclass
class ImageBatch:
    """Real images of one modality for validation and test, or for training a classifier.

    Attributes:
        image: (B, 3, H, W) float32 in [0, 1].
        label: Index into the dataset's class names, (B,) int64.
        index: Place of each image in its modality's list, (B,) int64; duplicates that a distributed sampler pads
            with are recognised by it.
        modality: Which list the images come from.
    """

    image: Tensor
    label: Tensor
    index: Tensor
    modality: Modality


class Images(Protocol):
    """Images without labels, (3, H, W) float32 in [0, 1] each, such as a list of tensors or a tensor (N, 3, H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> Tensor: ...


@dataclass
class StepOutput:
    """Result of a child module's training step; only the root module logs.

    Attributes:
        loss: Scalar with gradient.
        logs: Detached scalars by their full names, such as `recon/one_hot`.
        shown: Names of the logs that stand beside the progress bar.
    """

    loss: Tensor
    logs: dict[str, Tensor]
    shown: tuple[str, ...] = ()


@dataclass
class CriticOutput:
    """How hard B pairs are for the encoders; differentiable with respect to the images.

    Attributes:
        hardness: Hardness of each pair, (B,), in [0, 1].
        class_nll: Cross-entropy of the encoders' class scores to the teachers' most likely classes, (B,) in nats, >= 0
            and without upper bound; None for a critic that scores no classes.
    """

    hardness: Tensor
    class_nll: Tensor | None = None


class PairSource(ABC):
    """Source of the encoders' pairs: turns latents into pairs on the device.

    A plain object and no `nn.Module`: what it holds is neither trained nor saved with the module that uses it.

    Attributes:
        real: Whether the pairs are real images, so that the run is not data-free.
        true_labels: Whether encoders learn the classes of the pairs in place of the teachers' posteriors.
        num_classes: U, the number of classes that a pair's `target` counts.
        shared: Mask of the classes that both teachers know, (U,) bool; None for all classes.
    """

    real: bool = False
    true_labels: bool = False
    num_classes: int
    shared: Tensor | None = None

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Z, the length of the noise of a pair."""

    @abstractmethod
    def sample(self, latents: LatentBatch) -> PairBatch:
        """Make one pair a latent, without gradient, on the latents' device."""

    def loaded(
        self,
        latents: Dataset[LatentBatch],
        data: Any,  # noqa: ANN401 - a RetrievalData or None; this file stands below the package that defines it
    ) -> Dataset[LatentBatch]:
        """Return the dataset that the loader's workers read; a source of real images adds them to the latents here.

        Args:
            latents: The stream of latents.
            data: The data module's `RetrievalData`, or None.
        """
        return latents

    def check_batch(self, size: int) -> None:  # noqa: B027 - most sources serve every size
        """Refuse a batch size that the source cannot serve, before anything trains; does nothing by default.

        Args:
            size: B of one process.

        Raises:
            InputError: When the source cannot serve it.
        """


class Sampler(Protocol):
    """A module with generators, which makes pairs for encoders and for the pictures of reports."""

    @property
    def latent_dim(self) -> int:
        """Z, the length of the noise of a pair."""
        ...

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Make one pair a latent, without gradient."""
        ...


class PairTrainer(Protocol):
    """A root module as the data module uses it."""

    @property
    def latent_dim(self) -> int:
        """Z, the length of the noise in a `LatentBatch`."""
        ...

    @property
    def pair_source(self) -> PairSource | None:
        """Source that turns latents into pairs; None for a module that learns from latents alone."""
        ...

    def wants_pairs(self, progress: Progress) -> bool:
        """Whether the coming batch is to be made into pairs."""
        ...


class Critic(Protocol):
    """The encoders as a frozen function of pairs, which generators may make harder."""

    def __call__(self, pairs: PairBatch) -> CriticOutput:
        """Return how hard each pair is."""
        ...
