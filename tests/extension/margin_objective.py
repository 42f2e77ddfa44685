"""A margin objective for crossx, in a package of its own."""

import torch
from torch import Tensor

from crossx.core.distributed import gather
from crossx.encoding.losses import PairEmbeddings
from crossx.encoding.module import EncoderModule
from crossx.types import Progress


class MarginEncoderModule(EncoderModule):
    """Each sketch lies nearer to every photo of its class than to any other photo, by a margin.

    The classes are what the teachers find most likely, so that it trains data-free. The configured terms are kept:
    give them small weights to regularise.
    """

    margin = 0.2
    """Difference of cosines that is asked for."""

    def objective_of(self, embeddings: PairEmbeddings, progress: Progress) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the mean violation of the margin over all triplets of all processes to the configured terms."""
        loss, values = super().objective_of(embeddings, progress)
        sketch, photo = gather(embeddings.sketch), gather(embeddings.photo)
        wanted = gather(embeddings.sketch_posterior).argmax(1)
        shown = gather(embeddings.photo_posterior).argmax(1)
        cosine = sketch @ photo.T  # (B, B)
        same = wanted[:, None] == shown[None, :]
        # Violation of each triplet (sketch, photo of its class, other photo), (B, B, B).
        violation = torch.relu(self.margin - cosine[:, :, None] + cosine[:, None, :])
        triplets = same[:, :, None] & ~same[:, None, :]
        margin = (violation * triplets).sum() / triplets.sum().clamp_min(1)
        return loss + margin, {**values, "margin": margin.detach()}
