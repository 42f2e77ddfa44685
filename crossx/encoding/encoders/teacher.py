"""Encoders that start from the teacher of their modality."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import EmbeddingHead, Encoder
from crossx.networks.batch_norm import batch_norms
from crossx.networks.build import without_classifier
from crossx.networks.preprocessing import Preprocessing
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class TeacherEncoder(Encoder):
    """A copy of the teacher's network with a head, fine-tuned together.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.
        frozen_statistics: Keep the teacher's BatchNorm running statistics, in training too. They come from real images;
            statistics of synthetic images drift away from them while the generators learn.
        network_rate: Learning rate of the network as a share of the head's, in (0, 1]: a low rate forgets less of what
            the teacher has learned.

    Raises:
        InputError: When a number is out of range, or the teacher's network cannot leave out its classifier.
    """

    def __init__(
        self,
        teachers: TeacherPair,
        modality: Modality,
        dim: int = 64,
        hidden: int = 512,
        frozen_statistics: bool = False,
        network_rate: float = 1.0,
    ) -> None:
        super().__init__(modality, dim)
        must_be_in("encoder.network_rate", network_rate, "(0, 1]")
        self.network_rate = network_rate
        self.frozen_statistics = frozen_statistics
        teacher = teachers.of(modality)
        card = teacher.card
        self.network = without_classifier(card.network, card.arguments, teacher.network.state_dict())
        self.preprocessing = Preprocessing(*card.input_format)
        self.head = EmbeddingHead(self.network.num_features, dim, hidden)
        self.train(self.training)

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Return the network with its share of the learning rate."""
        return [(self.network, self.network_rate)]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; layers whose statistics are frozen stay in eval mode."""
        super().train(mode)
        if self.frozen_statistics:
            for layer in batch_norms(self.network):
                layer.eval()
        return self

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed images by network and head; the teacher's output is of no use, because the network learns."""
        return Embedding(self.head(self.network.pooled(self.preprocessing(images))))


class FrozenTeacherEncoder(Encoder):
    """An encoder that embeds by the frozen teacher's output; the teacher stays out of the checkpoint.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        dim: D.
        trainable_dim: T, length of the part that trains; None for D.
    """

    def __init__(self, teachers: TeacherPair, modality: Modality, dim: int, trainable_dim: int | None = None) -> None:
        super().__init__(modality, dim, trainable_dim)
        self.teacher = teachers.of(modality)

    def output(self, images: Tensor, teacher: TeacherOutput | None) -> TeacherOutput:
        """Return the teacher's output on the images; the teacher runs only where its output is not known."""
        output: TeacherOutput = self.teacher(images) if teacher is None else teacher
        return output


class TeacherHeadEncoder(FrozenTeacherEncoder):
    """A trained head on the frozen teacher's features and posterior: few parameters, trained in minutes.

    The posterior follows from the features by the teacher's last layer, but a head that has to learn this map from
    synthetic images learns it badly: with the posterior as an input it loses far less of its mAP by having no data
    (docs/experiments.md, "Learned heads on many classes").

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.
        posterior: Whether the head sees the posterior beside the features.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self, teachers: TeacherPair, modality: Modality, dim: int = 64, hidden: int = 512, posterior: bool = True
    ) -> None:
        super().__init__(teachers, modality, dim)
        self.posterior = posterior
        width = self.teacher.network.num_features + posterior * self.teacher.network.num_classes
        self.head = EmbeddingHead(width, dim, hidden)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed images by the head on the teacher's output, which is known already for training pairs."""
        output = self.output(images, teacher)
        if not self.posterior:
            return Embedding(self.head(output.features))
        # Each of the two on a scale of its own, whatever their widths are.
        parts = (full_precision(output.features), full_precision(output.logits).softmax(dim=1))
        return Embedding(self.head(torch.cat([F.layer_norm(part, part.shape[1:]) for part in parts], dim=1)))
