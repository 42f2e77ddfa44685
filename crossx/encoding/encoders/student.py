"""A small network that learns to say what its teacher says, and is compared by it."""

import torch.nn.functional as F
from torch import Tensor, nn

from crossx.backbones import Network
from crossx.encoding.encoders.base import Encoder, check_backbone
from crossx.encoding.encoders.posterior import posterior_vector
from crossx.preprocessing import Preprocessing
from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import MODALITIES, Modality, TeacherOutput


class StudentEncoder(Encoder):
    """A network of its own in the teacher's place: knowledge distillation (arXiv 1503.02531) for retrieval.

    Its posterior over the teacher's classes becomes the embedding (`posterior_vector`), and a linear guess of the
    teacher's features serves `FeatureDistillationLoss`, which is for training alone.

    Args:
        network: Backbone without classifier (`num_classes: 0`), such as `SmallResNet` or `TimmNetwork`.
        input_size: Side in pixels that images are resized to.
        mean: Subtracted from each channel of an image in [0, 1].
        std: Divides each channel then.

    Raises:
        InputError: When the network has a classifier.
    """

    def __init__(
        self,
        network: Network,
        input_size: int,
        mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        std: tuple[float, float, float] = (0.5, 0.5, 0.5),
    ) -> None:
        super().__init__(dim=0, hidden=0)  # D is known with the classes
        check_backbone(network)
        self.network = network
        self.preprocessing = Preprocessing(input_size, mean, std)
        self._vocabulary: Vocabulary | None = None
        self._modality: Modality = "photo"

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Make both last layers, at random, for the teacher's classes and features."""
        card, width = teachers.of(modality).card, teachers.of(modality).network.num_features
        self.classifier = nn.Linear(self.network.num_features, len(card.classes))
        self.hint = nn.Linear(self.network.num_features, width)
        self._vocabulary, self._modality = teachers.vocabulary, modality
        self.dim = len(teachers.vocabulary) + len(MODALITIES)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """The posterior as a vector; the teacher is of no concern."""
        return self._vector(self._pooled(images))

    def answer(self, images: Tensor, teacher: TeacherOutput | None = None) -> tuple[Tensor, Tensor]:
        """Unit vectors, beside the guessed features."""
        pooled = self._pooled(images)
        return F.normalize(self._vector(pooled), dim=1), self.hint(pooled)

    def _pooled(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.network.pooled(self.preprocessing(images))
        return pooled

    def _vector(self, pooled: Tensor) -> Tensor:
        if self._vocabulary is None:
            raise RuntimeError("start_from() comes before the first use")
        posterior = self._vocabulary.union_posterior(self.classifier(pooled), self._modality)
        return posterior_vector(posterior, self._modality)
