"""Contact sheet of what a teacher gets and predicts."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from crossx.reports.pictures.sheets import NEUTRAL, RIGHT, WRONG, Sheet

_COLUMNS, _ROWS, _SIDE = 10, 5, 96


def save_sheet(path: Path, images: Tensor, logits: Tensor, labels: Tensor, classes: Sequence[str], title: str) -> None:
    """Write a contact sheet: up to 50 images as the teacher gets them, with the predicted class and its probability.

    Args:
        path: PNG to write.
        images: (B, 3, S, S) in [0, 1].
        logits: The teacher's, (B, K).
        labels: True classes, (B,), -1 where they are unknown.
        classes: The teacher's classes.
        title: Text at the top.
    """
    count = min(len(images), _COLUMNS * _ROWS)
    shown = [i * len(images) // count for i in range(count)]
    sheet = Sheet(-(-count // _COLUMNS), min(count, _COLUMNS), _SIDE, 2, title)
    confidence, predicted = torch.softmax(logits.float(), dim=1).max(dim=1)
    for place, i in enumerate(shown):
        label, guess = int(labels[i]), int(predicted[i])
        frame = NEUTRAL if label < 0 else RIGHT if label == guess else WRONG
        sign = "" if label < 0 else "= " if label == guess else "x "
        text = sheet.caption(f"{sign}{classes[guess]}", f"{confidence[i]:.2f}")
        if label >= 0:
            text += sheet.caption(classes[label])
        sheet.place(*divmod(place, _COLUMNS), images[i], frame, text)
    sheet.save(path)
