"""A small network in the teacher's place."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.precision import full_precision
from crossx.encoding.encoders.base import BackboneEncoder
from crossx.encoding.encoders.posterior import posterior_dim, posterior_vector
from crossx.networks.base import Network
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import Modality, TeacherOutput


class StudentEncoder(BackboneEncoder):
    """A network of its own that guesses its teacher's features, below the teacher's frozen last layer.

    That is SimKD, "Knowledge Distillation with the Reused Teacher Classifier" (arXiv 2203.14001), for retrieval: the
    posterior that the last layer gives for the guess becomes the embedding (`posterior_vector`). The network and the
    linear map from its features to the teacher's start at random and learn, through `FeatureDistillationLoss` and any
    objective of the embedding. The last layer stays in the teacher's file, as all of the teacher does.

    Args:
        network: Backbone without classifier (`num_classes: 0`), such as `SmallResNet` or `TimmNetwork`.
        input_size: Side in pixels that images are resized to.
        mean: Subtracted from each channel of an image in [0, 1].
        std: Divides each channel then.

    Raises:
        InputError: When the network has a classifier.
    """

    guesses_features = True
    least_cosine = 0.0  # of posteriors

    def __init__(
        self,
        network: Network,
        input_size: int,
        mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        std: tuple[float, float, float] = (0.5, 0.5, 0.5),
    ) -> None:
        super().__init__(network, input_size, mean, std, dim=0, hidden=0)  # D is known with the classes
        self.teacher: FrozenTeacher | None = None
        self._vocabulary: Vocabulary | None = None
        self._modality: Modality = "photo"

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Take the teacher's last layer, and make the map to its features."""
        self.teacher = teacher = teachers.of(modality)
        self.map = nn.Linear(self.network.num_features, teacher.network.num_features)
        self._vocabulary, self._modality = teachers.vocabulary, modality
        self.dim = posterior_dim(teachers.vocabulary)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """The posterior of the guessed features as a vector; the teacher's own answer is of no concern."""
        return self._vector(self.guess(images))

    def answer(self, images: Tensor, teacher: TeacherOutput | None = None) -> tuple[Tensor, Tensor]:
        """Unit vectors, beside the guessed features."""
        guess = self.guess(images)
        return F.normalize(self._vector(guess), dim=1), guess

    def guess(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to what the teacher's features may be, (B, F)."""
        if self.teacher is None:
            raise RuntimeError("start_from() comes before the first use")
        features: Tensor = self.map(self.pooled(images))
        return features

    def _vector(self, guess: Tensor) -> Tensor:
        if self.teacher is None or self._vocabulary is None:
            raise RuntimeError("start_from() comes before the first use")
        # Autocast would round the logits, and with them what a posterior says of the unlikely classes.
        with torch.autocast(guess.device.type, enabled=False):
            logits = self.teacher.network.classify(full_precision(guess))
        return posterior_vector(self._vocabulary.union_posterior(logits, self._modality), self._modality)
