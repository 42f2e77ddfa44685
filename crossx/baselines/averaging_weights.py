"""Averaging Weights: one network halfway between the two classifiers."""

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import Encoder
from crossx.networks.build import without_classifier
from crossx.networks.preprocessing import Preprocessing
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class AveragedWeights(Encoder):
    """The baseline "Averaging Weights" (arXiv 2303.07775) as we read it: the mean of both teachers' weights.

    Parameters and running statistics are averaged, as in federated averaging (arXiv 1602.05629), and the features of
    the averaged network embed photos and sketches alike. Nothing is trained, so the baseline is measured with
    `crossx validate` and `crossx test`. The mean of two networks is as good as the networks only when both started from
    the same weights, such as those of ImageNet, and have not moved far from them.

    Args:
        teachers: Both teachers; both modalities get the same average, each with its own normalisation.
        modality: Modality of the images.

    Raises:
        InputError: When the teachers have different architectures.
    """

    def __init__(self, teachers: TeacherPair, modality: Modality) -> None:
        photo, sketch = teachers.photo.card, teachers.sketch.card
        if (photo.network, photo.arguments) != (sketch.network, sketch.arguments):
            raise InputError(
                "teachers: AveragedWeights needs two networks of one architecture, got "
                f"{photo.network}({photo.arguments}) and {sketch.network}({sketch.arguments})"
            )
        card = teachers.of(modality).card
        of_photo, of_sketch = (teacher.network.state_dict() for teacher in (teachers.photo, teachers.sketch))
        # The classifiers are left out, and need not have equally many classes.
        common = {
            name: _mean(tensor, of_sketch[name])
            for name, tensor in of_photo.items()
            if tensor.shape == of_sketch[name].shape
        }
        network = without_classifier(card.network, card.arguments, common)
        super().__init__(modality, dim=network.num_features)
        self.network = network.requires_grad_(False).eval()
        self.preprocessing = Preprocessing(*card.input_format)

    def train(self, mode: bool = True) -> "AveragedWeights":
        """Stay in eval mode: nothing is trained, and the running statistics are averages."""
        return super().train(False)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed by the features of the averaged network."""
        return Embedding(self.network.pooled(self.preprocessing(images)))


def _mean(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of two tensors; for counters of batches, which are whole numbers, return the first."""
    return torch.lerp(a, b, 0.5) if a.is_floating_point() else a
