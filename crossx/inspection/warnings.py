"""What is likely wrong between a teacher and images."""

from collections.abc import Iterator

import torch
from torch import Tensor

from crossx.inspection.pen_fit import predict
from crossx.inspection.predictions import PredictionSummary, mutual_information
from crossx.teachers.teacher import FrozenTeacher

_BLANK = 2 / 255
"""Standard deviation of an image in [0, 1] below which it counts as blank."""
_ONE_CLASS = 0.8
"""Share of predictions of one class from which it is named."""
_GAIN = 0.05
"""Mutual information in nats that inversion must bring for a warning; smaller gains are within the error."""


def warnings(
    teacher: FrozenTeacher, images: Tensor, logits: Tensor, labels: Tensor, summary: PredictionSummary
) -> Iterator[str]:
    """Say what is likely wrong, one sentence each.

    Args:
        teacher: The teacher.
        images: What it got, (B, 3, S, S) in [0, 1].
        logits: What it gave, (B, K).
        labels: True classes, (B,), -1 where they are unknown.
        summary: Summary of its predictions.
    """
    blank = int((images.flatten(1).std(dim=1) < _BLANK).sum())
    if blank:
        yield f"{blank} of {len(images)} images are blank as the teacher gets them"
    for among, found in (("all", summary.accuracy_of_all), ("the occurring", summary.accuracy)):
        if found is not None and found.at_chance:
            yield (
                f"the accuracy {found.accuracy:.3f} among {among} classes is that of chance ({found.chance:.3f}); the "
                "usual reasons are a list of classes in another order, mean and std of another range, and for sketches "
                "lines that the teacher did not learn (--size, --fit-pen)"
            )
            break
    predicted = logits.argmax(dim=1).bincount(minlength=logits.shape[1])
    most = int(predicted.argmax())
    share = float(predicted[most]) / len(logits)
    if share >= _ONE_CLASS > float((labels == most).double().mean()) and len(logits) > 1:
        yield f"{share:.0%} of the images are predicted as {teacher.card.classes[most]!r}"
    if teacher.card.modality == "sketch":
        inverted = mutual_information(predict(teacher, 1 - images))
        if inverted > summary.mutual_information + _GAIN:
            yield (
                f"inverted, the images tell the teacher more ({inverted:.2f} nats in place of "
                f"{summary.mutual_information:.2f}): it may have learned light lines on black (--fit-pen)"
            )
    elif torch.equal(images[:, :1].expand_as(images), images) and teacher.card.modality == "photo":
        yield "all images are grey: they may be sketches"
