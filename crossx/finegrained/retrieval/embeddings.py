"""Embedded pairs of instances, which all losses of fine-grained retrieval take."""

from dataclasses import dataclass

from torch import Tensor

from crossx.core.distributed import gather


@dataclass
class PhotoEmbeddings:
    """Embeddings of unlabelled photos; F is their number, and B in `InstanceEmbeddings` counts pairs.

    Attributes:
        photo: Unit vectors, (F, D).
        instance: Place of each photo in the list of training photos, (F,) int64.
        view: Unit vectors of another view of each photo, (F, D); None where no loss asked for views.
        teacher: Unit vectors of the same photos by the frozen teacher, (F, D'); None where no loss asked for them.
    """

    photo: Tensor
    instance: Tensor
    view: Tensor | None = None
    teacher: Tensor | None = None


@dataclass
class InstanceEmbeddings:
    """Embedded pairs of a step: labelled pairs, and behind them pseudo pairs of unlabelled photos.

    Attributes:
        photo: Unit vectors of the photos, (B, D).
        sketch: Unit vectors of the sketches, (B, D).
        instance: Which object a pair shows, (B,) int64; pairs of one object are no negatives of each other.
        certainty: How far each pair is trusted, (B,) float in [0, 1], without gradient; 1 for a labelled pair.
        free: The unlabelled photos of the step; None where no loss asked for them.
        teacher_photo: Unit vectors of the same photos by the frozen teacher, (B, D'); None where no loss asked for it.
        teacher_sketch: The same of the sketches, (B, D').
    """

    photo: Tensor
    sketch: Tensor
    instance: Tensor
    certainty: Tensor
    free: PhotoEmbeddings | None = None
    teacher_photo: Tensor | None = None
    teacher_sketch: Tensor | None = None

    def gathered(self) -> "InstanceEmbeddings":
        """Return the pairs and free photos of all processes in rank order; all processes need equal B and F."""
        free = self.free
        return InstanceEmbeddings(
            photo=gather(self.photo),
            sketch=gather(self.sketch),
            instance=gather(self.instance),
            certainty=gather(self.certainty.detach()),
            free=None
            if free is None
            else PhotoEmbeddings(
                gather(free.photo), gather(free.instance), _gathered(free.view), _gathered(free.teacher)
            ),
            teacher_photo=_gathered(self.teacher_photo),
            teacher_sketch=_gathered(self.teacher_sketch),
        )


def _gathered(x: Tensor | None) -> Tensor | None:
    return None if x is None else gather(x)
