"""Encoders (the students): image of one modality to a unit vector."""

from abc import ABC, abstractmethod
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from crossx.backbones import Network, build_network
from crossx.batchnorm import batch_norms
from crossx.errors import InputError
from crossx.preprocessing import Preprocessing
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import TeacherOutput


class EmbeddingHead(nn.Sequential):
    """Features to an embedding: linear, or with one hidden layer.

    Args:
        num_features: F.
        dim: D.
        hidden: Width of the hidden layer; 0 for none.
    """

    def __init__(self, num_features: int, dim: int, hidden: int) -> None:
        if dim < 1 or hidden < 0:
            raise InputError(f"encoder: dim {dim} and hidden {hidden} are not legal; dim from 1, hidden from 0 (none)")
        if hidden:
            # The normalisation brings teachers of any scale to one scale, whatever they were trained with.
            layers = [nn.LayerNorm(num_features), nn.Linear(num_features, hidden), nn.GELU(), nn.Linear(hidden, dim)]
        else:
            layers = [nn.LayerNorm(num_features), nn.Linear(num_features, dim)]
        super().__init__(*layers)


class Encoder(nn.Module, ABC):
    """Image to unit vector.

    Args:
        dim: D, length of the embedding.
        hidden: Width of the embedding head's hidden layer; 0 for a linear head.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.dim = dim
        self.hidden = hidden

    def start_from(self, teacher: FrozenTeacher) -> None:
        """Called once with the teacher of the encoder's modality, before training; by default of no concern."""

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Submodules that learn at another rate than the rest, each with the factor to the optimiser's rate."""
        return []

    @abstractmethod
    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Images to embeddings of any length.

        Args:
            images: (B, 3, H, W) in [0, 1].
            teacher: What the teacher has already said of these very images, where that is known.

        Returns:
            (B, D).
        """

    def forward(self, images: Tensor, teacher: TeacherOutput | None = None) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        return F.normalize(self.embed(images, teacher).float(), dim=1)


class NetworkEncoder(Encoder):
    """A network of its own, started at random or from weights that timm knows.

    Args:
        network: Backbone without classifier (`num_classes: 0`), such as `TimmNetwork` or `SmallResNet`.
        input_size: Side in pixels that images are resized to.
        mean: Subtracted from each channel of an image in [0, 1].
        std: Divides each channel then.
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.

    Raises:
        InputError: When the network has a classifier.
    """

    def __init__(
        self,
        network: Network,
        input_size: int,
        mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        std: tuple[float, float, float] = (0.5, 0.5, 0.5),
        dim: int = 64,
        hidden: int = 0,
    ) -> None:
        super().__init__(dim, hidden)
        if network.num_classes:
            raise InputError(
                f"encoder.network.num_classes: {network.num_classes} is not legal; 0, because an encoder has no "
                "classifier and its parameters would never learn"
            )
        self.network = network
        self.preprocessing = Preprocessing(input_size, mean, std)
        self.head = EmbeddingHead(network.num_features, dim, hidden)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Run network and head; the teacher is of no concern."""
        embedding: Tensor = self.head(self.network.pooled(self.preprocessing(images)))
        return embedding


class TeacherEncoder(Encoder):
    """The teacher's network as a start, fine-tuned with everything above it.

    Args:
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.
        frozen_statistics: Keep the teacher's BatchNorm running statistics, in training too. They are of real images;
            those of synthetic images drift away from them while the generators learn.
        network_rate: The network's learning rate as a share of the head's, in (0, 1]: a low one forgets less of what
            the teacher knew.

    Raises:
        InputError: When `network_rate` is out of range.
    """

    def __init__(
        self, dim: int = 64, hidden: int = 512, frozen_statistics: bool = False, network_rate: float = 1.0
    ) -> None:
        super().__init__(dim, hidden)
        if not 0 < network_rate <= 1:
            raise InputError(f"encoder.network_rate: {network_rate} is not legal; above 0, at most 1")
        self.network_rate = network_rate
        self.frozen_statistics = frozen_statistics
        self.network: Network | None = None

    def start_from(self, teacher: FrozenTeacher) -> None:
        """Copy the teacher's weights into a network that trains."""
        card, weights = teacher.card, teacher.network.state_dict()
        network = build_network(card.network, card.arguments, num_classes=0)
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
        self.network = network
        self.preprocessing = Preprocessing(card.input_size, card.mean, card.std)
        self.head = EmbeddingHead(network.num_features, self.dim, self.hidden)
        self.train(self.training)

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """The network's."""
        return [] if self.network is None else [(self.network, self.network_rate)]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; layers whose statistics are frozen stay in eval mode."""
        super().train(mode)
        if self.frozen_statistics and self.network is not None:
            for layer in batch_norms(self.network):
                layer.eval()
        return self

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Run network and head; what the teacher said is no longer what this network says."""
        if self.network is None:
            raise RuntimeError("start_from() comes before the first use")
        embedding: Tensor = self.head(self.network.pooled(self.preprocessing(images)))
        return embedding


class TeacherHeadEncoder(Encoder):
    """A trained head on the frozen teacher's features: few parameters, little to forget, seconds to train.

    Args:
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.
    """

    def __init__(self, dim: int = 64, hidden: int = 512) -> None:
        super().__init__(dim, hidden)
        self.teacher: FrozenTeacher | None = None

    def start_from(self, teacher: FrozenTeacher) -> None:
        """Take the teacher itself; it stays frozen and out of the checkpoint."""
        self.teacher = teacher
        self.head = EmbeddingHead(teacher.network.num_features, self.dim, self.hidden)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Run the head on the teacher's features, which are known already for training pairs."""
        if self.teacher is None:
            raise RuntimeError("start_from() comes before the first use")
        output = self.teacher(images) if teacher is None else teacher
        embedding: Tensor = self.head(output.features)
        return embedding
