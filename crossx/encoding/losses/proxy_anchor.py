"""Every class has a place for its photos and one for its sketches, and both modalities gather around both."""

import math

import torch
from pytorch_metric_learning import losses
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.losses.base import EncodingLoss, PairEmbeddings
from crossx.encoding.losses.proxies import ProxyStart, check_start, start_proxies
from crossx.teachers.pair import TeacherPair
from crossx.types import Reduce


class ProxyAnchorLoss(EncodingLoss):
    """Proxy Anchor (arXiv 2003.13911) with a photo and a sketch proxy for each class of the union.

    Each proxy set sees the embeddings of both modalities, by the class that the image's teacher finds most likely: a
    set that only one modality saw, its own or the other, would leave the two modalities unrelated. A proxy pulls its
    farthest positives hardest, so it pulls the modality harder that lies farther from it.

    The proxies are learned with the encoders; only their directions matter.

    Args:
        margin: Positives' cosines are to be above it, negatives' below minus it, in [0, 1).
        alpha: Factor of the cosines, > 0; a large one looks at the hardest examples alone.
        start: Where the proxies start.
        reduce: `global` compares the proxies with the pairs of all processes together.

    Raises:
        InputError: When a number is out of range, or the start is unknown.
    """

    def __init__(
        self,
        margin: float = 0.1,
        alpha: float = 32.0,
        start: ProxyStart = "teachers",
        reduce: Reduce = "global",
    ) -> None:
        super().__init__()
        if not 0 <= margin < 1:
            raise InputError(f"margin: {margin} is not legal; from 0 to below 1")
        if not 0 < alpha < math.inf:
            raise InputError(f"alpha: {alpha} is not above 0")
        check_start(start)
        self.margin = margin
        self.alpha = alpha
        self.start: ProxyStart = start
        self.reduce: Reduce = reduce
        self.sets = torch.nn.ModuleDict()

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Make the proxies."""
        for modality, start in zip(("photo", "sketch"), start_proxies(teachers, dim, self.start), strict=True):
            made = losses.ProxyAnchorLoss(len(start), dim, self.margin, self.alpha)
            with torch.no_grad():
                made.proxies.copy_(start)
            self.sets[modality] = made

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both sets' loss over the embeddings of both modalities, >= 0."""
        if not self.sets:
            raise RuntimeError("start_from() comes before the first use")
        x = embeddings.gathered(self.reduce)
        vectors = full_precision(torch.cat([x.photo, x.sketch]))
        classes = torch.cat([x.photo_class, x.sketch_class])
        with torch.autocast(vectors.device.type, enabled=False):
            return torch.stack([proxies(vectors, classes) for proxies in self.sets.values()]).mean()
