"""Edge maps, traced to strokes and redrawn by hand, as pseudo sketches."""

import numpy as np
import torch
from torch import Tensor

from crossx.data.shapes.hand import draw_by_hand
from crossx.finegrained.drawing.measures import pictures
from crossx.finegrained.pseudo.edges import EdgeMaps
from crossx.finegrained.types import FineGrainedBatch
from crossx.strokes.sequence import Strokes
from crossx.strokes.trace import trace

_SHORTEST = 0.1
"""Length of the shortest stroke that is drawn, in sides of the unit square: a hand leaves out specks."""


class TracedEdges(EdgeMaps):
    """Edges of the photo as strokes, drawn anew each time with the imprecision of a hand; nothing is trained.

    Each photo is traced once, and where it is mirrored, its strokes are.

    Args:
        blur: See `EdgeMaps`.
        contrast: See `EdgeMaps`.

    Raises:
        InputError: As for `EdgeMaps`.
    """

    def __init__(self, blur: float = 1.0, contrast: float = 0.05) -> None:
        super().__init__(blur, contrast)
        self._traces: dict[int, Strokes] = {}  # by place of the photo; a resumed run makes the same ones again

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the redrawn edges, three equal channels.

        Raises:
            InputError: When scikit-image is not installed.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (1,))))  # torch is seeded for this batch
        flips = torch.zeros(len(photos), dtype=torch.bool) if batch.free_flip is None else batch.free_flip.cpu()
        traces = self._traced(photos, batch, flips)
        drawings = [_by_hand(t, bool(flip), rng) for t, flip in zip(traces, flips, strict=True)]
        return pictures(drawings, photos.shape[-1], batch.line_width).to(photos)

    def _traced(self, photos: Tensor, batch: FineGrainedBatch, flips: Tensor) -> list[Strokes]:
        """Strokes of the photos as the data set has them."""
        if batch.free_instance is None:
            return [self._trace(photo, flip, batch) for photo, flip in zip(photos, flips, strict=True)]
        places = batch.free_instance.tolist()
        for place, photo, flip in zip(places, photos, flips, strict=True):
            if place not in self._traces:
                self._traces[place] = self._trace(photo, flip, batch)
        return [self._traces[place] for place in places]

    def _trace(self, photo: Tensor, flip: Tensor, batch: FineGrainedBatch) -> Strokes:
        photo = photo.flip(2) if flip else photo
        edges = super().draw(photo[None], batch)[0, 0]
        strokes = trace((255 * edges).round().byte().cpu().numpy())
        return [s for s in strokes if np.hypot(*np.diff(s, axis=0).T).sum() >= _SHORTEST]


def _by_hand(strokes: Strokes, flip: bool, rng: np.random.Generator) -> Strokes:
    curves = [stroke * [-1, 1] + [1, 0] if flip else stroke.astype(np.float64) for stroke in strokes]
    return [curve.astype(np.float32) for curve in draw_by_hand(curves, rng)]
