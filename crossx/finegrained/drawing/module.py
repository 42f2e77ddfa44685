"""Training of the generator of drawings, and its measurement on unseen photos."""

from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed
from crossx.finegrained.data import FineGrainedDataModule
from crossx.finegrained.drawing.decoder import StrokeDecoder
from crossx.finegrained.drawing.files import load_start, save_generator
from crossx.finegrained.drawing.generator import DrawingGenerator, drawing_noise
from crossx.finegrained.drawing.losses import drawing_loss, kl_divergence, with_floor
from crossx.finegrained.drawing.measures import DrawingMeasures, pictures, stroke_counts, strokes_of
from crossx.finegrained.drawing.photo_encoder import PhotoEncoder2D
from crossx.finegrained.drawing.published import ENDING, SketchRNNWeights
from crossx.finegrained.items import StrokeRows
from crossx.finegrained.sequences import five_batch
from crossx.finegrained.types import Drawing, FineGrainedBatch, FiveBatch, InstanceBatch
from crossx.networks.batch_norm import average_running_statistics
from crossx.networks.preprocessing import sides
from crossx.strokes.five import to_five
from crossx.teachers.teacher import load_teacher
from crossx.training.lightning_state import progress, run_folder
from crossx.training.module import CrossxModule
from crossx.training.rates import RateFactory
from crossx.types import Progress, Split, StepOutput

GENERATOR = "generator.safetensors"
TEMPERATURE = 0.3
"""Temperature of drawings that are looked at, measured or learnt from."""


class PhotoToSketchModule(CrossxModule):
    """Photo to sketch: the sequential generator of "More Photos are All You Need" (CVPR 2021, arXiv 2103.13990).

    It learns from pairs with strokes (`FineGrainedBatch.five`), of which the photos may be pictures of the drawings
    themselves (`DrawnPhotos`). The end of a drawing is learnt: the pen's loss counts the end row. A fit writes the
    last weights to `generator.safetensors` in the run folder.

    Args:
        encoder: Encoder of the photo.
        decoder: Factory of the decoder, which takes `channels` and `latent`.
        latent: Length Z of the latent, at least 1.
        max_points: Points at which a drawing that does not end by itself is cut, in [1, 250].
        start: `generator.safetensors` whose weights and scale it starts with, or a published decoder of sketch-rnn
            (`*.gen.json`) for the decoder alone; None starts at random. Also read where a checkpoint is measured.
        half: Write the file's parameters as float16.
        sketch_teacher: Classifier of sketches that names the drawings at validation, where the data have its classes;
            filled in by the command line from `teachers.sketch`.
        optimizer: See `CrossxModule`.
        scheduler: See `CrossxModule`.
        clip_norm: See `CrossxModule`.

    Raises:
        InputError: When a value is wrong, or the start is no generator of this form.
    """

    def __init__(
        self,
        encoder: PhotoEncoder2D,
        decoder: Callable[[int, int], StrokeDecoder],
        latent: int = 128,
        max_points: int = 120,
        start: str | None = None,
        half: bool = False,
        sketch_teacher: str | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = 1.0,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        self.generator = DrawingGenerator(encoder, decoder, latent, max_points)
        if start is not None and start.endswith(ENDING):
            SketchRNNWeights(start, "start").start(self.generator.decoder)
        elif start is not None:
            load_start(self.generator, start, "start")
        self.half_file = half
        self.teacher = None if sketch_teacher is None else load_teacher(sketch_teacher, "teachers.sketch")
        self.measures = DrawingMeasures()

    def step(self, batch: FineGrainedBatch, progress: Progress) -> StepOutput:
        """Losses of one batch of pairs with strokes: L = L_off + L_pen + w max(KL, 0.2).

        The divergence's weight rises by w = 1 - 0.99 * 0.99995^done, as published for sketch-rnn.

        Raises:
            InputError: When the batch has no strokes, or a drawing too many points for the generator to end it.
        """
        if batch.five is None:
            raise InputError("data.strokes: must be StrokeRows, because a generator learns from strokes, got null")
        if (longest := batch.five.rows.shape[1] - 1) >= self.generator.max_points:  # without its end row
            raise InputError(
                f"model.max_points: must be above the {longest} points of a drawing that is learned from, so that the "
                f"drawing can end, got {self.generator.max_points}; data.strokes.max_points bounds the points"
            )
        taught = self.generator(batch.photo, batch.five)
        offset, pen = drawing_loss(taught.mixture, taught.rows, batch.five.length)
        divergence = kl_divergence(taught.mean, taught.log_var)
        weight = 1 - 0.99 * 0.99995**progress.done
        loss = offset + pen + weight * with_floor(divergence)
        logs = {"draw/loss": loss, "draw/offset": offset, "draw/pen": pen, "draw/kl": divergence}
        return StepOutput(loss, {name: value.detach() for name, value in logs.items()}, ("draw/loss",))

    def draw(
        self,
        photos: Tensor,
        temperature: float = TEMPERATURE,
        generator: torch.Generator | None = None,
        greedy: bool = False,
        max_points: int | None = None,
        noise: Tensor | None = None,
    ) -> Drawing:
        """Draw photos, without gradient; see `DrawingGenerator.draw`."""
        return self.generator.draw(photos, temperature, generator, greedy, max_points, noise)

    def log_prob(self, photos: Tensor, rows: Tensor, length: Tensor, ended: Tensor | None = None) -> Drawing:
        """Log-probability of drawings, with gradient; see `DrawingGenerator.log_prob`."""
        return self.generator.log_prob(photos, rows, length, ended)

    def draw_fixed(self, photos: Tensor, index: Tensor) -> Drawing:
        """Draw photos with random numbers that depend on the run's seed and each photo's place alone."""
        sources = [philox(run_seed(), i, Stream.DRAWINGS) for i in index.tolist()]
        return self.draw(photos, noise=drawing_noise(sources, self.generator.max_points))

    def training_step(self, batch: FineGrainedBatch, batch_idx: int) -> Tensor:
        """Take a step, when this module is the root."""
        output = self.step(batch, progress(self.trainer))
        self.log_output(output)
        return output.loss

    def validation_step(self, batch: InstanceBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Draw photos, and measure the loss of true drawings, in float32."""
        self._measure(batch, "validation")

    def test_step(self, batch: InstanceBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure as in validation."""
        self._measure(batch, "test")

    def _measure(self, batch: InstanceBatch, split: Split) -> None:
        if float(self.generator.scale) == 0:  # before the first step of a run without start
            return
        with torch.autocast(batch.image.device.type, enabled=False):
            if batch.modality == "photo":
                drawing = self.draw_fixed(batch.image, batch.index)
                lengths = torch.stack([drawing.length, stroke_counts(drawing)], 1)
                right = self._named_right(self._pictures(drawing), batch.label)
                self.measures.update(batch.index, lengths, drawing.ended, right)
            else:
                self._measure_real(batch, split)

    def _measure_real(self, batch: InstanceBatch, split: Split) -> None:
        data = self._data
        strokes = [data.dataset.strokes(split, i) for i in batch.index.tolist()]
        drawn = [(data.strokes or StrokeRows()).fit(own) for own in strokes if own is not None]
        if len(drawn) < len(strokes):  # a data set without strokes
            return
        scale = float(self.generator.scale)
        five = five_batch([to_five(own, scale) for own in drawn], scale)
        five = FiveBatch(five.rows.to(batch.image.device), five.length.to(batch.image.device), scale)
        lengths = torch.tensor([[sum(map(len, own)), len(own)] for own in drawn], device=batch.image.device)
        right = self._named_right(batch.image, batch.label)
        self.measures.update(batch.index, lengths, right=right)
        gallery, _ = data.images(split)
        photos = torch.stack([gallery.image(i) for i in batch.instance.tolist()]).to(batch.image.device)
        taught = self.generator(photos.float() / 255, five)
        offset, pen = drawing_loss(taught.mixture, taught.rows, five.length)
        stage = "val" if split == "validation" else "test"
        for name, value in (("offset", offset), ("pen", pen)):
            self.log(f"{stage}/{name}", value, batch_size=len(drawn), add_dataloader_idx=False, sync_dist=True)

    def _pictures(self, drawing: Drawing) -> Tensor:
        """Drawings as sketches of the data set, as large as the teacher's input, or else as the data set's images."""
        data = self._data.dataset
        size = max(sides(self.teacher.card.input_size)) if self.teacher is not None else data.size
        return pictures(strokes_of(drawing, float(self.generator.scale)), size, data.line_width(size))

    def _named_right(self, sketches: Tensor, label: Tensor) -> Tensor | None:
        """Whether the sketch teacher names the class of each sketch, (B,); None without teacher or its classes."""
        names = self._data.dataset.classes
        if self.teacher is None or not set(names) <= set(self.teacher.card.classes):
            return None
        wanted = torch.tensor([self.teacher.card.classes.index(names[i]) for i in label.tolist()], device=label.device)
        named: Tensor = self.teacher(sketches.to(label.device)).logits.argmax(1)
        return named == wanted

    @property
    def _data(self) -> FineGrainedDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set in Trainer's constructor
        if not isinstance(data, FineGrainedDataModule):
            raise InputError(
                f"data: must be a FineGrainedDataModule for PhotoToSketchModule, got {type(data).__name__}"
            )
        return data

    def on_validation_epoch_end(self) -> None:
        """Log `val/<measure>`."""
        self._log_measures("val")

    def on_test_epoch_end(self) -> None:
        """Log `test/<measure>`."""
        self._log_measures("test")

    def _log_measures(self, stage: str) -> None:
        for name, value in self.measures.compute().items():
            self.log(f"{stage}/{name}", value, prog_bar=name == "ended", rank_zero_only=True)  # of all processes
        self.measures.reset()

    def fit_summary(self, logged: dict[str, float]) -> tuple[Split | None, dict[str, float]]:
        """Measures of the last validation."""
        measured = {name.removeprefix("val/"): value for name, value in logged.items() if name.startswith("val/")}
        return ("validation", measured) if measured else super().fit_summary(logged)

    def on_train_end(self) -> None:
        """Make the running statistics of all processes the same, which one of them writes."""
        average_running_statistics(self)

    def on_fit_end(self) -> None:
        """Write the generator into the run folder."""
        super().on_fit_end()
        self.write(run_folder(self.trainer), self.trainer.is_global_zero)

    def write(self, folder: Path | None, writes: bool) -> None:
        """Write `generator.safetensors`, once it has seen a drawing.

        Args:
            folder: The run folder; None in a try-out, which writes nothing.
            writes: Whether this process is the one that writes.
        """
        if folder is not None and writes and float(self.generator.scale):
            path = folder / GENERATOR
            save_generator(path, self.generator, self.half_file)
            print(f"generator: {path.resolve()}", flush=True)  # noqa: T201 - what the user looks for
