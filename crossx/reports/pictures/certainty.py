"""Certainties of a joint run on held-out pairs: how they are spread, and how far they can be believed."""

from pathlib import Path

import lightning.pytorch as pl
import torch
from PIL import Image, ImageDraw, ImageFont

from crossx.finegrained.certainty.held_out import CertaintyMeasures
from crossx.finegrained.certainty.measures import reliability
from crossx.finegrained.joint.module import SemiSupervisedModule
from crossx.reports.pictures.charts import PHOTO, SKETCH
from crossx.reports.pictures.png import save_png
from crossx.reports.validations import AfterValidation

_BINS = 10
_SIDE, _LEFT, _TOP, _GAP, _BOTTOM = 240, 40, 48, 60, 40
_GREY = (200, 200, 200)


class CertaintyCharts(AfterValidation):
    """Writes `certainty.png` for a joint run of fine-grained retrieval, the last one in place of those before.

    On the left is the share of true sketches and of drawings by certainty. On the right is the share of true sketches
    among all pairs of a certainty: on the diagonal a certainty is what it promises.
    """

    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write the picture, where there are certainties."""
        if not isinstance(module, SemiSupervisedModule) or module.certainty is None:
            return
        save_png(certainty_chart(module.certainty, trainer.global_step), folder / "certainty.png")


def certainty_chart(measures: CertaintyMeasures, step: int) -> Image.Image:
    """Draw histograms and reliability.

    Args:
        measures: Certainties of held-out pairs.
        step: Training step, for the title.
    """
    font = ImageFont.load_default(size=11)
    width = _LEFT + 2 * _SIDE + _GAP + 20
    picture = Image.new("RGB", (width, _TOP + _SIDE + _BOTTOM), "white")
    draw = ImageDraw.Draw(picture)
    values = measures.values
    title = (
        f"step {step}: {len(measures.real)} held-out photos, AUC {values['certainty_auc']:.2f}, mean certainty of "
        f"drawings {values['certainty_mean']:.2f}, rank correlation {values['certainty_spearman']:.2f}"
    )
    draw.text((6, 6), title, fill="black", font=font)
    for i, (name, colour) in enumerate((("true sketches", SKETCH), ("drawings", PHOTO))):
        draw.rectangle((_LEFT + 110 * i, 29, _LEFT + 110 * i + 10, 39), fill=colour)
        draw.text((_LEFT + 110 * i + 14, 27), name, fill="black", font=font)
    right = _LEFT + _SIDE + _GAP
    for left, name in ((_LEFT, "certainty"), (right, "certainty; upwards: share of true sketches")):
        draw.rectangle((left, _TOP, left + _SIDE, _TOP + _SIDE), outline=_GREY)
        for share, anchor in ((0.0, "la"), (1.0, "ra")):
            draw.text((left + share * _SIDE, _TOP + _SIDE + 3), f"{share:.0f}", fill="black", font=font, anchor=anchor)
        draw.text((left + _SIDE / 2, _TOP + _SIDE + 16), name, fill="black", font=font, anchor="ma")
    _histograms(draw, measures)
    draw.line((right, _TOP + _SIDE, right + _SIDE, _TOP), fill=_GREY)
    certainties = torch.cat([measures.real, measures.generated])
    is_real = torch.arange(len(certainties)) < len(measures.real)
    for promised, found, count in reliability(certainties, is_real, _BINS):
        x, y, radius = right + promised * _SIDE, _TOP + (1 - found) * _SIDE, 2 + 8 * (count / len(certainties)) ** 0.5
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=PHOTO)
    return picture


def _histograms(draw: ImageDraw.ImageDraw, measures: CertaintyMeasures) -> None:
    """Two bars a bin, as shares of the longest one."""
    counts = [torch.histc(x, _BINS, 0, 1) / len(x) for x in (measures.real, measures.generated)]
    most = float(torch.stack(counts).max())
    step = _SIDE / _BINS
    for row, colour in ((0, SKETCH), (1, PHOTO)):
        for i, share in enumerate(counts[row].tolist()):
            x, top = _LEFT + i * step + 1 + row * (step - 2) / 2, _TOP + _SIDE * (1 - share / most)
            if share > 0:
                draw.rectangle((x, top, x + (step - 2) / 2 - 1, _TOP + _SIDE), fill=colour)
