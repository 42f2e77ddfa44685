"""An encoder sees images as its own teacher does: the same ones alike, or the same classes likely."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.losses.base import EncodingLoss, PairEmbeddings
from crossx.encoding.losses.matrices import products, without_self
from crossx.encoding.losses.proxies import ProxyStart, check_start, start_proxies
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, Reduce

Follow = Literal["geometry", "classes"]
"""`geometry`: how alike an encoder finds the images of a batch. `classes`: its scores over one proxy a class."""


def divergence(teacher: Tensor, student_logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student from the teacher, the mean over rows.

    Args:
        teacher: Distributions, (B, N), rows sum to 1.
        student_logits: (B, N); -inf only where the teacher has 0.

    Returns:
        Scalar >= 0 in nats.
    """
    teacher = full_precision(teacher)
    # Where the teacher has 0 there is nothing to add, and 0 times -inf is not 0.
    student = torch.log_softmax(full_precision(student_logits), dim=1).masked_fill(teacher == 0, 0)
    return (torch.xlogy(teacher, teacher) - teacher * student).sum(dim=1).mean()


def geometry_divergence(vectors: Tensor, posterior: Tensor, temperature: float) -> Tensor:
    """How far the neighbourhoods among embeddings are from those among the teacher's posteriors.

    The teacher's likeness of two images is sum_c sqrt(p_c q_c), the cosine of the square roots of their posteriors, so
    teacher and student are compared in one unit. Both become a distribution over the other images by a softmax at the
    same temperature; self-pairs are excluded.

    Args:
        vectors: Unit vectors, (B, D).
        posterior: The teacher's, (B, U).
        temperature: Divides the cosines of both.

    Returns:
        Scalar >= 0 in nats.
    """
    root = full_precision(posterior).sqrt()
    teacher = torch.softmax(without_self(products(root, root)) / temperature, dim=1)
    return divergence(teacher, without_self(products(vectors, vectors)) / temperature)


class DistillationLoss(EncodingLoss):
    """Each encoder follows its own teacher's posterior, without labels, by a KL divergence at a temperature.

    With `follow: geometry` an image's likenesses to the other images of its modality follow the teacher's (as in SEED,
    arXiv 2101.04731, with posteriors for features). That ties nothing across modalities, so it stands beside a
    cross-modal term.

    With `follow: classes` the softmax over an embedding's cosines to one proxy a class follows the posterior
    (arXiv 1503.02531). Photos and sketches share the proxies, which brings both into one space; a class that a teacher
    does not know is not among its encoder's choices. The proxies are learned; with `start: teachers` they start
    half-way between both teachers' last layers.

    The module's `temperature` softens the posteriors; this one is the student's.

    Args:
        follow: What of the teacher.
        temperature: Divides the cosines, > 0. A small one is content with wide angles within a class.
        start: Where the proxies start, with `follow: classes`.
        reduce: `global` compares the images of all processes with each other.

    Raises:
        InputError: When the temperature is not positive, or a choice is unknown.
    """

    photo_known: Tensor
    sketch_known: Tensor

    def __init__(
        self,
        follow: Follow = "classes",
        temperature: float = 0.2,
        start: ProxyStart = "teachers",
        reduce: Reduce = "global",
    ) -> None:
        super().__init__()
        if follow not in get_args(Follow):
            raise InputError(f"follow: {follow!r} is not legal; one of {', '.join(get_args(Follow))}")
        if not temperature > 0:
            raise InputError(f"temperature: {temperature} is not above 0")
        check_start(start)
        self.follow = follow
        self.temperature = temperature
        self.start: ProxyStart = start
        self.reduce: Reduce = reduce
        self.proxies: nn.Parameter | None = None

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Make the proxies, where they are wanted, and note which classes each teacher knows."""
        if self.follow == "classes":
            photo, sketch = start_proxies(teachers, dim, self.start)
            self.proxies = nn.Parameter(F.normalize(photo + sketch, dim=1))
            # Beside the weights for the device alone: the teachers' cards say it again at every start.
            self.register_buffer("photo_known", teachers.vocabulary.known("photo"), persistent=False)
            self.register_buffer("sketch_known", teachers.vocabulary.known("sketch"), persistent=False)

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both modalities' divergence, >= 0 in nats."""
        x = embeddings.gathered(self.reduce)
        if self.follow == "geometry":
            photo = geometry_divergence(x.photo, x.photo_posterior, self.temperature)
            sketch = geometry_divergence(x.sketch, x.sketch_posterior, self.temperature)
        else:
            photo = divergence(x.photo_posterior, self._scores(x.photo, "photo"))
            sketch = divergence(x.sketch_posterior, self._scores(x.sketch, "sketch"))
        return (photo + sketch) / 2

    def _scores(self, vectors: Tensor, modality: Modality) -> Tensor:
        if self.proxies is None:
            raise RuntimeError("start_from() comes before the first use")
        known = self.photo_known if modality == "photo" else self.sketch_known
        scores = products(vectors, F.normalize(self.proxies, dim=1)) / self.temperature
        return scores.masked_fill(~known, -torch.inf)
