"""Variety of the generated images, as a share of that of real images."""

from pathlib import Path

import lightning.pytorch as pl
import torch

from crossx.core.checks import must_be_in
from crossx.reports.fixed import sample_fixed
from crossx.reports.health.measures import within_class_distance
from crossx.reports.lookup import batch_size, sampler
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.validations import AfterValidation
from crossx.training.guided import TeacherGuided
from crossx.types import MODALITIES


class Diversity(AfterValidation):
    """Logs `recon/photo_diversity` and `recon/sketch_diversity` after each validation.

    The diversity is the mean distance of two generated images of one class in the teacher's feature space, as a share
    of that of real validation images: 0 for copies of one image a class, 1 for images as varied as real ones. The class
    of an image, generated or real, is its teacher's most likely one among the shared classes. The measure steers
    nothing.

    Args:
        real: The baselines of the run, which measure the distance of real images.
        batches: Batches of fixed latents to measure on, at least 1; about ten images a class are enough.

    Raises:
        InputError: When `batches` is below 1.
    """

    def __init__(self, real: TeacherBaselines, batches: int = 8) -> None:
        super().__init__()
        must_be_in("diversity.batches", batches, "[1, inf)")
        self.real = real
        self.batches = batches

    @torch.no_grad()
    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Measure, and log."""
        distances, generators = self.real.distances, sampler(module)
        if not distances or generators is None or not isinstance(module, TeacherGuided):
            return
        size = batch_size(trainer)
        first = self.fixed.at(trainer.global_step, generators, size)
        drawn = [first, *(sample_fixed(generators, size, batch) for batch in range(1, self.batches))]
        measured = {}
        for modality in MODALITIES:
            outputs = [p.photo_teacher if modality == "photo" else p.sketch_teacher for p in drawn]
            logits, features = torch.cat([o.logits for o in outputs]), torch.cat([o.features for o in outputs])
            predicted = module.teachers.vocabulary.shared_logits(logits, modality).argmax(1)
            distance = within_class_distance(features, predicted)
            measured[f"recon/{modality}_diversity"] = float(distance) / distances[modality]
        for logger in trainer.loggers:
            logger.log_metrics(measured, trainer.global_step)
