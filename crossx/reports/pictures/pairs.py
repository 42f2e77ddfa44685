"""Sheets of the pairs that a run learns from."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from crossx.core.batches import take
from crossx.core.checks import must_be_in
from crossx.reports.lookup import batch_size, sampler, seeks_agreement
from crossx.reports.pictures.sheets import AGREE, DISAGREE, NEUTRAL, RIGHT, WRONG, Sheet
from crossx.reports.validations import AfterValidation, step_name
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import TeacherGuided
from crossx.types import MODALITIES, PairBatch


class PairSheets(AfterValidation):
    """Writes `pairs/step_<n>.png`: photos over sketches, each with its teacher's class and confidence.

    Where the objective wants pairs that agree, or pairs are real, a column is a pair. Where photos and sketches are
    generated independently of each other, a column is a class that both teachers know, with the photo and the sketch
    of a batch that are most likely of the class. Generators are shown with the same latents every time, so that the
    sheets of a run make a film. A module without generators is shown with its newest training batch.

    Args:
        pairs: Largest number of columns on a sheet, at least 1. There are no more columns than pairs in a batch, or
            than classes that both teachers know.

    Raises:
        InputError: When `pairs` is below 1.
    """

    def __init__(self, pairs: int = 12) -> None:
        super().__init__()
        must_be_in("pairs.pairs", pairs, "[1, inf)")
        self.pairs = pairs
        self._last: PairBatch | None = None

    def forget(self) -> None:
        """Keep no pairs of another module."""
        self._last = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Keep the newest pairs."""
        if isinstance(batch, PairBatch):
            self._last = batch

    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write a sheet."""
        pairs = self._last
        generators = sampler(module)
        if generators is not None:
            pairs = self.fixed.at(trainer.global_step, generators, batch_size(trainer))
        if pairs is not None and isinstance(module, TeacherGuided):
            draw = pair_sheet if seeks_agreement(module) else class_sheet
            sheet = draw(pairs, module.teachers, self.pairs, f"step {trainer.global_step}")
            sheet.save(folder / "pairs" / f"{step_name(trainer)}.png")


def pair_sheet(pairs: PairBatch, teachers: TeacherPair, count: int, title: str) -> Sheet:
    """Draw pairs: `=` and green where both teachers predict the same class, `x` and red where they do not.

    Args:
        pairs: A batch.
        teachers: Both teachers.
        count: Largest number of pairs.
        title: First words of the title.
    """
    vocabulary = teachers.vocabulary
    pairs = take(pairs, slice(count))
    photo = vocabulary.union_posterior(pairs.photo_teacher.logits, "photo").max(1)
    sketch = vocabulary.union_posterior(pairs.sketch_teacher.logits, "sketch").max(1)
    title = f"{title}: photo over sketch ({AGREE} green: teachers agree)"
    sheet = Sheet(2, len(pairs.photo), side=96, lines=1, title=title)
    for column in range(len(pairs.photo)):
        agree = photo.indices[column] == sketch.indices[column]
        frame, sign = (RIGHT, AGREE) if agree else (WRONG, DISAGREE)
        for row, images, best in ((0, pairs.photo, photo), (1, pairs.sketch, sketch)):
            name = vocabulary.union[int(best.indices[column])]
            confidence = 100 * float(best.values[column])
            sheet.place(row, column, images[column], frame, sheet.caption(f"{sign} {name}", f"{confidence:.0f} %"))
    return sheet


def class_sheet(pairs: PairBatch, teachers: TeacherPair, count: int, title: str) -> Sheet:
    """Draw the most likely photo over the most likely sketch of each class.

    `=` and green mark an image whose teacher predicts the class, `x` and grey the likeliest of those that it does not.

    Args:
        pairs: A batch, of which photos and sketches are chosen independently of each other.
        teachers: Both teachers.
        count: Largest number of classes: the first of those that both teachers know.
        title: First words of the title.
    """
    vocabulary = teachers.vocabulary
    classes = vocabulary.known_to_both.nonzero().flatten()[:count].tolist()
    title = f"{title}: likeliest of {len(pairs.photo)} by class ({AGREE} green: predicted)"
    sheet = Sheet(2, len(classes), side=96, lines=1, title=title)
    sides = ((pairs.photo, pairs.photo_teacher, MODALITIES[0]), (pairs.sketch, pairs.sketch_teacher, MODALITIES[1]))
    for row, (images, teacher, modality) in enumerate(sides):
        posterior = vocabulary.union_posterior(teacher.logits, modality)
        for column, label in enumerate(classes):
            best = int(posterior[:, label].argmax())
            frame, sign = (RIGHT, AGREE) if int(posterior[best].argmax()) == label else (NEUTRAL, DISAGREE)
            text = sheet.caption(f"{sign} {vocabulary.union[label]}", f"{100 * float(posterior[best, label]):.0f} %")
            sheet.place(row, column, images[best], frame, text)
    return sheet
