"""A loss of the encoders, in a package outside crossx."""

import torch
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.encoding.losses import EmbeddingSpace, EncodingLoss, PairEmbeddings, similarity


class ProxyLoss(EncodingLoss):
    """Cross-entropy between the teachers' posteriors and a softmax of cosines to trained class proxies.

    Args:
        space: Teachers and length of the embeddings; filled in by the module.
        temperature: Divides the cosines, > 0.
    """

    def __init__(self, space: EmbeddingSpace, temperature: float = 0.1) -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature
        self.proxies = nn.Parameter(torch.randn(len(space.teachers.vocabulary), space.dim))

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean cross-entropy of photos and sketches, >= 0 in nats."""
        proxies = nn.functional.normalize(self.proxies, dim=1)  # (U, D)
        photo = similarity(embeddings.photo, proxies) / self.temperature  # (B, U)
        sketch = similarity(embeddings.sketch, proxies) / self.temperature
        of_photos = nn.functional.cross_entropy(photo, embeddings.photo_posterior.detach())
        of_sketches = nn.functional.cross_entropy(sketch, embeddings.sketch_posterior.detach())
        return (of_photos + of_sketches) / 2
