"""What a command line says, all defaults and configs taken together, without training."""

from collections.abc import Sequence
from typing import Any

from crossx.cli.training import CrossxCLI, train
from crossx.data.base import LabelledImages
from crossx.data.labelled import LabelledImagesDataModule
from crossx.errors import InputError


class _Parsed(CrossxCLI):
    """Parses, and does nothing."""

    def instantiate_classes(self) -> None:
        """Nothing: the config is all that is wanted."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing."""


class _Built(CrossxCLI):
    """Parses and builds, and runs nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing."""


def resolved_config(words: Sequence[str]) -> dict[str, Any]:
    """The resolved config of a command line.

    Args:
        words: Command line, starting with the subcommand.

    Raises:
        InputError: For a user's mistake.
    """
    return train(words, _Parsed).resolved_config()


def teacher_data(config: str) -> LabelledImages:
    """The training images of a teacher's config.

    Raises:
        InputError: When the config is not one that trains a teacher, or the images are missing.
    """
    data = train(["fit", "--config", config, "--trainer.logger=false"], _Built).datamodule
    if not isinstance(data, LabelledImagesDataModule) or data.modality == "modality":
        raise InputError(f"--config: {config!r} is not legal; one that trains a photo or sketch teacher")
    return data.dataset.images(data.modality, "train")
