"""An encoder with a network of its own."""

from torch import Tensor

from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import BackboneEncoder, EmbeddingHead, NetworkFactory
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class NetworkEncoder(BackboneEncoder):
    """A network of its own, started at random or from weights of timm, and a head.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        network: Factory of a backbone without classifier, such as `SmallResNet` or `TimmNetwork` with `num_classes: 0`.
        input_size: Side in pixels that images are resized to; None for that of the teacher's input.
        mean: Subtracted from each channel of an image in [0, 1]; None for the teacher's.
        std: Divides each channel then; None for the teacher's.
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.

    Raises:
        InputError: When the network has a classifier, or a number is out of range.
    """

    def __init__(
        self,
        teachers: TeacherPair,
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
        """Run network and head."""
        return Embedding(self.head(self.pooled(images)))
