"""A critic, in a package outside crossx."""

from crossx.core.precision import full_precision
from crossx.encoding.critics import PairCritic
from crossx.encoding.losses import PairEmbeddings
from crossx.types import CriticOutput


class AgreedDistanceCritic(PairCritic):
    """Distance of the embeddings of a pair, weighted by the probability that both images show one class."""

    def forward(self, embeddings: PairEmbeddings) -> CriticOutput:
        """Return the weighted distance of each pair, in [0, 1]."""
        cosine = (full_precision(embeddings.photo) * full_precision(embeddings.sketch)).sum(1)
        same = (embeddings.photo_posterior * embeddings.sketch_posterior).sum(1)
        return CriticOutput(((1 - cosine) / 2 * same).clamp(0, 1))
