"""Batches of fine-grained retrieval, and what a generator of drawings returns.

Letters beside those of `crossx.types`: L rows of a drawing, hxw cells of the map that the generator attends to.
"""

from dataclasses import dataclass

from torch import Tensor

from crossx.types import ImageBatch


@dataclass
class InstanceBatch(ImageBatch):
    """Photos or sketches of a validation or test; see `ImageBatch` for the other fields, `label` is the category.

    Attributes:
        instance: Place of the own photo in the list of the split's photos, (B,) int64; for photos their own place.
        gallery: Number of the gallery that the image belongs to, (B,) int64: a sketch is ranked among the photos of its
            gallery.
    """

    instance: Tensor
    gallery: Tensor


@dataclass
class FiveBatch:
    """Drawings as five-element sequences, padded with end rows (`crossx.strokes.five`).

    Attributes:
        rows: (B, L, 5) float32: offset x and y in units of `scale`, then one of draw, lift and end as 1.
        length: Rows before the end row, which is the number of points, (B,) int64; the end row is row `length`.
        scale: Standard deviation of the training drawings' offsets, in sides of the unit square.
    """

    rows: Tensor
    length: Tensor
    scale: float


@dataclass
class FineGrainedBatch:
    """Labelled pairs, and unlabelled photos beside them.

    Attributes:
        photo: Photos of the labelled pairs, (B, 3, H, W) float32 in [0, 1].
        sketch: Their sketches, (B, 3, H, W); dark strokes on white.
        instance: Place of each pair's photo in the list of training photos, (B,) int64: pairs with equal numbers show
            the same instance, so that neither is a negative of the other.
        free_photo: Unlabelled photos, (F, 3, H, W); None where a run has none.
        free_instance: Their places in the list of training photos, (F,) int64.
        free_flip: Whether each is mirrored left to right, (F,) bool; None where none is.
        free_sketch: Their true sketches, which only the oracle sees, (F, 3, H, W); otherwise None.
        five: Strokes of the labelled sketches; None for a data set without strokes.
        line_width: Mean width of the sketches' lines in pixels, in which drawings that stand in for sketches are drawn;
            None where it is not known.
    """

    photo: Tensor
    sketch: Tensor
    instance: Tensor
    free_photo: Tensor | None = None
    free_instance: Tensor | None = None
    free_sketch: Tensor | None = None
    five: FiveBatch | None = None
    free_flip: Tensor | None = None
    line_width: float | None = None


@dataclass
class Drawing:
    """Drawings that a generator has drawn of photos.

    Attributes:
        rows: (B, L, 5) float32 as in `FiveBatch`; rows behind the end are end rows.
        length: Rows before the end row, (B,) int64.
        ended: Whether the generator ended the drawing by itself, (B,) bool; otherwise it was cut at the largest number
            of points.
        log_prob: Log-probability of each drawing with its end row, (B,) float32; rows behind the end count nothing.
        entropy: Mean entropy of the pen's distribution over the rows that count, (B,) in nats.
        attention: Where the generator looked at each row, (B, L, h, w), sums to 1 over h and w; None where not asked.
    """

    rows: Tensor
    length: Tensor
    ended: Tensor
    log_prob: Tensor
    entropy: Tensor
    attention: Tensor | None = None
