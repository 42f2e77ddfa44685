"""The teachers' outputs on the images that a run is measured on."""

from collections.abc import Iterable, Sequence

import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from crossx.evaluation.accuracy import ClassifierAccuracy, classifier_accuracy
from crossx.evaluation.metric import EmbeddedImages, RetrievalMetric
from crossx.teachers.pair import TeacherPair
from crossx.training.guided import GuidedRetrievalModule
from crossx.types import MODALITIES, ImageBatch, Modality


class TeacherOutputs:
    """Outputs of both teachers, in float32 and gathered over processes as embeddings are.

    Args:
        module: The module whose teachers run.
        classes: Class names of the images, in the order of the labels; empty where they are not known.
    """

    def __init__(self, module: GuidedRetrievalModule, classes: Sequence[str] = ()) -> None:
        self.teachers: TeacherPair = module.teachers
        self.device = module.device
        self._logits = RetrievalMetric().to(self.device)
        self._features: dict[Modality, RetrievalMetric] = {m: RetrievalMetric().to(self.device) for m in MODALITIES}
        self._answers = RetrievalMetric().to(self.device)
        self._known = {m: _known_classes(self.teachers, m, classes) for m in MODALITIES}

    @torch.no_grad()
    def add(self, batch: ImageBatch) -> None:
        """Run the teacher of the batch's modality."""
        modality = batch.modality
        with torch.autocast(self.device.type, enabled=False):
            output = self.teachers.of(modality)(batch.image)
        shared = self.teachers.vocabulary.shared_logits(output.logits, modality)
        self._logits.update(shared, batch.label, batch.index, modality)
        self._features[modality].update(output.features, batch.label, batch.index, modality)
        labels, places = (part.to(self.device) for part in self._known[modality])
        if len(labels):
            answers = labels[output.logits.index_select(1, places).argmax(1)]
            self._answers.update(answers[:, None].float(), batch.label, batch.index, modality)

    def collect(self, loader: Iterable[ImageBatch]) -> None:
        """Run the teachers over a loader of the CPU."""
        for batch in loader:
            self.add(move_data_to_device(batch, self.device))

    def logits(self) -> dict[Modality, EmbeddedImages]:
        """Logits of the shared classes, (N, S), of the images of all processes."""
        with self._logits.sync_context():
            return {m: self._logits.images(m) for m in MODALITIES}

    def features(self) -> dict[Modality, EmbeddedImages]:
        """Pooled features, (N, F), of the images of all processes."""
        found: dict[Modality, EmbeddedImages] = {}
        for modality, metric in self._features.items():
            with metric.sync_context():
                found[modality] = metric.images(modality)
        return found

    def accuracy(self) -> dict[Modality, ClassifierAccuracy]:
        """Accuracy of each teacher among the images' classes that it knows, on the images of those classes."""
        found: dict[Modality, ClassifierAccuracy] = {}
        with self._answers.sync_context():
            for modality in MODALITIES:
                images, labels = self._answers.images(modality), self._known[modality][0].to(self.device)
                if not len(images.labels):
                    continue
                known = torch.isin(images.labels, labels)
                answers = images.embeddings[known, 0].long()
                accuracy = classifier_accuracy(answers, images.labels[known], len(labels))
                if accuracy is not None:
                    found[modality] = accuracy
        return found


def _known_classes(teachers: TeacherPair, modality: Modality, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Labels of the classes that a teacher knows, and their places among its logits, both (N,) int64."""
    vocabulary = teachers.vocabulary
    own = {vocabulary.canonical(name): place for place, name in enumerate(teachers.of(modality).card.classes)}
    known = [(label, own[vocabulary.canonical(n)]) for label, n in enumerate(classes) if vocabulary.canonical(n) in own]
    labels, places = torch.tensor(known, dtype=torch.long).view(-1, 2).unbind(1)
    return labels, places
