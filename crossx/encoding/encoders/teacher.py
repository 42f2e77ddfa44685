"""Encoders that start from the teacher of their modality."""

from typing import Self

from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.encoding.encoders.base import EmbeddingHead, Encoder
from crossx.networks.base import Network
from crossx.networks.batch_norm import batch_norms
from crossx.networks.build import build_network
from crossx.networks.preprocessing import Preprocessing
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import Modality, TeacherOutput


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

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Copy the teacher's weights into a network that trains."""
        teacher = teachers.of(modality)
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


class FrozenTeacherEncoder(Encoder):
    """What embeds by the frozen teacher's answer; the teacher stays out of the checkpoint.

    Args:
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head, or none.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__(dim, hidden)
        self.teacher: FrozenTeacher | None = None

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Take the teacher itself."""
        self.teacher = teachers.of(modality)

    def output(self, images: Tensor, teacher: TeacherOutput | None) -> TeacherOutput:
        """What the teacher says of the images, asked only where that is not known."""
        if self.teacher is None:
            raise RuntimeError("start_from() comes before the first use")
        output: TeacherOutput = self.teacher(images) if teacher is None else teacher
        return output


class TeacherHeadEncoder(FrozenTeacherEncoder):
    """A trained head on the frozen teacher's features: few parameters, little to forget, seconds to train.

    Args:
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.
    """

    def __init__(self, dim: int = 64, hidden: int = 512) -> None:
        super().__init__(dim, hidden)

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Take the teacher, and make the head on its features."""
        super().start_from(teachers, modality)
        self.head = EmbeddingHead(teachers.of(modality).network.num_features, self.dim, self.hidden)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Run the head on the teacher's features, which are known already for training pairs."""
        output = self.output(images, teacher)
        embedding: Tensor = self.head(output.features)
        return embedding
