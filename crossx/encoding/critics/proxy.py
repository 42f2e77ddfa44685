"""A pair is hard when the encoders take its images for another class than the teachers do."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.critics.base import PairCritic
from crossx.encoding.critics.proxies import Prototypes, Proxies
from crossx.encoding.losses.base import PairEmbeddings
from crossx.teachers.pair import TeacherPair
from crossx.types import Criticism


def proxy_log_posterior(embedding: Tensor, proxies: Tensor, present: Tensor, temperature: float) -> Tensor:
    """What class an embedding shows: softmax over its cosines to the class proxies.

    Args:
        embedding: (B, D).
        proxies: (U, D), of any length.
        present: Which classes have a proxy, (U,) bool.
        temperature: Divides the cosines.

    Returns:
        Logarithms, (B, U) in nats; a finite number below all others for a class without proxy.
    """
    # Autocast would multiply in half precision, and a temperature of 0.1 enlarges the error 10 times.
    with torch.autocast(embedding.device.type, enabled=False):
        unit, ways = (F.normalize(full_precision(x), dim=1) for x in (embedding, proxies))
        logits = unit @ ways.T / temperature
    # Not -inf: before any class has a proxy the softmax of nothing but that is NaN, and so are its gradients.
    return torch.log_softmax(logits.masked_fill(~present, torch.finfo(logits.dtype).min), dim=1)


def posterior_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two distributions, row by row, as a share of its largest value, log 2.

    Args:
        p: Rows sum to 1, (B, U); zeros are legal.
        q: The same.

    Returns:
        (B,) in [0, 1], symmetric, with finite gradients to both sides.
    """
    p, q = full_precision(p), full_precision(q)
    middle = (p + q) / 2
    tiny = torch.finfo(middle.dtype).tiny
    divergences = [(x * (x.clamp_min(tiny).log() - middle.clamp_min(tiny).log())).sum(dim=1) for x in (p, q)]
    return (torch.stack(divergences).mean(dim=0) / math.log(2)).clamp(0, 1)


class ProxyCritic(PairCritic):
    """Do the encoders see the classes that the teachers see?

    The encoders' class scores are a softmax over the cosines of an embedding to class proxies. The `disagreement` is
    the Jensen-Shannon divergence to the teacher's posterior, as a share of log 2, the `surprise` the cross-entropy to
    the teacher's most likely class. Both are means over the two images of a pair. The published form is
    `LastLayerCritic`.

    An image whose teacher's class has no proxy yet counts 0; with `Prototypes` that is every image before the encoders'
    first step.

    Args:
        proxies: Where the classes lie; None for `Prototypes()`.
        temperature: Divides the cosines, > 0.

    Raises:
        InputError: When the temperature is not positive.
    """

    scores_classes = True

    def __init__(self, proxies: Proxies | None = None, temperature: float = 0.1) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"critic.temperature: {temperature} is not legal; a positive number")
        self.proxies = Prototypes() if proxies is None else proxies
        self.temperature = temperature

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Make the proxies ready."""
        self.proxies.start_from(teachers, dim)

    def observe(self, embeddings: PairEmbeddings) -> None:
        """Let the proxies follow the encoders."""
        self.proxies.observe(embeddings)

    def forward(self, embeddings: PairEmbeddings) -> Criticism:
        """Return disagreement and surprise of each pair."""
        photo = self._judge(embeddings.photo, embeddings.photo_posterior, *self.proxies.of("photo"))
        sketch = self._judge(embeddings.sketch, embeddings.sketch_posterior, *self.proxies.of("sketch"))
        disagreement, surprise = ((of_photo + of_sketch) / 2 for of_photo, of_sketch in zip(photo, sketch, strict=True))
        return Criticism(disagreement, surprise)

    def _judge(self, embedding: Tensor, posterior: Tensor, proxies: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Disagreement and surprise of the images of one modality, (B,) each."""
        log_scores = proxy_log_posterior(embedding, proxies, present, self.temperature)
        label = posterior.argmax(dim=1)
        values = posterior_divergence(posterior, log_scores.exp()), F.nll_loss(log_scores, label, reduction="none")
        disagreement, surprise = (torch.where(present[label], value, 0.0) for value in values)
        return disagreement, surprise
