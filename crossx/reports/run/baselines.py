"""Retrieval by the two teachers alone, without training, on the images that the run is measured on."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.callbacks import Callback

from crossx.evaluation.functional import RetrievalScores, retrieval_scores
from crossx.evaluation.metric import RetrievalMetric
from crossx.evaluation.posterior import PosteriorChoice, best_posterior, features_scores
from crossx.reports.health.measures import within_class_distance
from crossx.reports.lookup import data_module
from crossx.reports.run.results import mean_over_queries
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import GuidedRetrievalModule
from crossx.types import MODALITIES, ImageBatch, Modality, Split


class TeacherBaselines(Callback):
    """Computes the baselines `features` (where widths agree) and `posterior`, once a split, in float32.

    Form and temperature of posterior matching are chosen on the validation images, also when the test split is
    measured.

    Attributes:
        results: Split to baseline to metric name to value.
        scores: Split to baseline to the measures of each query.
        choice: Form and temperature of posterior matching; None before the first validation.
        distances: Modality to the mean distance of two real validation images of one class, with the classes and the
            feature space of the modality's teacher; empty before the first validation.
    """

    def __init__(self) -> None:
        self.results: dict[Split, dict[str, dict[str, float]]] = {}
        self.scores: dict[Split, dict[str, RetrievalScores]] = {}
        self.choice: PosteriorChoice | None = None
        self.distances: dict[Modality, float] = {}
        self._collected: _Outputs | None = None

    def section(self, split: Split | None) -> dict[str, Any]:
        """Return the baselines of a split, for `results.json`."""
        measured = {} if split is None else self.scores.get(split, {})
        return {
            "baselines": {} if split is None else self.results.get(split, {}),
            "baselines_ap_all": {name: scores.ap_all.tolist() for name, scores in measured.items()},
            "baselines_precision_at_recall": {name: mean_over_queries(scores) for name, scores in measured.items()},
            "posterior": None if self.choice is None else asdict(self.choice),
        }

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to collect, unless the validation split is measured already or this is only a sanity check."""
        wanted = not trainer.sanity_checking and "validation" not in self.results
        self._collected = _Outputs(pl_module) if wanted and isinstance(pl_module, GuidedRetrievalModule) else None

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the form of posterior matching on validation images, before test images are measured."""
        data = data_module(trainer)
        if not isinstance(pl_module, GuidedRetrievalModule) or data is None:
            return
        if self.choice is None:
            outputs = _Outputs(pl_module)
            for loader in data.evaluation_loaders("validation"):
                outputs.collect(loader)
            self._finish(outputs, "validation")
        self._collected = _Outputs(pl_module)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: ImageBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Run the teachers on the images that the encoders were just run on."""
        if self._collected is not None:
            self._collected.add(batch)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the baselines on validation images."""
        if self._collected is not None:
            self._finish(self._collected, "validation")
            self._collected = None

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the baselines on test images."""
        if self._collected is not None:
            self._finish(self._collected, "test")
            self._collected = None

    def _finish(self, outputs: "_Outputs", split: Split) -> None:
        found: dict[str, RetrievalScores] = {}
        features = {}
        for modality, metric in outputs.features.items():
            with metric.sync_context():
                features[modality] = metric.images(modality)
        photos, sketches = features["photo"], features["sketch"]
        if photos.embeddings.shape[1] == sketches.embeddings.shape[1]:
            scores = features_scores(sketches.embeddings, photos.embeddings)
            found["features"] = retrieval_scores(scores, sketches.labels, photos.labels)
        with outputs.logits.sync_context():
            photos, sketches = outputs.logits.images("photo"), outputs.logits.images("sketch")
        if split == "validation":
            for modality, images in (("photo", photos), ("sketch", sketches)):
                seen = images.embeddings.argmax(1)
                self.distances[modality] = float(within_class_distance(features[modality].embeddings, seen))
            self.choice = best_posterior(sketches.embeddings, photos.embeddings, sketches.labels, photos.labels)
        if self.choice is None:
            raise RuntimeError("posterior matching is chosen on validation images first")
        scores = self.choice.score(sketches.embeddings, photos.embeddings)
        found["posterior"] = retrieval_scores(scores, sketches.labels, photos.labels)
        self.results[split] = {name: scores.summary() for name, scores in found.items()}
        self.scores[split] = found


class _Outputs:
    """The teachers' outputs on real images, in float32 and gathered over processes as embeddings are."""

    def __init__(self, module: GuidedRetrievalModule) -> None:
        self.teachers: TeacherPair = module.teachers
        self.device = module.device
        self.logits = RetrievalMetric().to(self.device)
        self.features: dict[Modality, RetrievalMetric] = {m: RetrievalMetric().to(self.device) for m in MODALITIES}

    @torch.no_grad()
    def add(self, batch: ImageBatch) -> None:
        """Run the teacher of the batch's modality."""
        with torch.autocast(self.device.type, enabled=False):
            output = self.teachers.of(batch.modality)(batch.image)
        shared = self.teachers.vocabulary.shared_logits(output.logits, batch.modality)
        self.logits.update(shared, batch.label, batch.index, batch.modality)
        self.features[batch.modality].update(output.features, batch.label, batch.index, batch.modality)

    def collect(self, loader: Iterable[ImageBatch]) -> None:
        """Run the teachers over a loader of the CPU."""
        for batch in loader:
            self.add(move_data_to_device(batch, self.device))
