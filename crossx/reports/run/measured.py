"""What a result was measured on: all images of the split or a part of them, and what its means leave out."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import lightning.pytorch as pl

from crossx.data.base import RetrievalData
from crossx.evaluation.functional import RetrievalScores
from crossx.pixels.pen import Pen
from crossx.reports.lookup import data_module, real_images
from crossx.training.lightning_state import measured_batches
from crossx.training.retrieval import RetrievalModule
from crossx.types import MODALITIES, Modality, Split


@dataclass(frozen=True)
class Measured:
    """Images of a measurement.

    Attributes:
        partial: Whether it is of a part of the split, such as under `trainer.limit_val_batches`.
        images: Modality, or `batches` where images are not known, to the number measured and the number there are.
        queries_without_relevant: Number of queries that the means leave out, because no photo is relevant to them.
        gallery_too_small_for: Metrics that look at more places than the gallery has photos.
        size: Side of the images in pixels; None where images are not known.
        pen: Pen with which the sketches were redrawn, as on a card; None for sketches as crossx reads them.
        adapted_to: Number of unlabelled queries whose statistics the encoders had (test-time adaptation); 0 for none.
    """

    partial: bool
    images: dict[str, tuple[int, int]]
    queries_without_relevant: int
    gallery_too_small_for: tuple[str, ...]
    size: int | None = None
    pen: dict[str, Any] | None = None
    adapted_to: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for `results.json`."""
        images = {name: {"measured": done, "there": there} for name, (done, there) in self.images.items()}
        return {**asdict(self), "images": images, "gallery_too_small_for": list(self.gallery_too_small_for)}


def measured(trainer: pl.Trainer, module: pl.LightningModule, split: Split | None) -> Measured | None:
    """Describe the last measurement; None where nothing was measured.

    Args:
        trainer: The run's trainer.
        module: The root module.
        split: The split that was measured.
    """
    if split is None:
        return None
    data = data_module(trainer)
    if not isinstance(module, RetrievalModule) or module.retrieval.by_query is None or data is None:
        batches = measured_batches(trainer, split)
        done, there = sum(b[0] for b in batches), sum(b[1] for b in batches)
        return Measured(done < there, {"batches": (done, there)}, 0, ())
    lists = dict(zip(MODALITIES, data.images(split), strict=True))
    images: dict[str, tuple[int, int]] = {m: (len(module.retrieval.measured[m]), len(lists[m])) for m in MODALITIES}
    partial = any(done < there for done, there in images.values())
    scores = module.retrieval.by_query
    too_deep = _too_deep(scores, images["photo"][0])
    drawn = _drawn(data.dataset, data.pen)
    return Measured(partial, images, scores.without_relevant, too_deep, **drawn, adapted_to=module.adapted_to)


def _drawn(dataset: RetrievalData | None, pen: Pen | None) -> dict[str, Any]:
    """How images look that one split hash names: `size` and `pen`."""
    return {"size": None if dataset is None else dataset.size, "pen": Pen.plain(pen)}


def _too_deep(scores: RetrievalScores, gallery: int) -> tuple[str, ...]:
    depths = {f"{name}_at_{k}": k for name, at in (("prec", scores.prec_at), ("acc", scores.acc_at)) for k in at}
    return tuple(name for name, k in depths.items() if k > gallery)


def measured_hash(trainer: pl.Trainer, module: pl.LightningModule, split: Split | None) -> str | None:
    """Hash of the images that were measured: the data set's `split_hash` for whole splits, another one for a part.

    Args:
        trainer: The run's trainer.
        module: The root module.
        split: The split that was measured; None where none was.
    """
    dataset = real_images(trainer)
    if dataset is None:
        return None
    about = measured(trainer, module, split)
    if about is None or not about.partial or not isinstance(module, RetrievalModule):
        return dataset.split_hash
    indices: dict[Modality, list[int]] = {m: module.retrieval.measured[m].tolist() for m in MODALITIES}
    return hashlib.sha256(f"{dataset.split_hash} {split} {indices}".encode()).hexdigest()


def images_of(trainer: pl.Trainer, module: pl.LightningModule, split: Split | None) -> dict[str, Any]:
    """What the images of two measurements must share to be compared, as plain values for a checkpoint.

    A pen and another size give other images, though the split stays the same, and so do encoders that see all queries
    before they embed one.

    Args:
        trainer: The run's trainer.
        module: The root module.
        split: The split that was measured; None where none was.
    """
    data = data_module(trainer)
    drawn = {} if data is None else _drawn(data.dataset, data.pen)
    if isinstance(module, RetrievalModule) and module.adapted_to:
        drawn["adapted_to"] = module.adapted_to
    return {"split": split, "split_hash": measured_hash(trainer, module, split), **drawn}
