"""What an encoder (the student) is: image of one modality to a unit vector."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.base import Network
from crossx.networks.preprocessing import Preprocessing
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


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

    Attributes:
        guesses_features: Whether `answer` gives a guess of the teacher's features.
        least_cosine: The smallest cosine that two embeddings can have; 0 where no coordinate is negative.
        temperature: Divides the teacher's logits where its posterior is a part of the embedding, and in the soft labels
            that the encoder learns from: other labels would teach the rest of the embedding to take that part back.
    """

    guesses_features = False
    least_cosine = -1.0
    temperature: float = 1.0

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.dim = dim
        self.hidden = hidden

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Called once before training; `dim` must be right from then on. By default of no concern.

        Args:
            teachers: Both teachers and the vocabulary that joins their classes.
            modality: The encoder's own.
        """

    def check_partner(self, other: "Encoder") -> None:
        """Refuse an encoder of the other modality that does not embed into this one's space; both are asked.

        Args:
            other: The other encoder, started as this one.

        Raises:
            InputError: When the lengths of their embeddings differ.
        """
        if self.dim != other.dim:
            raise InputError(
                f"photo_encoder, sketch_encoder: {type(self).__name__} and {type(other).__name__} with embeddings of "
                f"length {self.dim} and {other.dim} are not legal together: both embed into one space; choose two of a "
                "kind, with the same dim"
            )

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

    @property
    def learned_dim(self) -> int:
        """Length of what `learned` gives."""
        return self.dim

    def learned(self, embedding: Tensor) -> Tensor:
        """What training can move of embeddings, (B, D), as unit vectors: what an adversary is shown. By default all."""
        return embedding

    def forward(self, images: Tensor, teacher: TeacherOutput | None = None) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        return F.normalize(self.embed(images, teacher).float(), dim=1)

    def embed_learned(self, images: Tensor, teacher: TeacherOutput | None = None) -> Tensor:
        """What training can move of the images' embeddings, (B, `learned_dim`); an encoder may leave out the rest."""
        return self.learned(self(images, teacher))

    def answer(self, images: Tensor, teacher: TeacherOutput | None = None) -> tuple[Tensor, Tensor | None]:
        """The unit vectors, (B, D), beside a guess of the teacher's features, (B, F); None where it makes none."""
        return self(images, teacher), None


class BackboneEncoder(Encoder):
    """An encoder with a network of its own, in place of its teacher's.

    Args:
        network: Backbone without classifier (`num_classes: 0`), such as `SmallResNet` or `TimmNetwork`.
        input_size: Side in pixels that images are resized to.
        mean: Subtracted from each channel of an image in [0, 1].
        std: Divides each channel then.
        dim: D.
        hidden: Width of the embedding head's hidden layer; 0 for a linear head.

    Raises:
        InputError: When the network has a classifier.
    """

    def __init__(
        self,
        network: Network,
        input_size: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        dim: int,
        hidden: int,
    ) -> None:
        super().__init__(dim, hidden)
        if network.num_classes:
            raise InputError(
                f"encoder.network.num_classes: {network.num_classes} is not legal; 0, because an encoder has no "
                "use for the network's classifier and its parameters would never learn"
            )
        self.network = network
        self.preprocessing = Preprocessing(input_size, mean, std)

    def pooled(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to the network's own features."""
        features: Tensor = self.network.pooled(self.preprocessing(images))
        return features
