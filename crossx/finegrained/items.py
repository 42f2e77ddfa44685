"""Training batches of fine-grained retrieval as the loader's workers read them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox
from crossx.data.instances import InstanceData, Pair
from crossx.finegrained.order import shuffled
from crossx.finegrained.sequences import five_batch
from crossx.finegrained.types import FiveBatch
from crossx.strokes.five import Rows, fit_points, offset_scale, to_five
from crossx.strokes.sequence import Strokes

_MEASURED = 1000
"""Drawings that the scale of offsets is measured on, at most: ten seconds of a CPU."""


class StrokeRows:
    """How the strokes of labelled sketches become five-element rows.

    Args:
        max_points: Largest number of points of a drawing; longer ones are simplified until they fit.
        tolerance: First tolerance of the simplification, in sides of the unit square.
        scale: Length that counts as 1 in the rows, in sides of the unit square; None for the standard deviation of the
            labelled drawings' offsets.

    Raises:
        InputError: When a value is out of range.
    """

    def __init__(self, max_points: int = 100, tolerance: float = 0.015, scale: float | None = None) -> None:
        must_be_in("StrokeRows.max_points", max_points, "[1, inf)")
        must_be_in("StrokeRows.tolerance", tolerance, "[0, inf)")
        if scale is not None:
            must_be_in("StrokeRows.scale", scale, "(0, inf)")
        self.max_points = max_points
        self.tolerance = tolerance
        self.scale = scale

    def measure(self, data: InstanceData, pairs: list[Pair]) -> float:
        """The scale, as it is given or of the labelled drawings.

        Raises:
            InputError: When the data set has no strokes.
        """
        if self.scale is not None:
            return self.scale
        return offset_scale(self.fit(_strokes(data, pair.sketch)) for pair in pairs[:_MEASURED])

    def fit(self, strokes: Strokes) -> Strokes:
        """Simplify a drawing, without cutting anything off."""
        return fit_points(strokes, self.tolerance, self.max_points)

    def rows(self, data: InstanceData, sketch: int, scale: float) -> Rows:
        """Rows of a training sketch, (L + 1, 5)."""
        return to_five(self.fit(_strokes(data, sketch)), scale)


def _strokes(data: InstanceData, sketch: int) -> Strokes:
    strokes = data.strokes("train", sketch)
    if strokes is None:
        raise InputError(f"data.strokes: must be null, because the sketches of {data.name} are images without strokes")
    return strokes


@dataclass
class ReadItems:
    """One training batch of one process before its views are made; images are uint8.

    Attributes:
        number: Number of the batch, from 0.
        photo: Photos of labelled pairs, (B, 3, H, W).
        sketch: Their sketches, (B, 3, H, W).
        instance: Places of the photos in the list of training photos, (B,) int64.
        flip: Whether photo, sketch and strokes are mirrored, (B,) bool.
        free_photo: Unlabelled photos, (F, 3, H, W), or None.
        free_instance: Their places, (F,) int64, or None.
        free_flip: Whether they and their sketches are mirrored, (F,) bool, or None.
        free_sketch: Their true sketches for the oracle, (F, 3, H, W), or None.
        five: Strokes of the labelled sketches, or None.
    """

    number: int
    photo: Tensor
    sketch: Tensor
    instance: Tensor
    flip: Tensor
    free_photo: Tensor | None = None
    free_instance: Tensor | None = None
    free_flip: Tensor | None = None
    free_sketch: Tensor | None = None
    five: FiveBatch | None = None
    line_width: float | None = None


class TrainingItems(Dataset[ReadItems]):
    """Batch n of an endless stream; its items depend on the seed and their place alone.

    Labelled item i has a photo of the i-th place of shuffled epochs, and one of its sketches at random; free item j is
    drawn in the same way from the unlabelled photos. Batch n of all processes together has the items from n times the
    batch size on, of which each process reads every W-th.

    Args:
        data: The data set.
        fraction: Share of the photos that is labelled.
        batch_size: B of one process.
        free_batch_size: F of one process; 0 for no unlabelled photos.
        oracle: Whether the unlabelled photos come with their true sketches.
        flip: Probability that an item is mirrored.
        strokes: How strokes become rows; None for batches without strokes.
        seed: The run's seed.
        rank: This process.
        replicas: W, the number of processes.

    Raises:
        InputError: When too few pairs are labelled, or unlabelled photos, their sketches or strokes are wanted and
            there are none.
    """

    def __init__(
        self,
        data: InstanceData,
        fraction: float,
        batch_size: int,
        free_batch_size: int = 0,
        oracle: bool = False,
        flip: float = 0.0,
        strokes: StrokeRows | None = None,
        seed: int = 0,
        rank: int = 0,
        replicas: int = 1,
    ) -> None:
        pairs = data.labelled(fraction)
        self.data = data
        self.photos, self.sketches = data.images("photo", "train"), data.images("sketch", "train")
        self.copies = _sketches_of(pairs)
        self.labelled = list(self.copies)
        self.batch_size, self.free_batch_size = batch_size, free_batch_size
        self.oracle, self.flip, self.strokes = oracle, flip, strokes
        self.seed, self.rank, self.replicas = seed, rank, replicas
        self.free = data.unlabelled(fraction) if free_batch_size else []
        if free_batch_size and not self.free:
            raise InputError(
                f"data.free_batch_size: must be 0, because no training photo of {data.name} is unlabelled at fraction "
                f"{fraction}, got {free_batch_size}"
            )
        self.free_copies = _sketches_of(_all_pairs(data)) if oracle else {}
        if oracle and (without := [i for i in self.free if i not in self.free_copies]):
            raise InputError(
                f"data.oracle: must be false, because {len(without)} of {len(self.free)} unlabelled photos of "
                f"{data.name} have no sketch, such as {self.photos.names[without[0]]!r}"
            )
        self.scale = 0.0 if strokes is None else strokes.measure(data, pairs)
        self._rows: dict[int, Rows] = {}  # of each sketch that was read: simplifying takes as long as drawing

    def __getitem__(self, number: int) -> ReadItems:
        """Read one batch; raises `InputError` when an image cannot be read."""
        places = [*range(number * self.batch_size * self.replicas, (number + 1) * self.batch_size * self.replicas)]
        chosen = [self.labelled_item(place) for place in places[self.rank :: self.replicas]]
        batch = ReadItems(
            number,
            photo=torch.stack([self.photos.image(pair.photo) for pair, _ in chosen]),
            sketch=torch.stack([self.sketches.image(pair.sketch) for pair, _ in chosen]),
            instance=torch.tensor([pair.photo for pair, _ in chosen]),
            flip=torch.tensor([flip for _, flip in chosen]),
            line_width=self.data.line_width(self.data.size),
        )
        if self.strokes is not None:
            batch.five = five_batch([self._five(self.strokes, pair.sketch) for pair, _ in chosen], self.scale)
        if self.free:
            self._add_free(batch)
        return batch

    def _add_free(self, batch: ReadItems) -> None:
        size = self.free_batch_size * self.replicas
        places = [*range(batch.number * size, (batch.number + 1) * size)]
        chosen = [self.free_item(place) for place in places[self.rank :: self.replicas]]
        batch.free_photo = torch.stack([self.photos.image(photo) for photo, _, _ in chosen])
        batch.free_instance = torch.tensor([photo for photo, _, _ in chosen])
        batch.free_flip = torch.tensor([flip for _, _, flip in chosen])
        if self.oracle:
            batch.free_sketch = torch.stack([self.sketches.image(s) for _, s, _ in chosen if s is not None])

    def _five(self, strokes: StrokeRows, sketch: int) -> Rows:
        if sketch not in self._rows:
            self._rows[sketch] = strokes.rows(self.data, sketch, self.scale)
        return self._rows[sketch]

    def labelled_item(self, place: int) -> tuple[Pair, bool]:
        """Pair at one place of the labelled stream, and whether it is mirrored."""
        photo = self.labelled[shuffled(self.seed, place, len(self.labelled), Stream.LABELLED_ORDER)]
        draw = philox(self.seed, place, Stream.LABELLED)
        return Pair(photo, _one_of(self.copies[photo], draw)), bool(draw.random() < self.flip)

    def free_item(self, place: int) -> tuple[int, int | None, bool]:
        """Photo at one place of the unlabelled stream, its sketch for the oracle, and whether both are mirrored."""
        photo = self.free[shuffled(self.seed, place, len(self.free), Stream.FREE_ORDER)]
        draw = philox(self.seed, place, Stream.FREE)
        sketch = _one_of(self.free_copies[photo], draw) if self.oracle else None
        return photo, sketch, bool(draw.random() < self.flip)


def _sketches_of(pairs: list[Pair]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pair in pairs:
        found.setdefault(pair.photo, []).append(pair.sketch)
    return found


def _all_pairs(data: InstanceData) -> list[Pair]:
    return [Pair(photo, sketch) for sketch, photo in enumerate(data.own_photos("train").tolist())]


def _one_of(copies: list[int], draw: np.random.Generator) -> int:
    return copies[int(draw.integers(len(copies)))]
