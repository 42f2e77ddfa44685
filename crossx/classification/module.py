"""Training of a teacher: an ordinary classifier, written to a teacher file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from crossx.augmentation import Augmentation, check_same_content
from crossx.classification.accuracy import ImageAccuracy
from crossx.classification.data import LabelledImagesDataModule
from crossx.core.checks import must_be_in, some
from crossx.core.errors import InputError
from crossx.networks.batch_norm import average_running_statistics
from crossx.networks.build import build_network, card_name
from crossx.networks.preprocessing import InputFormat, Preprocessing
from crossx.networks.timm_network import TIMM_PREFIX, timm_format
from crossx.pixels.pen import Pen
from crossx.teachers.card import TeacherCard
from crossx.teachers.files import save_teacher
from crossx.training.lightning_state import is_fast_dev_run, measured_batches
from crossx.training.module import CrossxModule
from crossx.training.rates import RateFactory
from crossx.types import ImageBatch, Split


class ClassifierModule(CrossxModule):
    """Training of a classifier with cross-entropy; the best epoch on validation becomes a teacher file.

    The data come from a `LabelledImagesDataModule`, which has the class names. The file is written at the end of fit,
    and neither by an interrupted fit nor by `fast_dev_run`. Tests measure the best epoch too.

    Args:
        output: Teacher file to write, `.safetensors`.
        input_size: Side of the network's input in pixels, or height and width.
        network: Name of a network of crossx, `timm:<model name>`, or dotted path of a loaded subclass of `Network` in
            another package.
        arguments: Arguments of the network, without the number of classes.
        pretrained: Start from timm's weights; for timm networks only.
        mean: Three numbers that are subtracted from the channels of an image in [0, 1], or one for a network that takes
            one grey channel. None stands for those of the pretrained weights, which then give `std` and the
            interpolation as well; for 0.5 where the network starts at random.
        std: As many numbers, which the channels are divided by afterwards; None as for `mean`.
        augmentation: Random views of the training images.
        label_smoothing: Share of the target that is spread over all classes (arXiv 1512.00567), in [0, 1).
        optimizer: Factory of the optimiser, called with the parameters.
        scheduler: Factory of the learning-rate schedule, which is stepped after every training step.
        clip_norm: Largest norm of the gradient; None disables clipping.
        half: Write the file's parameters as float16.

    Raises:
        InputError: When a value is wrong.
    """

    def __init__(
        self,
        output: str,
        input_size: int | tuple[int, int],
        network: str = "SmallResNet",
        arguments: dict[str, Any] | None = None,
        pretrained: bool = False,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
        augmentation: Augmentation | None = None,
        label_smoothing: float = 0.0,
        optimizer: OptimizerCallable = torch.optim.AdamW,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
        half: bool = False,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        if Path(output).suffix != ".safetensors":
            raise InputError(f"output: must be named *.safetensors, got {output!r}")
        must_be_in("label_smoothing", label_smoothing, "[0, 1)")
        check_same_content(augmentation, "augmentation")
        self.output = output
        self.half_file = half
        self.augmentation = augmentation
        self.label_smoothing = label_smoothing
        self.network_name = network
        self.arguments = dict(arguments or {})
        self.pretrained = pretrained
        usual = _usual_format(network, self.arguments, pretrained and mean is None and std is None)
        self.input_format = InputFormat(input_size, mean or usual.mean, std or usual.std, usual.interpolation)
        self.preprocessing = Preprocessing(*self.input_format)
        self.card: TeacherCard | None = None
        self.best: dict[str, Any] | None = None

    def configure_model(self) -> None:
        """Build the network for the classes of the data.

        Raises:
            InputError: When the data are not from a `LabelledImagesDataModule`, or the network cannot be built.
        """
        if self.card is not None or self._trainer is None:
            return
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set in Trainer's constructor
        if not isinstance(data, LabelledImagesDataModule):
            raise InputError(
                f"data: must be a LabelledImagesDataModule for ClassifierModule, got {type(data).__name__}"
            )
        name, digest = data.dataset.name, data.dataset.split_hash
        self._build(
            TeacherCard(
                modality=data.modality,
                network=card_name(self.network_name),
                classes=data.classes,
                input_size=self.input_format.size,
                mean=self.input_format.mean,
                std=self.input_format.std,
                interpolation=self.input_format.interpolation,
                arguments=self.arguments,
                name=f"{name}-{data.modality}",
                pen=data.pen,
                split=f"{name}: trained on train, chosen on validation; sha256 {digest}",
            ),
            self.pretrained,
        )

    def _build(self, card: TeacherCard, pretrained: bool = False) -> None:
        self.card = card
        # Convolutions are faster in this layout on CPUs and on GPUs with bf16, and their outputs keep it.
        network = build_network(card.network, card.arguments, len(card.classes), pretrained)
        self.network = network.to(memory_format=torch.channels_last)
        self.accuracy = ImageAccuracy()

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits, (B, K), of images in [0, 1], (B, 3, H, W)."""
        logits: Tensor = self.network(self.preprocessing(images))
        return logits

    def training_step(self, batch: ImageBatch) -> Tensor:
        """Compute the cross-entropy of one batch."""
        images = batch.image if self.augmentation is None else self.augmentation(batch.image)
        loss = F.cross_entropy(self(images).float(), batch.label, label_smoothing=self.label_smoothing)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.label))
        return loss

    def validation_step(self, batch: ImageBatch) -> None:
        """Update the accuracy with one batch."""
        self.accuracy.update(self(batch.image), batch.label, batch.index)

    def test_step(self, batch: ImageBatch) -> None:
        """Update the accuracy with one batch."""
        self.validation_step(batch)

    def on_validation_start(self) -> None:
        """Restore the best epoch, except during fit."""
        super().on_validation_start()
        if self.trainer.state.fn != TrainerFn.FITTING:
            self._restore_best()

    def on_test_start(self) -> None:
        """Restore the best epoch."""
        super().on_test_start()
        self._restore_best()

    def on_validation_epoch_end(self) -> None:
        """Log `val/accuracy` and keep the weights of the best epoch."""
        # Before `on_validation_end`, where checkpoints are written, so that they hold the best epoch so far.
        accuracy = self._log_accuracy("val")
        if self.trainer.state.fn != TrainerFn.FITTING or self.trainer.sanity_checking:
            return
        images = self._judging_images()
        if self.best is not None and self.best.get("images") != images:  # of a run that is resumed
            rank_zero_warn(
                "the validation images are not those of the checkpoint (other images, another size, another pen, or "
                "another part): the best epoch is chosen anew"
            )
            self.best = None
        if self.best is None or accuracy > self.best["accuracy"]:
            weights = {name: tensor.cpu().clone() for name, tensor in self.network.state_dict().items()}
            self.best = {"accuracy": accuracy, "epoch": self.current_epoch, "weights": weights, "images": images}

    def _judging_images(self) -> dict[str, Any]:
        """What two validations must share for their accuracies to be compared, as plain values."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set in Trainer's constructor
        if not isinstance(data, LabelledImagesDataModule):
            return {}
        batches = [list(counts) for counts in measured_batches(self.trainer, "validation")]
        return {
            "split_hash": data.dataset.split_hash,
            "size": data.dataset.size,
            "pen": Pen.plain(data.pen),
            "part": batches if any(done < there for done, there in batches) else None,
        }

    def on_test_epoch_end(self) -> None:
        """Log `test/accuracy`."""
        self._log_accuracy("test")

    def _log_accuracy(self, stage: str) -> float:
        accuracy = self.accuracy.compute()
        self.accuracy.reset()
        self.log(f"{stage}/accuracy", accuracy, prog_bar=True, rank_zero_only=True)  # of all processes
        return float(accuracy)

    def _restore_best(self) -> None:
        if self.best is not None:
            self.network.load_state_dict(self.best["weights"])

    def fit_summary(self, logged: dict[str, float]) -> tuple[Split | None, dict[str, float]]:
        """Validation accuracy of the epoch whose weights are written."""
        if self.best is None:
            return super().fit_summary(logged)
        return "validation", {"accuracy": self.best["accuracy"], "best_epoch": float(self.best["epoch"])}

    def on_fit_start(self) -> None:
        """Check before the training that the file can be written.

        Raises:
            InputError: When the file cannot be written.
        """
        super().on_fit_start()
        if is_fast_dev_run(self.trainer):  # writes nothing, not even a folder
            return
        folder = Path(self.output).absolute().parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"output: {self.output!r} cannot be written: {error.filename}: {error.strerror}"
            ) from error
        if not os.access(folder, os.W_OK) or Path(self.output).is_dir():
            raise InputError(f"output: must be a file in a writable folder, got {self.output!r}")

    def on_train_end(self) -> None:
        """Make the networks of all processes the same, which one of them writes."""
        average_running_statistics(self)

    def on_fit_end(self) -> None:
        """Write the best epoch as a teacher file; without validation, the last one."""
        if self.card is None or is_fast_dev_run(self.trainer):
            return
        self._restore_best()
        if self.trainer.is_global_zero:
            # The card is read without the run: a part of the validation images must not pass for all of them.
            whole = self.best is not None and self.best.get("images", {}).get("part", ()) is None
            accuracy = self.best["accuracy"] if self.best is not None and whole else None
            save_teacher(self.output, self.network, replace(self.card, accuracy=accuracy), self.half_file)
            print(f"teacher: {Path(self.output).resolve()}", flush=True)  # noqa: T201 - what the user looks for

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the best epoch and the card, which a resumed run needs."""
        super().on_save_checkpoint(checkpoint)
        if self.card is not None:
            checkpoint["classifier"] = {"card": self.card.to_json(), "best": self.best}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the best epoch; without data, build the network for the checkpoint's classes.

        Raises:
            InputError: When the data have other classes than the checkpoint.
        """
        if "classifier" not in checkpoint:
            raise InputError("--ckpt_path: must be a checkpoint of a ClassifierModule")
        stored = checkpoint["classifier"]
        card = TeacherCard.from_json(stored["card"], "checkpoint")
        if self.card is None:
            self._build(card)
        elif self.card.classes != card.classes:
            raise InputError(
                f"this checkpoint has {len(card.classes)} classes ({some(card.classes)}), the data have "
                f"{len(self.card.classes)} ({some(self.card.classes)})"
            )
        self.best = stored["best"]
        super().on_load_checkpoint(checkpoint)


def _usual_format(network: str, arguments: dict[str, Any], pretrained: bool) -> InputFormat:
    """Input of a classifier where nothing else is named; the size is named always."""
    if pretrained and network.startswith(TIMM_PREFIX):
        return timm_format(network.removeprefix(TIMM_PREFIX), arguments)
    channels = 1 if arguments.get("in_chans") == 1 else 3
    return InputFormat(0, (0.5,) * channels, (0.5,) * channels)
