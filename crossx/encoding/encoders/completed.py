"""Posterior matching for teachers with classes that the other teacher does not have."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.encoders.base import Encoder
from crossx.encoding.encoders.posterior import PosteriorEncoder
from crossx.networks.base import last_layer
from crossx.teachers.pair import TeacherPair
from crossx.teachers.sketch_reader import SketchReader
from crossx.types import Images, Modality, TeacherOutput


class CompletedPosteriorEncoder(PosteriorEncoder):
    """A `PosteriorEncoder` that also estimates the classes of the other teacher alone (unknown classes).

    Without an estimate, a photo of a class that the photo teacher does not have gets probability 0 of that class, and a
    sketch of the class cannot find the photo. Here an unknown class c has the logit

        prior_logit + log softmax_c(similarity_weight * cos(z, W_c) + reading_weight * r_c)

    beside the known classes' logits less their mean, where the softmax is over the unknown classes. All classes share
    one softmax, so the less certain the known classes are, the more probable the unknown classes become. The estimate
    among the unknown classes has two sources:

    - the teacher's own logits: z are its logits of the shared classes, and W_c (`class_similarity`) are the cosines,
      in the last layer of the other teacher, between c and the shared classes; both less their mean.
    - the photo teacher's logits of a sketch, r, as a `SketchReader` reads them. Photos are not read by the sketch
      teacher, which cannot classify them.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        prior_logit: Logit of all unknown classes together: higher for a teacher that is sure of its known classes.
        similarity_weight: Weight of the similarity to the shared classes, >= 0.
        reading_weight: Weight of the reading of a sketch, >= 0; with 0, and for photos, nothing is read.
        temperature: See `PosteriorEncoder`; divides the estimated logits, too.
        own_queries: See `ReadingEncoder`; needs a `reading_weight`.

    Raises:
        InputError: When a number is out of range, the other teacher's classifier is more than one linear layer, or
            `own_queries` is set and nothing is read.
    """

    unknown_classes: Tensor
    class_similarity: Tensor
    other_index: Tensor
    own_index: Tensor

    def __init__(
        self,
        teachers: TeacherPair,
        modality: Modality,
        prior_logit: float = 4.0,
        similarity_weight: float = 2.0,
        reading_weight: float = 0.0,
        temperature: float = 1.0,
        own_queries: bool = False,
    ) -> None:
        super().__init__(teachers, modality, temperature)
        must_be_in("encoder.prior_logit", prior_logit, "(-inf, inf)")
        must_be_in("encoder.similarity_weight", similarity_weight, "[0, inf)")
        must_be_in("encoder.reading_weight", reading_weight, "[0, inf)")
        if own_queries and not reading_weight:
            raise InputError(
                "encoder.own_queries: must be false where reading_weight is 0, got true; no sketch is read"
            )
        self.prior_logit, self.similarity_weight, self.reading_weight = prior_logit, similarity_weight, reading_weight
        other: Modality = "sketch" if modality == "photo" else "photo"
        weight = last_layer(teachers.of(other).network)
        if weight is None:
            raise InputError(
                f"{modality} encoder: CompletedPosteriorEncoder needs a {other} teacher whose classifier is one linear "
                "layer; use PosteriorEncoder"
            )
        vocabulary = teachers.vocabulary
        unknown = (~vocabulary.known(modality)).nonzero().flatten()
        shared = torch.tensor([vocabulary.index(name) for name in vocabulary.shared])
        weight = full_precision(weight.detach().cpu())
        rows = F.normalize(weight - weight.mean(0), dim=1)
        of_unknown, of_shared = (rows[vocabulary.teacher_target(classes, other)] for classes in (unknown, shared))
        own = vocabulary.teacher_target(torch.arange(len(vocabulary)), modality).clamp_min(0)
        # Not persistent: all four follow from the teachers' files.
        self.register_buffer("own_index", own, persistent=False)
        self.register_buffer("unknown_classes", unknown, persistent=False)
        self.register_buffer("class_similarity", _direction(of_unknown @ of_shared.T), persistent=False)
        self.register_buffer("other_index", vocabulary.teacher_target(unknown, other), persistent=False)
        reads = reading_weight > 0 and modality == "sketch" and len(unknown) > 0
        self.reader = SketchReader(teachers, own_queries) if reads else None

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner whose vectors are put together in another way.

        Raises:
            InputError: When the partner is no `CompletedPosteriorEncoder`.
        """
        if not isinstance(other, CompletedPosteriorEncoder):
            raise InputError(
                f"encoder, sketch_encoder: must be two CompletedPosteriorEncoders, got a {type(other).__name__}"
            )
        super().check_partner(other)

    def adapt(self, queries: Images | None) -> int:
        """Let the reader take the statistics of the queries."""
        return 0 if self.reader is None else self.reader.adapt(queries)

    def posterior(self, images: Tensor, output: TeacherOutput) -> Tensor:
        """Return the teacher's posterior over the union, with estimates for unknown classes, (B, U)."""
        vocabulary, modality = self.vocabulary, self.modality
        # A constant added to all logits changes nothing; the estimates stand beside logits of mean 0.
        logits = full_precision(output.logits)
        logits = logits - logits.mean(dim=1, keepdim=True)
        with torch.autocast(logits.device.type, enabled=False):  # classes lie nearer each other than bfloat16 resolves
            own = _direction(vocabulary.shared_logits(logits, modality))
            scores = self.similarity_weight * own @ self.class_similarity.T
        if self.reader is not None:
            reading: TeacherOutput = self.reader(images)
            scores = scores + self.reading_weight * reading.logits[:, self.other_index]
        estimates = self.prior_logit + scores.log_softmax(dim=1)
        completed = logits[:, self.own_index].index_copy(1, self.unknown_classes, estimates)
        return (completed / self.temperature).softmax(dim=1)


def _direction(values: Tensor) -> Tensor:
    """Return rows less their mean, as unit vectors."""
    return F.normalize(values - values.mean(dim=1, keepdim=True), dim=1)
