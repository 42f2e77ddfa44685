"""The joint run of fine-grained retrieval: generator, discriminator and encoders learn in turn, in one fit."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.distributed import gather, mean_over_processes
from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.core.seeding import Stream, philox, run_seed
from crossx.finegrained.certainty.discriminator import JudgedPairs, PairDiscriminator
from crossx.finegrained.certainty.held_out import CertaintyMeasures, HeldOutPairs, held_out_pairs, judge
from crossx.finegrained.data import FineGrainedDataModule
from crossx.finegrained.drawing.generator import drawing_noise
from crossx.finegrained.drawing.module import PhotoToSketchModule
from crossx.finegrained.joint.bank import CodedDrawings, SketchBank, decode_drawings, encode_drawings
from crossx.finegrained.joint.schedule import JointSchedule, StagedRotation
from crossx.finegrained.joint.source import BankSketches, mirrored
from crossx.finegrained.refinement.base import Refinement, RefinementLoss, RefinementTerm
from crossx.finegrained.rendering import images_of
from crossx.finegrained.retrieval.encoders import load_encoders
from crossx.finegrained.retrieval.frozen import FrozenEncoders
from crossx.finegrained.retrieval.measured import InstanceRetrievalModule
from crossx.finegrained.retrieval.module import FineGrainedModule
from crossx.finegrained.types import FineGrainedBatch
from crossx.networks.batch_norm import eval_mode
from crossx.training.alternating import AlternatingModule
from crossx.training.lightning_state import run_folder
from crossx.training.module import CrossxModule
from crossx.training.objective import WeightedObjective, complete_terms
from crossx.types import Images, Modality, Progress, StepOutput

DiscriminatorFactory = Callable[[FrozenEncoders], PairDiscriminator]
"""Builds a discriminator on a frozen retrieval model, such as the class `PairDiscriminator` or a partial of it."""
JUDGED = "judged_pictures"
"""Key of `JudgedPictures` in a checkpoint."""
_BANK = "sketch_bank"
_SEEDS_A_ROUND = 2**32
"""More than there are photos: each round draws a photo anew."""


class JudgedPictures(NamedTuple):
    """How the pictures look that a discriminator judges.

    Attributes:
        size: Side of photo and sketch in pixels.
        line_width: Width of the lines in pixels; None for that of Quick, Draw! drawings.
    """

    size: int
    line_width: float | None


class SemiSupervisedModule(AlternatingModule, InstanceRetrievalModule):
    """Joint training of "More Photos are All You Need" (CVPR 2021, arXiv 2103.13990).

    The generator learns from labelled pairs and, by the terms of `refinement`, from what the other two say of its
    drawings. The discriminator learns to tell its drawings from true sketches. The encoders learn from labelled pairs
    and from drawings of unlabelled photos, each weighed by the discriminator's certainty. The drawings are kept in a
    `SketchBank`, which is in the checkpoint. A fit writes `encoders.safetensors` and `generator.safetensors`.

    The paper's full text could not be read: phases, schedule, temperatures and refreshes are our choice.

    Args:
        generator: What draws photos.
        discriminator: Factory of what judges the drawings; the frozen retrieval model is filled in.
        encoding: The encoders' side, without `pseudo`: its unlabelled photos come with the bank's drawings.
        teacher: `encoders.safetensors` of a supervised run with the same encoders: the frozen retrieval model that
            rewards drawings, and whose features a discriminator may read. None for `encoding.teacher`.
        refinement: Terms of the generator's objective on its own drawings, by name; None learns from labelled pairs
            alone.
        schedule: Which batch trains which side.
        refresh: Batches after which drawings in the bank are made anew, and the certainties' temperature is fitted to
            pairs of the validation part, at least 1.
        temperature: Of the drawings that discriminator and encoders learn from, in (0, inf).
        weighted: Whether drawings are weighed by certainty; otherwise all are trusted.

    Attributes:
        certainty: Measures of the last validation; None before the first one, and where nothing is weighed.
        judged: The pictures that the discriminator has learned from; None before the first one.

    Raises:
        InputError: When there is no frozen retrieval model, parts do not fit, or a number is out of range.
    """

    def __init__(
        self,
        generator: PhotoToSketchModule,
        discriminator: DiscriminatorFactory,
        encoding: FineGrainedModule,
        teacher: str | None = None,
        refinement: dict[str, RefinementTerm] | None = None,
        schedule: JointSchedule = JointSchedule(),  # noqa: B008 - frozen
        refresh: int = 200,
        temperature: float = 0.3,
        weighted: bool = True,
    ) -> None:
        super().__init__()
        must_be_in("model.temperature", temperature, "(0, inf)")
        if encoding.pseudo is not None:
            raise InputError(
                "model.encoding.pseudo: must be left out of a joint run, whose generator draws, got "
                f"{type(encoding.pseudo).__name__}"
            )
        self.generator = generator
        self.encoding = encoding
        self.teacher = _teacher(encoding, teacher)
        self.discriminator = complete("discriminator", discriminator, PairDiscriminator, teacher=self.teacher)
        self.refinement: WeightedObjective[RefinementLoss] | None = None
        if refinement:
            kind: type[RefinementLoss] = RefinementLoss  # type: ignore[type-abstract]  # compared with, never built
            self.refinement = WeightedObjective(complete_terms(refinement, kind))
        self.schedule = schedule
        self.temperature, self.weighted = temperature, weighted
        self.bank = SketchBank(refresh)
        self.encoding.pseudo = BankSketches(self.bank, weighted)
        self.certainty: CertaintyMeasures | None = None
        self.judged: JudgedPictures | None = None
        self._calibrated = -1
        """Round in which the certainties' temperature was fitted."""

    @property
    def players(self) -> Mapping[str, CrossxModule]:
        """Generator, discriminator and encoders, in the order of their turns."""
        return {"generator": self.generator, "discriminator": self.discriminator, "encoding": self.encoding}

    def rotation(self, total: int | None) -> StagedRotation:
        """Return whose turn each batch is, by the schedule."""
        return self.schedule.rotation()

    def play(self, player: str, batch: FineGrainedBatch, progress: Progress) -> StepOutput:
        """Take a step of the side whose turn it is."""
        if player == "generator":
            return self._refined(self.generator.step(batch, progress), batch, progress)
        if player == "discriminator":
            return self.discriminator.step(self._judged(batch))
        self.fill(batch, progress.done)
        return self.encoding.step(batch, progress)

    def _refined(self, output: StepOutput, batch: FineGrainedBatch, progress: Progress) -> StepOutput:
        """Add the terms of the refinement to the generator's own loss, as far as they have a weight now."""
        if self.refinement is None or not any(self.refinement.active(progress).values()):
            return output
        free = batch.free_photo is not None and batch.free_instance is not None
        inputs = Refinement(
            torch.cat([batch.photo, batch.free_photo]) if free else batch.photo,  # type: ignore[list-item]  # as just asked
            torch.cat([batch.instance, batch.free_instance]) if free else batch.instance,  # type: ignore[list-item]  # likewise
            self.generator.generator,
            self.teacher,
            self.discriminator,
            batch.line_width,
        )
        loss, values = self.refinement(inputs, progress)
        logs = {f"refine/{name}": value for name, value in values.items()}
        return StepOutput(output.loss + loss, {**output.logs, **logs}, output.shown)

    def _judged(self, batch: FineGrainedBatch) -> JudgedPairs:
        """Labelled pairs beside drawings of the same photos as the generator makes them now."""
        generator = self.generator.generator
        self.judged = JudgedPictures(batch.photo.shape[-1], batch.line_width)
        drawing = generator.draw(batch.photo, self.temperature)
        drawn = images_of(drawing.rows, drawing.length, float(generator.scale), batch.photo.shape[-1], batch.line_width)
        return JudgedPairs(batch.photo, batch.sketch, drawn, batch.instance)

    @torch.no_grad()
    def fill(self, batch: FineGrainedBatch, done: int) -> None:
        """Draw the unlabelled photos of a batch that have no drawing of the present round, and weigh the drawings.

        All processes get the drawings of all, so that their banks are equal.

        Args:
            batch: The batch that encoders are about to learn from.
            done: Batches done.
        """
        if batch.free_photo is None or batch.free_instance is None:
            return
        number = self.bank.round_of(done)
        if self.weighted and self._calibrated != number:
            self._calibrate(number)
        due = self.bank.due(batch.free_instance, done).to(batch.free_photo.device)
        points = self.generator.generator.max_points
        packed = batch.free_photo.new_zeros(len(due), 3 * points + 2, dtype=torch.float64)
        if due.any():
            photos = mirrored(batch.free_photo, batch.free_flip)[due]
            packed[due] = self._drawn(photos, batch.free_instance[due], number, batch.line_width).packed(points)
        every, kept, instance = gather(packed), gather(due.double()).bool(), gather(batch.free_instance.double()).long()
        self.bank.put(instance[kept], CodedDrawings.unpacked(every[kept]), done)

    def _drawn(self, photos: Tensor, instances: Tensor, number: int, width: float | None) -> CodedDrawings:
        """Drawings of photos in one round, with their certainties."""
        generator = self.generator.generator
        sources = [philox(run_seed(), number * _SEEDS_A_ROUND + i, Stream.BANK) for i in instances.tolist()]
        drawing = generator.draw(photos, self.temperature, noise=drawing_noise(sources, generator.max_points))
        ones = torch.ones(len(photos), device=photos.device)
        coded = encode_drawings(drawing.rows, drawing.length, ones, float(generator.scale))
        if self.weighted:
            five = decode_drawings(coded, scale=1.0)
            images = images_of(five.rows, five.length, five.scale, photos.shape[-1], width)
            coded.certainty = self.discriminator.certainty(photos, images)
        return coded

    def _calibrate(self, number: int) -> None:
        """Fit the certainties' temperature to half of the validation part; all processes take the mean of theirs."""
        self._calibrated = number
        pairs = self._held_out(0)
        if pairs is not None:
            with eval_mode(self.discriminator):
                logits = [self.discriminator.logits(pairs.photo, x) for x in (pairs.sketch, pairs.drawing)]
            self.discriminator.calibrate(*logits)
            temperature = self.discriminator.temperature
            temperature.copy_(mean_over_processes(temperature))

    def _held_out(self, half: int) -> HeldOutPairs | None:
        """Half of the pairs of the validation part; None without such data, or before anything can be drawn."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        generator = self.generator.generator
        if not isinstance(data, FineGrainedDataModule) or not float(generator.scale):
            return None
        width = data.dataset.line_width(data.dataset.size)
        return held_out_pairs(*data.images("validation"), generator, self.temperature, width, self.device, half)

    def on_fit_end(self) -> None:
        """Write encoders and generator into the run folder."""
        super().on_fit_end()
        self.generator.write(run_folder(self.trainer), self.trainer.is_global_zero)

    def on_validation_epoch_end(self) -> None:
        """Log `val/<metric>` of the retrieval and of the certainties, and the share of drawings that end."""
        super().on_validation_epoch_end()
        pairs = self._held_out(1)
        if pairs is not None:
            self.log("val/ended", pairs.ended.float().mean(), rank_zero_only=True)
        if pairs is not None and self.weighted:
            embeddings = self.encode(pairs.photo, "photo"), self.encode(pairs.drawing, "sketch")
            self.certainty = judge(pairs, self.discriminator, *embeddings)
            for name, value in self.certainty.values.items():
                self.log(f"val/{name}", value, rank_zero_only=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the bank: the weights that drew it are gone by the time of a resume."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[_BANK] = {**self.bank.state_dict(), "calibrated": torch.tensor(self._calibrated)}
        checkpoint[JUDGED] = None if self.judged is None else self.judged._asdict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the bank of the run that goes on."""
        super().on_load_checkpoint(checkpoint)
        state = dict(checkpoint.get(_BANK, {}))
        self._calibrated = int(state.pop("calibrated", -1))
        self.bank.load_state_dict(state)
        judged = checkpoint.get(JUDGED)
        self.judged = None if judged is None else JudgedPictures(**judged)

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """The encoders, by modality."""
        return self.encoding.encoders

    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D) float32."""
        return self.encoding.encode(images, modality)

    def adapt(self, queries: Images | None) -> int:
        """Show the queries to the encoder of sketches."""
        return self.encoding.adapt(queries)


def _teacher(encoding: FineGrainedModule, path: str | None) -> FrozenEncoders:
    """The frozen retrieval model of a joint run."""
    if path is None:
        if encoding.teacher is None:
            raise InputError(
                "model.teacher: must be the encoders.safetensors of a supervised run, because encoding.teacher is null"
            )
        return encoding.teacher
    encoders = {"photo": copy.deepcopy(encoding.photo_encoder), "sketch": copy.deepcopy(encoding.sketch_encoder)}
    load_encoders(encoders, path, "model.teacher")  # type: ignore[arg-type]  # the keys are modalities
    return FrozenEncoders(encoders["photo"], encoders["sketch"])
