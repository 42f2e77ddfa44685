"""Calibrated scores and retrieval figures of encoders, on the validation images of a data set."""

from typing import NamedTuple

import numpy as np
import torch

from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.redrawn import redrawn
from crossx.evaluation.functional import embedding_scores
from crossx.pixels.pen import Pen
from crossx.search.calibration import Calibration, calibrate
from crossx.search.card import F32
from crossx.search.parity import torch_embed
from crossx.search.stored import StoredEncoders

_TOGETHER = 256


class Measured(NamedTuple):
    """What the validation images tell.

    Attributes:
        calibration: Scores as probabilities.
        metrics: mAP@all, and what it was measured on.
    """

    calibration: Calibration
    metrics: dict[str, float | str]


def measure(encoders: StoredEncoders, data: RetrievalData, pen: Pen | None) -> Measured:
    """Embed the validation images, and compare each sketch with each photo.

    Args:
        encoders: Both encoders.
        data: The data set.
        pen: Pen of the sketch teacher.

    Raises:
        InputError: When the images cannot be read.
    """
    drawn = redrawn(data, pen)
    photos, sketches = (drawn.images(m, "validation") for m in ("photo", "sketch"))
    gallery, queries = (_embed(encoders, images) for images in (photos, sketches))
    scores = embedding_scores(
        torch.from_numpy(queries),
        torch.from_numpy(gallery),
        torch.from_numpy(sketches.labels),
        torch.from_numpy(photos.labels),
    )
    right = sketches.labels[:, None] == photos.labels[None]
    cosines = (queries.astype(np.float64) @ gallery.T.astype(np.float64)).ravel()
    metrics: dict[str, float | str] = {
        "data": data.name,
        "split": "validation",
        "split_hash": data.split_hash,
        "map_all": float(scores.ap_all.mean()),
        "queries": len(sketches),
        "gallery": len(photos),
    }
    return Measured(calibrate(cosines, right.ravel(), data.name, data.split_hash), metrics)


def _embed(encoders: StoredEncoders, images: LabelledImages) -> F32:
    encoder = encoders.of(images.modality)
    parts = []
    for start in range(0, len(images), _TOGETHER):
        stop = min(start + _TOGETHER, len(images))
        parts.append(torch_embed(encoder, np.stack([images.image(i).numpy() for i in range(start, stop)])).vectors)
    return np.concatenate(parts)
