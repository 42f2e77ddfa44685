"""Curves of fine-grained retrieval: how many sketches find their own photo among the first k."""

from math import log
from pathlib import Path

import lightning.pytorch as pl
from PIL import Image, ImageDraw, ImageFont

from crossx.evaluation.functional import instance_accuracy
from crossx.evaluation.instance_metric import InstanceMetric
from crossx.evaluation.instances import InstanceScores
from crossx.reports.pictures.charts import PHOTO, SKETCH
from crossx.reports.pictures.png import save_png
from crossx.reports.validations import AfterValidation
from crossx.training.retrieval import RetrievalModule

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 520, 320, 44, 50, 40, 16
_GREY = (200, 200, 200)
_ROUND = (1, 2, 5)
"""First digits of the numbers k that curves have a point at, and the axis a mark."""


class RankCurves(AfterValidation):
    """Writes `ranks.png` for a run of fine-grained retrieval, the last one in place of those before.

    Upwards is the share of sketches whose own photo is among the first k, of the whole gallery (blue) and of the photos
    of its class (black). The axis of k is logarithmic.
    """

    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write the picture, where instances were ranked."""
        metric = module.retrieval if isinstance(module, RetrievalModule) else None
        if not isinstance(metric, InstanceMetric) or metric.by_sketch is None:
            return
        save_png(rank_chart(metric.by_sketch, f"step {trainer.global_step}"), folder / "ranks.png")


def rank_chart(scores: InstanceScores, title: str) -> Image.Image:
    """Draw accuracy over the number of first places.

    Args:
        scores: Ranks of the queries.
        title: What is measured.
    """
    photos = int(scores.photos.max())  # of the largest gallery
    font = ImageFont.load_default(size=11)
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((6, 6), f"{title}: sketches whose photo is among the first k of {photos}", fill="black", font=font)
    for i, (name, colour) in enumerate((("of all photos", PHOTO), ("of those of its class", SKETCH))):
        draw.rectangle((_LEFT + 130 * i, 29, _LEFT + 130 * i + 10, 39), fill=colour)
        draw.text((_LEFT + 130 * i + 14, 27), name, fill="black", font=font)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    places = marks(photos)

    def point(k: int, share: float) -> tuple[float, float]:
        along = log(k) / log(photos) if photos > 1 else 0.0
        return _LEFT + along * (right - _LEFT), bottom - share * (bottom - _TOP)

    for share in (0.0, 0.5, 1.0):
        y = point(1, share)[1]
        draw.line((_LEFT, y, right, y), fill=_GREY)
        draw.text((6, y - 7), f"{100 * share:.0f} %", fill="black", font=font)
    for k in places:
        x = point(k, 0.0)[0]
        draw.line((x, bottom, x, bottom + 4), fill="black")
        draw.text((x, bottom + 8), str(k), fill="black", font=font, anchor="ma")
    for ranks, colour in ((scores.class_ranks, SKETCH), (scores.ranks, PHOTO)):
        curve = [point(k, instance_accuracy(ranks, k)) for k in places]
        draw.line(curve, fill=colour, width=2)
        for x, y in curve:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    return picture


def marks(photos: int) -> list[int]:
    """Numbers of first places that curves have a point at: 1, 2, 5, 10, 20, ... and all photos."""
    found = [digit * 10**power for power in range(len(str(photos))) for digit in _ROUND]
    below = [k for k in found if k < photos]
    return [*below, photos]
