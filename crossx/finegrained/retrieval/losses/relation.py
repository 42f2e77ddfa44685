"""Distillation of relations: distances between sketches and photos stay what a frozen retrieval model measures."""

from typing import Literal, get_args

import torch
from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.encoding.losses.divergence import divergence
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings
from crossx.finegrained.retrieval.losses.base import InstanceLoss, distances, other_instances

Form = Literal["batch", "pair"]
"""Relations that are kept: of each sketch to all photos of the batch, or to its own and one other photo."""


class RelationDistillation(InstanceLoss):
    """Distillation of distances from a retrieval model that was trained on the labelled pairs alone (arXiv 2103.13990).

    It guards against drawings that mislead: `batch` is the divergence KL(softmax_j(-d_T(s_i, p_j) / T) ||
    softmax_j(-d_F(s_i, p_j) / T)) of the student's distances d_F from those of the frozen teacher, d_T, the mean over
    sketches; `pair` is |d_F(s, p) - d_T(s, p)| + |d_F(s, n) - d_T(s, n)| with a random photo n of another instance. The
    certainty has no part in it, because the teacher's distances hold for a poor drawing as well.

    The paper's own form could not be read; both are our choice.

    Args:
        temperature: T, divides the distances, > 0; of `batch` only.
        form: Which relations are kept.

    Raises:
        InputError: When the temperature is not positive, or the form is unknown.
    """

    needs_teacher = True

    def __init__(self, temperature: float = 0.1, form: Form = "batch") -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        must_be_one_of("form", form, get_args(Form))
        self.temperature = temperature
        self.form = form

    def forward(self, embeddings: InstanceEmbeddings) -> Tensor:
        """Return the mean over sketches, >= 0: in nats for `batch`, a distance for `pair`."""
        x = embeddings.gathered()
        if x.teacher_photo is None or x.teacher_sketch is None:
            raise InputError("RelationDistillation: needs the embeddings of a frozen teacher; name model.teacher")
        student, teacher = distances(x.sketch, x.photo), distances(x.teacher_sketch, x.teacher_photo)
        if self.form == "batch":
            return divergence((-teacher / self.temperature).softmax(1), -student / self.temperature)
        legal = other_instances(x.instance)
        other = torch.rand(student.shape, device=student.device).masked_fill(~legal, 2.0).argmin(1, keepdim=True)
        difference = (student - teacher).abs()
        negative = difference.gather(1, other) * legal.gather(1, other)  # 0 without a photo of another instance
        return (difference.diagonal() + negative[:, 0]).mean()
