"""How varied the generators' images are, against real ones."""

from pathlib import Path

import lightning.pytorch as pl
import torch

from crossx.core.errors import InputError
from crossx.reports.health.measures import within_class_distance
from crossx.reports.pictures.fixed import sample_fixed
from crossx.reports.pictures.validations import AfterValidation
from crossx.reports.run.baselines import TeacherBaselines
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES


class Diversity(AfterValidation):
    """Logs `recon/photo_diversity` and `recon/sketch_diversity` after each validation.

    It is the mean distance of two generated images of one class, in the teacher's feature space, as a share of that of
    real validation images: 0 for copies of one image a class, 1 for images as varied as real ones. A class is what the
    teacher sees among the shared classes, in generated and in real images. It observes and steers nothing.

    Args:
        batches: Batches of fixed latents to measure on; about ten images a class are enough.

    Raises:
        InputError: When `batches` is below 1.
    """

    def __init__(self, batches: int = 8) -> None:
        super().__init__()
        if batches < 1:
            raise InputError(f"diversity.batches: {batches} is not legal; at least 1")
        self.batches = batches

    @torch.no_grad()
    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Measure, and tell the loggers."""
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set in Trainer's constructor
        real = next((c.distances for c in callbacks if isinstance(c, TeacherBaselines)), {})
        teachers = getattr(module, "teachers", None)
        if not real or not hasattr(module, "sample") or not isinstance(teachers, TeacherPair):
            return
        size = getattr(getattr(trainer, "datamodule", None), "batch_size", 64)
        drawn = [sample_fixed(module, size, batch) for batch in range(self.batches)]
        measured = {}
        for modality in MODALITIES:
            outputs = [p.photo_teacher if modality == "photo" else p.sketch_teacher for p in drawn]
            logits, features = torch.cat([o.logits for o in outputs]), torch.cat([o.features for o in outputs])
            seen = teachers.vocabulary.shared_logits(logits, modality).argmax(1)
            distance = within_class_distance(features, seen)
            measured[f"recon/{modality}_diversity"] = float(distance) / real[modality]
        for logger in trainer.loggers:
            logger.log_metrics(measured, trainer.global_step)
