"""An encoder with a network of its own."""

from torch import Tensor

from crossx.encoding.encoders.base import BackboneEncoder, EmbeddingHead
from crossx.networks.base import Network
from crossx.types import TeacherOutput


class NetworkEncoder(BackboneEncoder):
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
        super().__init__(network, input_size, mean, std, dim, hidden)
        self.head = EmbeddingHead(network.num_features, dim, hidden)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Run network and head; the teacher is of no concern."""
        embedding: Tensor = self.head(self.pooled(images))
        return embedding
