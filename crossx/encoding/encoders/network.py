"""Encoder with a network of its own, trained from the start."""

from torch import Tensor

from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import BackboneEncoder, EmbeddingHead, NetworkFactory
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class NetworkEncoder(BackboneEncoder):
    """A head on a network of its own, which starts at random or from weights of timm.

    Args:
        teachers: Both teachers; None in a run without teachers, which has to name `input_size`.
        modality: Modality of the images.
        network: Factory of a backbone without classifier, such as `SmallResNet` or `TimmNetwork` with `num_classes: 0`.
        input_size: Side in pixels that images are resized to; None for the size of the teacher's input.
        mean: Subtracted from each channel of an image in [0, 1]; None for the mean that a network with pretrained
            weights was trained with, and for the teacher's where the network starts at random (0.5 without teachers).
        std: Divides each channel afterwards; None as for `mean`.
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.

    Raises:
        InputError: When the network has a classifier, or a number is out of range.
    """

    needs_teachers = False

    def __init__(
        self,
        teachers: TeacherPair | None,
        modality: Modality,
        network: NetworkFactory,
        input_size: int | None = None,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
        dim: int = 64,
        hidden: int = 0,
    ) -> None:
        super().__init__(teachers, modality, network, input_size, mean, std, dim)
        self.head = EmbeddingHead(self.network.num_features, dim, hidden)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed images by network and head."""
        return Embedding(self.head(self.pooled(images)))
