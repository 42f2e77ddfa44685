"""Drawings of a generator beside photos and true sketches, and their lengths beside those of real ones."""

from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.finegrained.certainty.discriminator import PairDiscriminator
from crossx.finegrained.data import FineGrainedDataModule
from crossx.finegrained.drawing.measures import pictures, strokes_of, wasserstein
from crossx.finegrained.drawing.module import PhotoToSketchModule
from crossx.finegrained.joint.module import SemiSupervisedModule
from crossx.reports.pictures.charts import PHOTO, SKETCH
from crossx.reports.pictures.png import save_png
from crossx.reports.pictures.sheets import NEUTRAL, RIGHT, WRONG, Sheet
from crossx.reports.validations import AfterValidation
from crossx.strokes.sequence import Strokes

_SHARES = (0.25, 0.5, 0.75, 1.0)
_SIDE = 96


class DrawingSheets(AfterValidation):
    """Writes `drawings.png` and `lengths.png` at each validation of a generator of drawings.

    `drawings.png`: photo, true sketch, the drawing at a quarter, a half, three quarters and the end of its points, and
    where the generator looked in its last stroke. Below the last stand the points, and whether it ended by itself
    (green) or was cut (red). `lengths.png`: points and strokes of the drawings of all validation photos beside the real
    ones, with their Wasserstein-1 distance. `PhotoToSketchModule` has both; a joint run has `drawings.png`, with the
    certainty of each drawing.

    Args:
        photos: Photos shown, chosen evenly from the validation split before the training, at least 1.

    Raises:
        InputError: When `photos` is below 1.
    """

    def __init__(self, photos: int = 8) -> None:
        super().__init__()
        must_be_in("drawings.photos", photos, "[1, inf)")
        self.photos = photos

    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write both pictures, once the generator has seen a drawing."""
        data = trainer.datamodule  # type: ignore[attr-defined]  # set in Trainer's constructor
        drawer = module.generator if isinstance(module, SemiSupervisedModule) else module
        if not isinstance(drawer, PhotoToSketchModule) or not isinstance(data, FineGrainedDataModule):
            return
        if float(drawer.generator.scale) == 0:
            return
        judge = module.discriminator if isinstance(module, SemiSupervisedModule) and module.weighted else None
        self._sheet(drawer, judge, data, f"step {trainer.global_step}").save(folder / "drawings.png")
        generated, real = drawer.measures.generated, drawer.measures.real
        if len(generated):
            save_png(length_chart(generated, real), folder / "lengths.png")

    def _sheet(
        self, module: PhotoToSketchModule, judge: PairDiscriminator | None, data: FineGrainedDataModule, title: str
    ) -> Sheet:
        gallery, queries = data.images("validation")
        index = torch.linspace(0, len(gallery) - 1, min(self.photos, len(gallery))).long()
        photos = torch.stack([gallery.image(i) for i in index.tolist()]).float() / 255
        drawing = module.draw_fixed(photos.to(module.device), index)
        strokes = strokes_of(drawing, float(module.generator.scale))
        trusted = [""] * len(index)
        if judge is not None:
            size = data.dataset.size
            drawn = pictures(strokes, size, data.dataset.line_width(size)).to(module.device)
            trusted = [f", certainty {c:.2f}" for c in judge.certainty(photos.to(module.device), drawn).tolist()]
        sheet = Sheet(len(index), 3 + len(_SHARES), _SIDE, 1, f"{title}: photo, sketch, drawing in quarters, attention")
        own = {int(photo): place for place, photo in reversed(list(enumerate(queries.own.tolist())))}
        for row, i in enumerate(index.tolist()):
            sheet.place(row, 0, photos[row], NEUTRAL)
            if i in own:
                sheet.place(row, 1, queries.image(own[i]).float() / 255, NEUTRAL, ["true sketch"])
            points, ended = int(drawing.length[row]), bool(drawing.ended[row])
            for column, share in enumerate(_SHARES, 2):
                part = pictures([first_points(strokes[row], share)], _SIDE)[0]
                sheet.place(row, column, part, NEUTRAL, [f"{100 * share:.0f} %"])
            if drawing.attention is not None and strokes[row]:
                last = drawing.attention[row, points - len(strokes[row][-1]) : points].mean(0).cpu()
                text = [f"{points} points, {'ended' if ended else 'cut'}{trusted[row]}"]
                sheet.place(row, 2 + len(_SHARES), heat(photos[row], last), RIGHT if ended else WRONG, text)
        return sheet


def first_points(strokes: Strokes, share: float) -> Strokes:
    """The first points of a drawing, at least one."""
    left = max(1, round(share * sum(map(len, strokes))))
    found: Strokes = []
    for stroke in strokes:
        if left > 0:
            found.append(stroke[:left])
        left -= len(stroke)
    return found


def heat(photo: Tensor, attention: Tensor) -> Tensor:
    """A photo, (3, S, S) in [0, 1], dark where the attention, (h, w), is small."""
    size = photo.shape[-1]
    light = torch.nn.functional.interpolate((attention / attention.max())[None, None], (size, size), mode="bilinear")
    return photo * (0.25 + 0.75 * light[0])


def length_chart(generated: Tensor, real: Tensor) -> Image.Image:
    """Histograms of points and strokes.

    Args:
        generated: Points and strokes of drawings, (N, 2).
        real: The same of real ones, (M, 2); M may be 0.
    """
    font = ImageFont.load_default(size=11)
    picture = Image.new("RGB", (640, 420), "white")
    draw = ImageDraw.Draw(picture)
    for column, name in enumerate(("points", "strokes")):
        top = 10 + 205 * column
        drawn, true = generated[:, column], real[:, column]
        most = int(torch.cat([drawn, true]).max()) + 1
        edges = np.linspace(0, most, 33)
        distance = f", Wasserstein-1 {float(wasserstein(drawn, true)):.2f}" if len(true) else ""
        mean = f"mean {float(drawn.float().mean()):.1f}" + (
            f", real {float(true.float().mean()):.1f}" if len(true) else ""
        )
        draw.text((10, top), f"{name}: {mean}{distance}; blue: generated, black: real; 0 to {most}", "black", font=font)
        for values, colour, shift in ((drawn, PHOTO, 0), (true, SKETCH, 8)):
            counts = np.histogram(values.numpy(), edges)[0] / max(len(values), 1)
            for i, share in enumerate(counts):
                x = 12 + 19 * i + shift
                draw.rectangle((x, top + 190 - round(320 * min(share, 0.5)), x + 7, top + 190), fill=colour)
    return picture
