"""Posterior matching where each teacher knows classes that the other does not."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.backbones import last_layer
from crossx.encoding.encoders.base import Encoder
from crossx.encoding.encoders.posterior import PosteriorEncoder
from crossx.errors import InputError
from crossx.objective import full_precision
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class CompletedPosteriorEncoder(PosteriorEncoder):
    """A `PosteriorEncoder` whose teacher is given a guess at the classes that only the other teacher knows.

    Without it a photo of a class that the photo teacher does not know has probability 0 of being one, and a sketch of
    that class finds nothing. Here an unknown class c has the logit

        offset - log N + slope * cos(z, W_c)

    beside the known classes' logits less their mean, where N is the number of unknown classes (the offset is that of
    all of them together), z are the teacher's own logits of the shared classes, and W_c are the cosines, in the last
    layer of the teacher that knows c, between c and the shared classes; both less their mean. So an image is taken for
    a class that the teacher does not know the less it looks like what it knows (all classes share one softmax), and the
    more what little it says of the shared classes is what the other teacher would say of c.

    Args:
        offset: Logit of all unknown classes together, where the shared classes say nothing of them: higher for a
            teacher that is sure of what it knows.
        slope: What the shared classes' opinion counts, >= 0.
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

    def __init__(
        self,
        offset: float = 4.5,
        slope: float = 2.0,
        share: float = 0.97,
        temperature: float = 1.0,
        dim: int = 64,
        hidden: int = 512,
    ) -> None:
        super().__init__(share, temperature, dim, hidden)
        if not math.isfinite(offset):
            raise InputError(f"encoder.offset: {offset} is not legal; a finite number")
        if not 0 <= slope < math.inf:
            raise InputError(f"encoder.slope: {slope} is not legal; 0 or more")
        self.offset, self.slope = offset, slope

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Take the teacher, and from the other one how its classes lie to each other."""
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

    def posterior(self, output: TeacherOutput) -> Tensor:
        """The teacher's posterior over the union, with guesses at what it does not know, (B, U)."""
        vocabulary, modality = self.vocabulary, self._modality
        # A constant added to all logits says nothing; the guesses stand beside logits of mean 0.
        logits = full_precision(output.logits)
        logits = logits - logits.mean(dim=1, keepdim=True)
        likeness = _direction(vocabulary.shared_logits(logits, modality)) @ self.others.T
        guesses = self.offset - math.log(max(len(self.unknown), 1)) + self.slope * likeness
        place = vocabulary.teacher_target(torch.arange(len(vocabulary)), modality).clamp_min(0).to(logits.device)
        completed = logits[:, place].index_copy(1, self.unknown, guesses)
        return (completed / self.temperature).softmax(dim=1)


def _direction(values: Tensor) -> Tensor:
    """Rows less their mean, as unit vectors."""
    return F.normalize(values - values.mean(dim=1, keepdim=True), dim=1)
