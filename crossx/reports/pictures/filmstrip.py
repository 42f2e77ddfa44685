"""Images of fixed latents over the steps of a run, beside the retrieval metric."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from PIL import Image
from torch import Tensor

from crossx.core.batches import take
from crossx.core.checks import must_be_in
from crossx.reports.lookup import batch_size, sampler, seeks_agreement
from crossx.reports.pictures.charts import curve_chart
from crossx.reports.pictures.png import save_png
from crossx.reports.pictures.sheets import AGREE, DISAGREE, NEUTRAL, RIGHT, WRONG, Sheet, to_picture
from crossx.reports.run.measured import images_of
from crossx.reports.validations import AfterValidation
from crossx.teachers.vocabulary import Vocabulary
from crossx.training.guided import TeacherGuided
from crossx.types import PairBatch

_SIDE = 56
_LINES = 2
_CURVE = 360
_METRIC = "val/map_all"


class Filmstrip(AfterValidation):
    """Writes `filmstrip.png`: photo over sketch of fixed latents, a column a time, beside the curve of `val/map_all`.

    Below each image stands the class that its teacher predicts. Where the objective wants pairs that agree, `=` and a
    green frame mark pairs for which both teachers predict one class, and `x` and a red frame the others. The strip is
    kept in checkpoints, so that a resumed run goes on with it. Only modules with generators have one.

    Args:
        latents: Number of latents shown, at least 1.
        columns: Largest number of times shown, at least 2. When a strip is full, every other time is dropped, and from
            then on every other time is kept; the first and the newest time are always shown.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, latents: int = 4, columns: int = 12) -> None:
        super().__init__()
        must_be_in("filmstrip.latents", latents, "[1, inf)")
        must_be_in("filmstrip.columns", columns, "[2, inf)")
        self.latents = latents
        self.columns = columns
        self.forget()

    def forget(self) -> None:
        """Begin with an empty strip."""
        self._times = 0
        self._every = 1
        self._frames: list[dict[str, Any]] = []
        self._curve: list[tuple[int, float]] = []
        self._images: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """The strip so far, as plain values and uint8 images."""
        strip = {"times": self._times, "every": self._every, "frames": self._frames}
        return {**strip, "curve": self._curve, "images": self._images}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the strip of the run that is resumed, unless it shows another number of latents."""
        if any(len(frame["photo_classes"]) != self.latents for frame in state_dict["frames"]):
            return
        self._times, self._every = state_dict["times"], state_dict["every"]
        self._frames, self._curve = list(state_dict["frames"]), [(s, v) for s, v in state_dict["curve"]]
        self._images = state_dict.get("images", {})

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the fit; the curve starts with the value of a full sanity check."""
        if trainer.sanity_checking and trainer.num_sanity_val_steps == float("inf") and trainer.global_step == 0:
            self._show(trainer, pl_module)
        super().on_validation_end(trainer, pl_module)

    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Add a time, and write the picture anew."""
        generators = sampler(module)
        if generators is None or not isinstance(module, TeacherGuided):
            return
        step, measured = trainer.global_step, trainer.callback_metrics.get(_METRIC)
        if measured is not None:
            images = images_of(trainer, module, "validation")
            if images != self._images:  # the curve of other images, of a run that is resumed
                self._images, self._curve = images, []
            self._curve = [*(point for point in self._curve if point[0] != step), (step, float(measured))]
        pairs = self.fixed.at(step, generators, max(batch_size(trainer), self.latents))
        self._add(self._frame(take(pairs, slice(self.latents)), module.teachers.vocabulary, step))
        save_png(self._draw(seeks_agreement(module)), folder / "filmstrip.png")

    def _frame(self, pairs: PairBatch, vocabulary: Vocabulary, step: int) -> dict[str, Any]:
        photo = vocabulary.union_posterior(pairs.photo_teacher.logits, "photo").argmax(1).tolist()
        sketch = vocabulary.union_posterior(pairs.sketch_teacher.logits, "sketch").argmax(1).tolist()
        return {
            "step": step,
            "photo": _small(pairs.photo),
            "sketch": _small(pairs.sketch),
            "photo_classes": [vocabulary.union[c] for c in photo],
            "sketch_classes": [vocabulary.union[c] for c in sketch],
        }

    def _add(self, frame: dict[str, Any]) -> None:
        if self._frames and self._frames[-1]["step"] == frame["step"]:
            self._frames[-1] = frame
            return
        # The newest frame is provisional unless its turn has come: it gives its place to the next one.
        if self._frames and (self._times - 1) % self._every:
            self._frames.pop()
        self._frames.append(frame)
        self._times += 1
        if len(self._frames) > self.columns:
            newest = self._frames[-1]
            self._every *= 2
            self._frames = self._frames[::2]
            if self._frames[-1] is not newest:
                self._frames.append(newest)

    def _draw(self, marked: bool) -> Image.Image:
        """Draw strip and curve, with marks for pairs that agree and pairs that do not, or without any."""
        sheet = Sheet(2 * self.latents, len(self._frames), _SIDE, lines=_LINES, title="")
        for column, frame in enumerate(self._frames):
            sheet.draw.text((6 + column * sheet.cell[0], 8), str(frame["step"]), fill="black", font=sheet.font)
            for latent in range(self.latents):
                names = [frame[f"{side}_classes"][latent] for side in ("photo", "sketch")]
                colour, sign = (RIGHT, f"{AGREE} ") if names[0] == names[1] else (WRONG, f"{DISAGREE} ")
                if not marked:
                    colour, sign = NEUTRAL, ""
                for row, side in enumerate(("photo", "sketch")):
                    image = frame[side][latent].float() / 255
                    text = sheet.caption(f"{sign}{names[row]}", lines=_LINES)
                    sheet.place(2 * latent + row, column, image, colour, text)
        strip = sheet.picture
        value = f" {self._curve[-1][1]:.3f}" if self._curve else ", not measured"
        title = f"{_METRIC}{value}, step {self._frames[-1]['step']} (left: photo over sketch)"
        chart = curve_chart(self._curve, _CURVE, min(strip.height, 300), title)
        picture = Image.new("RGB", (strip.width + _CURVE, strip.height), "white")
        picture.paste(strip, (0, 0))
        picture.paste(chart, (strip.width, 0))
        return picture


def _small(images: Tensor) -> Tensor:
    """Images in [0, 1], (B, 3, S, S), in the size that they are shown in, (B, 3, s, s) uint8 on the CPU."""
    pictures = [torch.frombuffer(bytearray(to_picture(image, _SIDE).tobytes()), dtype=torch.uint8) for image in images]
    return torch.stack(pictures).view(len(images), _SIDE, _SIDE, 3).permute(0, 3, 1, 2).contiguous()
