"""A margin objective for crossx, in a package of its own."""

import torch
from torch import Tensor

from crossx.encoding.losses import PairEmbeddings
from crossx.encoding.module import EncoderModule
from crossx.types import Progress


class MarginEncoderModule(EncoderModule):
    """Encoders whose sketches must lie nearer to photos of their class than to other photos, by a margin.

    The class of an image is the most likely one by its teacher, so that training needs no data. The terms of the
    config are added to the margin; give them small weights, so that they only regularise.
    """

    margin = 0.2
    """Least difference of the two cosines."""

    def objective_of(self, embeddings: PairEmbeddings, progress: Progress) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the mean violation of the margin over all triplets of all processes to the configured terms."""
        loss, values = super().objective_of(embeddings, progress)
        pairs = embeddings.gathered()  # the pairs of all processes, with gradient
        cosine = pairs.sketch @ pairs.photo.T  # (B, B)
        same = pairs.sketch_class[:, None] == pairs.photo_class[None, :]
        # Violation of each triplet (sketch, photo of its class, other photo), (B, B, B).
        violation = torch.relu(self.margin - cosine[:, :, None] + cosine[:, None, :])
        triplets = same[:, :, None] & ~same[:, None, :]
        margin = (violation * triplets).sum() / triplets.sum().clamp_min(1)
        return loss + margin, {**values, "margin": margin.detach()}
