"""What a command line says, all defaults and configs taken together, without training."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from crossx.classification.data import LabelledImagesDataModule
from crossx.cli.training import CrossxCLI, train
from crossx.core.errors import InputError
from crossx.data.base import LabelledImages
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.types import Split

ONE_AT_A_TIME = threading.RLock()
"""Reading a config changes the working directory and the level of the logs, of which a process has one each."""


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Lightning tells of a run that is not going to be made."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _read(words: Sequence[str], command: type[CrossxCLI]) -> CrossxCLI:
    with ONE_AT_A_TIME, _quiet():
        return train(words, command)


def resolved_config(words: Sequence[str]) -> dict[str, Any]:
    """The resolved config of a command line.

    Args:
        words: Command line, starting with the subcommand.

    Raises:
        InputError: For a user's mistake.
    """
    return _read(words, _Parsed).resolved_config()


def teacher_data(words: Sequence[str]) -> LabelledImages:
    """The training images of a teacher.

    Args:
        words: What its command line says behind the subcommand.

    Raises:
        InputError: When the config is not one that trains a teacher, or the images are missing.
    """
    data = _read(["fit", *words, "--trainer.logger=false"], _Built).datamodule
    if not isinstance(data, LabelledImagesDataModule) or data.modality == "modality":
        raise InputError(f"{' '.join(words)}: is not legal; a config that trains a photo or sketch teacher")
    return data.dataset.images(data.modality, "train")


def evaluation_images(words: Sequence[str], split: Split) -> tuple[LabelledImages, LabelledImages]:
    """Gallery and queries that a command line measures on.

    Args:
        words: What it says behind the subcommand.
        split: Which part.

    Raises:
        InputError: When the images are missing.
    """
    data = _read(["validate", *words, "--trainer.logger=false"], _Built).datamodule
    if not isinstance(data, SyntheticPairsDataModule):
        raise InputError(f"{' '.join(words)}: is not legal; a config that measures retrieval")
    return data.images(split)
