"""Counts of the classes that each teacher predicts for the pairs, and that both predict."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.reports.lookup import batch_size, sampler
from crossx.reports.pictures.charts import bar_chart
from crossx.reports.pictures.png import save_png
from crossx.reports.run.tables import write_csv
from crossx.reports.validations import AfterValidation, step_name
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import TeacherGuided
from crossx.types import PairBatch


class ClassHistograms(AfterValidation):
    """Writes `classes/step_<n>.png` and `.csv`: how often each teacher predicts each class since the last picture.

    The counted pairs are those that the encoders have learned from, replayed pairs too, on the first process; their
    agreement is logged as `encode/pair_agreement`. Where there were no pairs (warm-up, generators alone), a batch of
    fixed latents is counted instead.

    Args:
        classes: Number of classes in the picture, the most frequent ones, at least 1; the table has all classes.

    Raises:
        InputError: When `classes` is below 1.
    """

    def __init__(self, classes: int = 40) -> None:
        super().__init__()
        must_be_in("histograms.classes", classes, "[1, inf)")
        self.classes = classes
        self._counts: Tensor | None = None

    def forget(self) -> None:
        """Count from 0."""
        self._counts = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Count the pairs of a batch, on the device."""
        if trainer.is_global_zero and isinstance(batch, PairBatch) and isinstance(pl_module, TeacherGuided):
            counts = count_classes(batch, pl_module.teachers)
            self._counts = counts if self._counts is None else self._counts + counts

    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write picture and table, and count from 0 again."""
        if not isinstance(module, TeacherGuided):
            return
        teachers = module.teachers
        counts, learned_from = self._counts, self._counts is not None
        if counts is None:
            generators = sampler(module)
            if generators is None:
                return
            counts = count_classes(self.fixed.at(trainer.global_step, generators, batch_size(trainer)), teachers)
        self._counts = None
        counts = counts.cpu()
        total = int(counts[0].sum())
        agreement = float(counts[2].sum()) / total
        if learned_from:
            for logger in trainer.loggers:
                logger.log_metrics({"encode/pair_agreement": agreement}, trainer.global_step)
        names = teachers.vocabulary.union
        columns = list(zip(*counts.tolist(), strict=True))
        path = folder / "classes" / f"{step_name(trainer)}.csv"
        write_csv(path, ["class", "photo", "sketch", "both"], ([n, *c] for n, c in zip(names, columns, strict=True)))
        shown = (counts[0] + counts[1]).argsort(descending=True, stable=True)[: self.classes].tolist()
        title = (
            f"step {trainer.global_step}: classes of {total} pairs in per cent, {100 * agreement:.0f} % agree "
            f"({len(shown)} of {len(names)} classes, the line is their equal share)"
        )
        shares = {names[c]: (columns[c][0] / total, columns[c][1] / total) for c in shown}
        save_png(bar_chart(shares, ("photo", "sketch"), 1 / len(names), title), path.with_suffix(".png"))


@torch.no_grad()
def count_classes(pairs: PairBatch, teachers: TeacherPair) -> Tensor:
    """Count the pairs in which the photo teacher, the sketch teacher, and both predict each class, (3, U) int64."""
    vocabulary = teachers.vocabulary
    photo = vocabulary.union_posterior(pairs.photo_teacher.logits, "photo").argmax(1)
    sketch = vocabulary.union_posterior(pairs.sketch_teacher.logits, "sketch").argmax(1)
    one = torch.ones_like(photo)
    counts = photo.new_zeros(3, len(vocabulary.union))
    for row, classes, weight in ((0, photo, one), (1, sketch, one), (2, photo, (photo == sketch).long())):
        counts[row].index_add_(0, classes, weight)  # unlike bincount, waits for no device
    return counts
