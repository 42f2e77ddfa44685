"""The true sketches of unlabelled photos: the ceiling of every method that has to do without them."""

from torch import Tensor

from crossx.core.errors import InputError
from crossx.finegrained.pseudo.base import PseudoSketches
from crossx.finegrained.types import FineGrainedBatch


class TrueSketches(PseudoSketches):
    """Oracle: the photos that count as unlabelled with their true sketches, for data sets that have them."""

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the true sketches.

        Raises:
            InputError: When the batch has none.
        """
        if batch.free_sketch is None:
            raise InputError(
                "model.pseudo: TrueSketches needs the true sketches of the unlabelled photos, and the data module "
                "serves none"
            )
        return batch.free_sketch
