"""Several encoders side by side in one embedding."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import Encoder, EncoderFactory
from crossx.teachers.pair import TeacherPair
from crossx.types import Images, Modality, TeacherOutput


@dataclass
class Part:
    """One encoder of a `CompositeEncoder`.

    Args:
        encoder: Factory of the encoder.
        weight: Its share of the cosine before the shares are scaled to a sum of 1, finite and >= 0.
    """

    encoder: EncoderFactory
    weight: float = 1.0


class CompositeEncoder(Encoder):
    """Several encoders side by side: the cosine is the weighted mean of their cosines.

    With shares w_i of the photos' parts and v_i of the sketches', the cosine of a photo and a sketch is
    sum_i sqrt(w_i v_i) cos_i. So the weights of sketches can be changed without embedding the photos again: a search
    that looks for classes that no teacher knows takes the weight of the posteriors away.

    At most one part trains, by the objective of its own embedding, so that it can be used and measured alone.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        parts: Name -> encoder and weight, in the order of the embedding.
        mirrored: Embed an image, by each part, as the mean of the image and its mirror image; not where pairs train.

    Raises:
        InputError: When a weight is out of range, all are 0, more than one part trains, or a name cannot name a
            submodule.
    """

    def __init__(
        self, teachers: TeacherPair, modality: Modality, parts: dict[str, Part], mirrored: bool = False
    ) -> None:
        kind: type[Encoder] = Encoder  # type: ignore[type-abstract]  # compared with, never built
        weights = _shares(parts)
        built = {
            name: complete(f"encoder.parts.{name}.encoder", part.encoder, kind, teachers=teachers, modality=modality)
            for name, part in parts.items()
        }
        training = [name for name, encoder in built.items() if encoder.trainable_dim]
        if len(training) > 1:
            raise InputError(f"encoder.parts: must have at most one part that trains, got {', '.join(training)}")
        trained = built[training[0]] if training else None
        super().__init__(modality, sum(e.dim for e in built.values()), trained.trainable_dim if trained else 0)
        try:
            self.parts = nn.ModuleDict(built)
        except KeyError as error:
            raise InputError(f"encoder.parts: a name of {list(parts)} cannot be used: {error.args[0]}") from error
        self.weights, self.mirrored = weights, mirrored
        self._training = training[0] if training else None
        self._teacher = teachers.of(modality)
        if trained is not None:
            self.predicts_features, self.least_cosine = trained.predicts_features, trained.least_cosine

    def encoders(self) -> Mapping[str, Encoder]:
        """Return the parts by name."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Encoder)}

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner of other parts.

        Raises:
            InputError: When the partner is no `CompositeEncoder`, its parts have other names, or two parts do not fit.
        """
        mine = self.encoders()
        if not isinstance(other, CompositeEncoder) or list(other.parts) != list(mine):
            got = ", ".join(other.parts) if isinstance(other, CompositeEncoder) else f"a {type(other).__name__}"
            raise InputError(
                f"encoder, sketch_encoder: must be two CompositeEncoders with the parts {', '.join(mine)}, got {got}"
            )
        for name, partner in other.encoders().items():
            mine[name].check_partner(partner)

    def modality_coordinates(self) -> tuple[tuple[int, int], ...] | None:
        """Return those of all parts, in their places; None where a part has photos that cannot be compared."""
        pairs: list[tuple[int, int]] = []
        first = 0
        for encoder in self.encoders().values():
            own = encoder.modality_coordinates()
            if own is None:
                return None
            pairs += [(first + i, first + j) for i, j in own]
            first += encoder.dim
        return tuple(pairs)

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Return the rates of the part that trains."""
        return [rate for encoder in self.encoders().values() for rate in encoder.relative_rates()]

    def observe(self, images: Tensor, teacher: TeacherOutput | None) -> None:
        """Let each part take its statistics."""
        for encoder in self.encoders().values():
            encoder.observe(images, teacher)

    def adapt(self, queries: Images | None) -> int:
        """Show the queries to each part."""
        return max(encoder.adapt(queries) for encoder in self.encoders().values())

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Put the parts side by side."""
        if not self.mirrored:
            units, posterior = self._units(images, teacher)
        elif teacher is None:  # one pass over both is faster than two, and makes a graph of half the size
            both, posterior = self._units(torch.cat([images, images.flip(-1)]), None)
            units = {name: F.normalize(_folded(unit), dim=1) for name, unit in both.items()}
            posterior = None if posterior is None else posterior[: images.shape[0]]
        else:
            first, posterior = self._units(images, teacher)
            second, _ = self._units(images.flip(-1), None)
            units = {name: F.normalize(unit + second[name], dim=1) for name, unit in first.items()}
        vector = torch.cat([self.weights[name] ** 0.5 * unit for name, unit in units.items()], dim=1)
        return Embedding(vector, posterior=posterior)

    def _units(self, images: Tensor, teacher: TeacherOutput | None) -> tuple[dict[str, Tensor], Tensor | None]:
        """Return unit vectors by part, zeros for one without weight, and the first posterior; the teacher runs once."""
        output: TeacherOutput = self._teacher(images) if teacher is None else teacher
        units: dict[str, Tensor] = {}
        posteriors = []
        for name, encoder in self.encoders().items():
            if self.weights[name]:
                embedding = encoder.embed(images, output)
                units[name] = embedding.unit
                posteriors.append(embedding.posterior)
            else:
                units[name] = images.new_zeros(images.shape[0], encoder.dim)
        return units, next((posterior for posterior in posteriors if posterior is not None), None)

    def embed_trainable(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed by the part that trains.

        Raises:
            InputError: When none trains.
        """
        if self._training is None:
            raise InputError("encoder.parts: must have a part that trains, such as TeacherHeadEncoder")
        return self.encoders()[self._training].embed_trainable(images, teacher)


def _folded(units: Tensor) -> Tensor:
    """Add the second half of the rows to the first, (2B, D) to (B, D)."""
    return units.reshape(2, -1, units.shape[1]).sum(0)


def _shares(parts: Mapping[str, Part]) -> dict[str, float]:
    """Return the weights, scaled to a sum of 1."""
    for name, part in parts.items():
        must_be_in(f"encoder.parts.{name}.weight", part.weight, "[0, inf)")
    total = sum(part.weight for part in parts.values())
    if total == 0:
        raise InputError("encoder.parts: must have a part with a weight above 0, got none")
    return {name: part.weight / total for name, part in parts.items()}
