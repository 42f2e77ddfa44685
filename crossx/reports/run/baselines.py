"""Retrieval by the two teachers alone, without training, on the images that the run is measured on."""

from dataclasses import asdict, dataclass
from operator import is_
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader

from crossx.core.errors import InputError
from crossx.evaluation.accuracy import ClassifierAccuracy
from crossx.evaluation.functional import RetrievalScores, retrieval_scores
from crossx.evaluation.posterior import PosteriorChoice, best_posterior, features_scores
from crossx.reports.health.measures import within_class_distance
from crossx.reports.lookup import data_module, real_images
from crossx.reports.run.results import mean_over_queries
from crossx.reports.run.teacher_outputs import TeacherOutputs
from crossx.training.guided import GuidedRetrievalModule
from crossx.training.hashes import teacher_hashes
from crossx.training.lightning_state import measured_batches, measured_loaders
from crossx.types import ImageBatch, Modality, Split

_USUAL_REASONS: dict[Modality, str] = {
    "photo": "a class list in another order, another mean and std, blue where it expects red",
    "sketch": "a class list in another order, another mean and std, sketches of another polarity or line width",
}


class TeacherBaselines(Callback):
    """Computes the baselines `features` (where widths agree) and `posterior`, once a split, in float32.

    Form and temperatures of posterior matching are chosen on the validation images, also when the test split is
    measured. Where there are none, they are those of `PosteriorChoice()`. The accuracies of the teachers come from the
    same forward; a teacher at chance is warned about.

    Attributes:
        results: Split to baseline to metric name to value.
        scores: Split to baseline to the measures of each query.
        accuracy: Split to modality to the accuracy of the modality's teacher on the images.
        choice: Form and temperatures of posterior matching; None before the first validation.
        chosen_on: What they were chosen on; None where they are fixed.
        fixed_because: Why they are fixed; None where they were chosen.
        distances: Modality to the mean distance of two real validation images of one class, with the classes and the
            feature space of the modality's teacher; empty before the first validation.
    """

    def __init__(self) -> None:
        self.results: dict[Split, dict[str, dict[str, float]]] = {}
        self.scores: dict[Split, dict[str, RetrievalScores]] = {}
        self.accuracy: dict[Split, dict[Modality, ClassifierAccuracy]] = {}
        self.choice: PosteriorChoice | None = None
        self.chosen_on: str | None = None
        self.fixed_because: str | None = None
        self.distances: dict[Modality, float] = {}
        self._collected: TeacherOutputs | None = None
        self._validated: _Images | None = None
        self._chosen: _Images | None = None

    def section(self, split: Split | None) -> dict[str, Any]:
        """Return the baselines of a split, for `results.json`."""
        measured = {} if split is None else self.scores.get(split, {})
        accuracy = {} if split is None else self.accuracy.get(split, {})
        origin = {"chosen_on": self.chosen_on, "fixed_because": self.fixed_because}
        return {
            "baselines": {} if split is None else self.results.get(split, {}),
            "baselines_ap_all": {name: scores.ap_all.tolist() for name, scores in measured.items()},
            "baselines_precision_at_recall": {name: mean_over_queries(scores) for name, scores in measured.items()},
            "posterior": None if self.choice is None else asdict(self.choice),
            "posterior_origin": None if self.choice is None else origin,
            "teacher_accuracy": {m: {**asdict(found), "at_chance": found.at_chance} for m, found in accuracy.items()},
        }

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to collect, unless these images are measured already or this is only a sanity check."""
        self._collected = None
        if trainer.sanity_checking:
            return
        if not isinstance(pl_module, GuidedRetrievalModule):
            self._forget("validation")
            return
        coming = _Images.read(trainer, pl_module, "validation")
        if self._validated is None or not coming.same(self._validated):
            self._forget("validation")
            self._collected = _outputs(trainer, pl_module)

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the form of posterior matching on validation images, before test images are measured."""
        data = data_module(trainer)
        self._collected = None
        self._forget("test")
        if not isinstance(pl_module, GuidedRetrievalModule) or data is None:
            return
        known = _Images.of_data(trainer, pl_module)
        if self._chosen is None or not known.same(self._chosen):
            self._forget("validation")
            try:
                loaders = data.evaluation_loaders("validation")
            except InputError as error:  # test images can be measured without a validation part
                self._choose(PosteriorChoice(), fixed_because=str(error))
            else:
                outputs = _outputs(trainer, pl_module)
                for loader in loaders:
                    outputs.collect(loader)
                self._finish(outputs, "validation", "validation")
            self._chosen = known
        self._collected = _outputs(trainer, pl_module)

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
        if self._collected is not None and isinstance(pl_module, GuidedRetrievalModule):
            whole = all(done >= there for done, there in measured_batches(trainer, "validation"))
            self._finish(self._collected, "validation", "validation" if whole else "a part of validation")
            self._validated = _Images.read(trainer, pl_module, "validation")
            self._chosen = _Images.of_data(trainer, pl_module)
            self._collected = None

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the baselines on test images."""
        if self._collected is not None:
            self._finish(self._collected, "test")
            self._collected = None

    def _forget(self, split: Split) -> None:
        """Forget a split's measurement, and with validation images also what was chosen on them."""
        for found in (self.results, self.scores, self.accuracy):
            found.pop(split, None)
        if split == "validation":
            self.choice, self.chosen_on, self.fixed_because = None, None, None
            self.distances = {}
            self._validated, self._chosen = None, None

    def _choose(self, choice: PosteriorChoice, chosen_on: str | None = None, fixed_because: str | None = None) -> None:
        self.choice, self.chosen_on, self.fixed_because = choice, chosen_on, fixed_because

    def _finish(self, outputs: TeacherOutputs, split: Split, chosen_on: str | None = None) -> None:
        found: dict[str, RetrievalScores] = {}
        features, logits = outputs.features(), outputs.logits()
        photos, sketches = features["photo"], features["sketch"]
        if photos.embeddings.shape[1] == sketches.embeddings.shape[1]:
            scores = features_scores(sketches.embeddings, photos.embeddings)
            found["features"] = retrieval_scores(scores, sketches.labels, photos.labels)
        photos, sketches = logits["photo"], logits["sketch"]
        if split == "validation":
            for modality, images in logits.items():
                seen = images.embeddings.argmax(1)
                self.distances[modality] = float(within_class_distance(features[modality].embeddings, seen))
            if (sketches.labels[:, None] == photos.labels).any():
                best = best_posterior(sketches.embeddings, photos.embeddings, sketches.labels, photos.labels)
                self._choose(best, chosen_on)
            else:
                self._choose(PosteriorChoice(), fixed_because="no validation query has a relevant photo")
        if self.choice is None:
            raise RuntimeError("posterior matching is chosen on validation images first")
        scores = self.choice.score(sketches.embeddings, photos.embeddings)
        found["posterior"] = retrieval_scores(scores, sketches.labels, photos.labels)
        self.results[split] = {name: scores.summary() for name, scores in found.items()}
        self.scores[split] = found
        self.accuracy[split] = outputs.accuracy()
        for modality, accuracy in self.accuracy[split].items():
            if accuracy.at_chance:
                rank_zero_warn(_at_chance(modality, accuracy, split))


@dataclass(frozen=True)
class _Images:
    """Images and the teachers that read them, to tell whether a measurement holds for the coming ones.

    Attributes:
        lists: What holds the images: the same objects hold the same images.
        about: All else that a measurement depends on.
    """

    lists: tuple[object, ...]
    about: tuple[object, ...]

    @classmethod
    def read(cls, trainer: pl.Trainer, module: GuidedRetrievalModule, split: Split) -> "_Images":
        """The images of the validation or test that runs, and how many batches of them."""
        loaders = measured_loaders(trainer, split)
        # Loaders are made anew for each `trainer.validate`; the data module keeps its lists of images.
        known = data_module(trainer) is not None
        lists = [loader.dataset if known and isinstance(loader, DataLoader) else loader for loader in loaders]
        return cls(tuple(lists), (*_readers(module), tuple(measured_batches(trainer, split))))

    @classmethod
    def of_data(cls, trainer: pl.Trainer, module: GuidedRetrievalModule) -> "_Images":
        """All images of the run's data."""
        dataset = real_images(trainer)
        lists = measured_loaders(trainer, "validation") if dataset is None else [dataset]
        return cls(tuple(lists), _readers(module))

    def same(self, other: "_Images") -> bool:
        """Whether a measurement of the other images is one of these."""
        # By identity: data sets of users may compare by content, or not at all.
        alike = len(self.lists) == len(other.lists) and all(map(is_, self.lists, other.lists))
        return alike and self.about == other.about


def _readers(module: GuidedRetrievalModule) -> tuple[object, ...]:
    """The teachers, and the classes in which they are compared, which aliases change."""
    vocabulary = module.teachers.vocabulary
    return tuple(teacher_hashes(module).values()), vocabulary.union, vocabulary.shared


def _outputs(trainer: pl.Trainer, module: GuidedRetrievalModule) -> TeacherOutputs:
    dataset = real_images(trainer)
    return TeacherOutputs(module, () if dataset is None else dataset.classes)


def _at_chance(modality: Modality, found: ClassifierAccuracy, split: Split) -> str:
    return (
        f"teachers.{modality}: the {modality} teacher is at chance on the {split} images: accuracy "
        f"{found.accuracy:.3f} on {found.images} of {found.classes} classes, chance {found.chance:.3f}; usual reasons: "
        f"{_USUAL_REASONS[modality]}"
    )
