"""The base classes of encoders (the students), which map images of one modality to unit vectors."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.encoding.embeddings import Embedding
from crossx.networks.base import Network
from crossx.networks.preprocessing import InputFormat, Preprocessing
from crossx.teachers.pair import TeacherPair
from crossx.types import Images, Modality, TeacherOutput

NetworkFactory = Callable[[], Network]
"""Builds a network; a factory, because both modalities need a network of their own."""


class EmbeddingHead(nn.Sequential):
    """Head that maps features to an embedding: linear, or with one hidden layer.

    Args:
        num_features: F.
        dim: D, at least 1.
        hidden: Width of the hidden layer; 0 for none.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, num_features: int, dim: int, hidden: int) -> None:
        must_be_in("encoder.dim", dim, "[1, inf)")
        must_be_in("encoder.hidden", hidden, "[0, inf)")
        if hidden:
            # The normalisation makes the head independent of the scale of a teacher's features.
            layers = [nn.LayerNorm(num_features), nn.Linear(num_features, hidden), nn.GELU(), nn.Linear(hidden, dim)]
        else:
            layers = [nn.LayerNorm(num_features), nn.Linear(num_features, dim)]
        super().__init__(*layers)


class Encoder(nn.Module, ABC):
    """Network that maps an image to a unit vector.

    A subclass takes `teachers` and `modality` as the first arguments of its constructor, and is complete after it.

    Args:
        modality: Modality of the images.
        dim: D, length of the embedding.
        trainable_dim: T, length of the part that trains, in [0, D]; None for D.

    Attributes:
        needs_teachers: Whether the encoder can only be built from teachers.
        predicts_features: Whether `embed_trainable` returns predicted features of the teacher.
        least_cosine: The smallest cosine of two embeddings' trainable parts; 0 where no coordinate is negative.
    """

    needs_teachers = True
    predicts_features = False
    least_cosine = -1.0

    def __init__(self, modality: Modality, dim: int, trainable_dim: int | None = None) -> None:
        super().__init__()
        self.modality: Modality = modality
        self.dim = dim
        self.trainable_dim = dim if trainable_dim is None else trainable_dim

    def check_partner(self, other: "Encoder") -> None:
        """Refuse an encoder of the other modality that does not embed into this one's space; called on both encoders.

        Args:
            other: The other encoder.

        Raises:
            InputError: When the lengths of their embeddings differ.
        """
        if self.dim != other.dim:
            raise InputError(
                f"encoder, sketch_encoder: must embed into one space, got {type(self).__name__} and "
                f"{type(other).__name__} with embeddings of length {self.dim} and {other.dim}; choose two of a kind, "
                "with the same dim"
            )

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Return submodules that learn at another rate than the rest, each with the factor to the optimiser's rate."""
        return []

    def modality_coordinates(self) -> tuple[tuple[int, int], ...] | None:
        """Return the pairs of coordinates that are 0 in vectors of the other modality, the photos' one first.

        Two vectors of one modality are compared after one of them has exchanged these coordinates. None where they
        cannot be compared at all.
        """
        return ()

    @abstractmethod
    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed images.

        Args:
            images: (B, 3, H, W) in [0, 1].
            teacher: The teacher's output on these very images, where it is known already.
        """

    def embed_trainable(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed images by the part that trains, for objectives and critics; the whole embedding by default.

        Args:
            images: As in `embed`.
            teacher: As in `embed`.
        """
        return self.embed(images, teacher)

    def observe(self, images: Tensor, teacher: TeacherOutput | None) -> None:
        """Take statistics of a training batch, before it is embedded; does nothing by default.

        Args:
            images: As in `embed`.
            teacher: As in `embed`.
        """

    def adapt(self, queries: Images | None) -> int:
        """Take statistics of the images that are about to be embedded (test-time adaptation); by default take none.

        They hold until the next call, and are in no state dict.

        Args:
            queries: All images of a set; None to go back to the encoder as it was trained.

        Returns:
            Number of images that statistics were taken of.
        """
        return 0

    def forward(self, images: Tensor, teacher: TeacherOutput | None = None) -> Tensor:
        """Map images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        return self.embed(images, teacher).unit


EncoderFactory = Callable[[TeacherPair, Modality], Encoder]
"""Builds an encoder for a modality from the teachers, such as the class `TeacherEncoder` or a partial of it."""


class BackboneEncoder(Encoder):
    """An encoder with a network of its own, in place of its teacher's.

    Args:
        teachers: Both teachers; None in a run without teachers, such as fine-grained retrieval.
        modality: Modality of the images.
        network: Factory of a backbone without classifier, such as `SmallResNet` or `TimmNetwork` with `num_classes: 0`.
        input_size: Side in pixels that images are resized to; None for the size of the teacher's input.
        mean: Subtracted from each channel of an image in [0, 1]; None for the mean that a network with pretrained
            weights was trained with, and for the teacher's where the network starts at random (0.5 without teachers).
        std: Divides each channel afterwards; None as for `mean`.
        dim: D.

    Raises:
        InputError: When the network has a classifier, or there are neither teachers nor an input size.
    """

    def __init__(
        self,
        teachers: TeacherPair | None,
        modality: Modality,
        network: NetworkFactory,
        input_size: int | None,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        dim: int,
    ) -> None:
        super().__init__(modality, dim)
        self.network = network()
        if self.network.num_classes:
            raise InputError(
                f"encoder.network.num_classes: must be 0, got {self.network.num_classes}; an encoder does not use the "
                "network's classifier, whose parameters would never learn"
            )
        if teachers is not None:
            of_teacher = teachers.of(modality).card.input_format
        elif input_size is not None:
            of_teacher = InputFormat(input_size, _MIDDLE, _MIDDLE)
        else:
            raise InputError("encoder.input_size: must be named in a run without teachers, got null")
        usual = _usual_format(of_teacher, self.network.input_format if mean is None and std is None else None)
        self.preprocessing = Preprocessing(
            usual.size if input_size is None else input_size,
            usual.mean if mean is None else mean,
            usual.std if std is None else std,
            usual.interpolation,
            usual.crop,
        )

    def pooled(self, images: Tensor) -> Tensor:
        """Map images in [0, 1], (B, 3, H, W), to features of the network, (B, F)."""
        features: Tensor = self.network.pooled(self.preprocessing(images))
        return features


_MIDDLE = (0.5, 0.5, 0.5)
"""Mean and deviation that bring [0, 1] to [-1, 1], where nothing says what the images are like."""


def _usual_format(teacher: InputFormat, own: InputFormat | None) -> InputFormat:
    """Input of an encoder's network: the teacher's, with the colours that its own pretrained weights expect."""
    if own is not None:
        return teacher._replace(mean=own.mean, std=own.std, interpolation=own.interpolation)
    if len(teacher.mean) == 1:  # a teacher of one grey channel, and a network of three
        return teacher._replace(mean=teacher.mean * 3, std=teacher.std * 3)
    return teacher
