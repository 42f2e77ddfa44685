"""Encoder with a small network in the teacher's place."""

import torch
from torch import Tensor, nn

from crossx.core.precision import full_precision
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import BackboneEncoder, NetworkFactory
from crossx.encoding.encoders.posterior import own_coordinates, posterior_dim, posterior_vector
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class StudentEncoder(BackboneEncoder):
    """A network of its own that predicts its teacher's features, below the teacher's frozen last layer.

    This is SimKD, "Knowledge Distillation with the Reused Teacher Classifier" (arXiv 2203.14001), for retrieval: the
    last layer's posterior of the predicted features becomes the embedding (`posterior_vector`). The
    network and the linear map from its features to the teacher's start at random and learn by
    `FeatureDistillationLoss` and any objective of the embedding. The last layer stays in the teacher's file, like the
    rest of the teacher.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        network: Factory of a backbone without classifier, such as `SmallResNet` or `TimmNetwork` with `num_classes: 0`.
        input_size: Side in pixels that images are resized to; None for the size of the teacher's input.
        mean: Subtracted from each channel of an image in [0, 1]; None for the mean that a network with pretrained
            weights was trained with, and for the teacher's where the network starts at random.
        std: Divides each channel afterwards; None as for `mean`.

    Raises:
        InputError: When the network has a classifier.
    """

    predicts_features = True
    least_cosine = 0.0  # posteriors have no negative coordinate

    def __init__(
        self,
        teachers: TeacherPair,
        modality: Modality,
        network: NetworkFactory,
        input_size: int | None = None,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
    ) -> None:
        dim = posterior_dim(teachers.vocabulary)
        super().__init__(teachers, modality, network, input_size, mean, std, dim)
        self.teacher = teachers.of(modality)
        self.map = nn.Linear(self.network.num_features, self.teacher.network.num_features)
        self.vocabulary = teachers.vocabulary

    def modality_coordinates(self) -> tuple[tuple[int, int], ...]:
        """Return the two coordinates behind the classes; see `posterior_vector`."""
        return own_coordinates(self.vocabulary)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Predict the teacher's features, and turn the posterior of the prediction into a vector."""
        features = self.predict_features(images)
        # Autocast would round the logits, and with them the probabilities of the unlikely classes.
        with torch.autocast(features.device.type, enabled=False):
            logits = self.teacher.network.classify(full_precision(features))
        posterior = self.vocabulary.union_posterior(logits, self.modality)
        return Embedding(posterior_vector(posterior, self.modality), features, posterior)

    def predict_features(self, images: Tensor) -> Tensor:
        """Map images in [0, 1], (B, 3, H, W), to predicted features of the teacher, (B, F)."""
        features: Tensor = self.map(self.pooled(images))
        return features
