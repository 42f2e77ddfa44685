"""What the two teachers reach without any training, on the very images that the run is measured on."""

from collections.abc import Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.callbacks import Callback

from crossx.evaluation.functional import RetrievalScores, retrieval_scores
from crossx.evaluation.metric import RetrievalMetric
from crossx.evaluation.posterior import PosteriorChoice, best_posterior, features_scores
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.reports.health.measures import within_class_distance
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import GuidedRetrievalModule
from crossx.types import MODALITIES, ImageBatch, Modality, Split


class TeacherBaselines(Callback):
    """Computes the baselines `features` (where widths agree) and `posterior`, once a split.

    The form and temperature of posterior matching are chosen on the validation images, also when the test split is
    measured.

    Attributes:
        results: Split to baseline to metric name to value.
        scores: Split to baseline to the measures of each query.
        choice: Form and temperature of posterior matching; None before the first validation.
        distances: Modality to the mean distance of two real validation images of one class, as its teacher sees class
            and distance; empty before the first validation.
    """

    def __init__(self) -> None:
        self.results: dict[Split, dict[str, dict[str, float]]] = {}
        self.scores: dict[Split, dict[str, RetrievalScores]] = {}
        self.choice: PosteriorChoice | None = None
        self.distances: dict[Modality, float] = {}
        self._collected: _Outputs | None = None

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Get ready to collect, unless the validation split is known already or this is only a sanity check."""
        wanted = not trainer.sanity_checking and "validation" not in self.results
        self._collected = (
            _Outputs(trainer, pl_module) if wanted and isinstance(pl_module, GuidedRetrievalModule) else None
        )

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose on validation images what is then measured on test images."""
        data = getattr(trainer, "datamodule", None)
        if not isinstance(pl_module, GuidedRetrievalModule) or not isinstance(data, SyntheticPairsDataModule):
            return
        if self.choice is None:
            outputs = _Outputs(trainer, pl_module)
            for loader in data.evaluation_loaders("validation"):
                outputs.collect(loader)
            self._finish(outputs, "validation")
        self._collected = _Outputs(trainer, pl_module)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: ImageBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Let the teachers see what the encoders have just seen."""
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
    """The teachers' outputs on real images, in the run's precision and gathered over processes as embeddings are."""

    def __init__(self, trainer: pl.Trainer, module: GuidedRetrievalModule) -> None:
        self.precision = trainer.precision_plugin
        self.teachers: TeacherPair = module.teachers
        self.device = module.device
        self.logits = RetrievalMetric().to(self.device)
        self.features: dict[Modality, RetrievalMetric] = {m: RetrievalMetric().to(self.device) for m in MODALITIES}

    @torch.no_grad()
    def add(self, batch: ImageBatch) -> None:
        """Run the teacher of the batch's modality."""
        # A callback stands outside the step's autocast. Beside encoders in bfloat16, teachers in float32 would have an
        # advantage of 0.001 in mAP@all, which is what some methods differ by.
        with self.precision.forward_context():
            output = self.teachers.of(batch.modality)(batch.image)
        shared = self.teachers.vocabulary.shared_logits(output.logits, batch.modality)
        self.logits.update(shared, batch.label, batch.index, batch.modality)
        self.features[batch.modality].update(output.features, batch.label, batch.index, batch.modality)

    def collect(self, loader: Iterable[ImageBatch]) -> None:
        """Run the teachers over a loader of the CPU."""
        for batch in loader:
            self.add(move_data_to_device(batch, self.device))
