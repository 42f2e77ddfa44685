"""Posterior matching where each teacher knows classes that the other does not."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.distributed import moments_over_processes
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.encoders.base import Encoder
from crossx.encoding.encoders.posterior import PosteriorEncoder
from crossx.networks.base import last_layer
from crossx.networks.running_statistics import RunningStatistics
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import Modality, TeacherOutput

_MOMENTUM = 0.95
"""Of the mean and variance of readings: generators change, but slowly."""
_EPSILON = 1e-5
"""Added to a variance before it divides: a class that is read alike in all images says nothing."""


class CompletedPosteriorEncoder(PosteriorEncoder):
    """A `PosteriorEncoder` whose teacher is given a guess at the classes that only the other teacher knows.

    Without it a photo of a class that the photo teacher does not know has probability 0 of being one, and a sketch of
    that class finds nothing. Here an unknown class c has the logit

        offset + log softmax_c(slope * cos(z, W_c) + reading * r_c)

    beside the known classes' logits less their mean, where the softmax is over the unknown classes. So an image is
    taken for one of a class that the teacher does not know the less it looks like what it knows (all classes share one
    softmax), and two things tell which one:

    - what little the teacher says of the shared classes: z are its logits of these, and W_c are the cosines, in the
      last layer of the teacher that knows c, between c and the shared classes; both less their mean.
    - what the other teacher, which knows c, says of this image of the wrong modality: r are its logits, each
      standardised by its mean and variance over the synthetic images of this modality. A photo classifier calls nearly
      every sketch one of a few classes; what it says of one more than of the others is about what is drawn. (They take
      the place of adaptive batch normalisation's statistics, arXiv 1603.04779, and need no image.)

    The mean and variance of readings are learned while the encoder trains and are in its checkpoint; before the first
    training batch nothing is read. So a checkpoint that was trained with `reading` 0 cannot be measured with more, nor
    the reverse.

    Args:
        offset: Logit of all unknown classes together: higher for a teacher that is sure of what it knows.
        slope: What the shared classes' opinion counts, >= 0.
        reading: What the other teacher's opinion counts, >= 0; 0 does not ask it.
        share: See `PosteriorEncoder`.
        temperature: See `PosteriorEncoder`; it divides the guesses, too.
        dim: See `PosteriorEncoder`.
        hidden: See `PosteriorEncoder`.

    Raises:
        InputError: When a number is out of range; from `start_from` when the other teacher's classifier is more than
            one linear layer.
    """

    unknown: Tensor
    others: Tensor
    read: Tensor

    def __init__(
        self,
        offset: float = 4.0,
        slope: float = 2.0,
        reading: float = 0.0,
        share: float = 0.97,
        temperature: float = 1.0,
        dim: int = 64,
        hidden: int = 512,
    ) -> None:
        super().__init__(share, temperature, dim, hidden)
        if not math.isfinite(offset):
            raise InputError(f"encoder.offset: {offset} is not legal; a finite number")
        for name, value in (("slope", slope), ("reading", reading)):
            if not 0 <= value < math.inf:
                raise InputError(f"encoder.{name}: {value} is not legal; 0 or more")
        self.offset, self.slope, self.reading = offset, slope, reading
        self.other_teacher: FrozenTeacher | None = None
        self.readings: RunningStatistics | None = None

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Take the teachers, and from the other one how its classes lie to each other."""
        super().start_from(teachers, modality)
        other: Modality = "sketch" if modality == "photo" else "photo"
        weight = last_layer(teachers.of(other).network)
        if weight is None:
            raise InputError(
                f"{modality}_encoder: CompletedPosteriorEncoder is not legal beside a {other} teacher whose classifier "
                "is more than one linear layer; PosteriorEncoder is"
            )
        vocabulary = teachers.vocabulary
        unknown = (~vocabulary.known(modality)).nonzero().flatten()
        shared = torch.tensor([vocabulary.index(name) for name in vocabulary.shared])
        weight = full_precision(weight.detach().cpu())
        rows = F.normalize(weight - weight.mean(0), dim=1)
        of_unknown, of_shared = (rows[vocabulary.teacher_target(classes, other)] for classes in (unknown, shared))
        # They belong to the teachers' files and not to the checkpoint.
        self.register_buffer("unknown", unknown, persistent=False)
        self.register_buffer("others", _direction(of_unknown @ of_shared.T), persistent=False)
        self.register_buffer("read", vocabulary.teacher_target(unknown, other), persistent=False)
        # Both are also taken back: an encoder may be started again, with teachers that know all.
        reads = self.reading > 0 and len(unknown) > 0
        self.other_teacher = teachers.of(other) if reads else None
        self.readings = RunningStatistics(len(unknown), _MOMENTUM) if reads else None

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner whose vectors are put together in another way.

        Raises:
            InputError: When it is no `CompletedPosteriorEncoder` with this one's share and head.
        """
        if not isinstance(other, CompletedPosteriorEncoder):
            raise InputError(
                f"photo_encoder, sketch_encoder: {type(other).__name__} is not legal beside CompletedPosteriorEncoder; "
                "another one is"
            )
        super().check_partner(other)

    def embed_learned(self, images: Tensor, teacher: TeacherOutput | None = None) -> Tensor:
        """The head's unit vectors; the posterior, for which the other teacher may have to be asked, is left out."""
        return F.normalize(full_precision(self.head(self.output(images, teacher).features)), dim=1)

    def posterior(self, images: Tensor, output: TeacherOutput) -> Tensor:
        """The teacher's posterior over the union, with guesses at what it does not know, (B, U)."""
        vocabulary, modality = self.vocabulary, self._modality
        # A constant added to all logits says nothing; the guesses stand beside logits of mean 0.
        logits = full_precision(output.logits)
        logits = logits - logits.mean(dim=1, keepdim=True)
        with torch.autocast(logits.device.type, enabled=False):  # classes lie nearer each other than bfloat16 can tell
            opinion = self.slope * _direction(vocabulary.shared_logits(logits, modality)) @ self.others.T
        if self.other_teacher is not None and self.readings is not None:
            opinion = opinion + self.reading * self._read(images, self.other_teacher, self.readings)
        guesses = self.offset + opinion.log_softmax(dim=1)
        place = vocabulary.teacher_target(torch.arange(len(vocabulary)), modality).clamp_min(0).to(logits.device)
        completed = logits[:, place].index_copy(1, self.unknown, guesses)
        return (completed / self.temperature).softmax(dim=1)

    @torch.no_grad()
    def _read(self, images: Tensor, teacher: FrozenTeacher, readings: RunningStatistics) -> Tensor:
        """The other teacher's standardised logits of the N unknown classes, (B, N); 0 where none were read before."""
        logits = full_precision(teacher(images).logits)[:, self.read]
        if self.training:
            moments = moments_over_processes(logits.mean(0), logits.var(0, correction=0))
            readings(*moments)
        mean, var = full_precision(readings.mean), full_precision(readings.var)
        return (readings.batches > 0) * (logits - mean) / (var + _EPSILON).sqrt()


def _direction(values: Tensor) -> Tensor:
    """Rows less their mean, as unit vectors."""
    return F.normalize(values - values.mean(dim=1, keepdim=True), dim=1)
