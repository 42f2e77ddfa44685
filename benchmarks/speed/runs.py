"""The runs whose steps are timed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from crossx.cli.training import CrossxCLI, train
from crossx.data.shapes.dataset import ShapesDataset
from crossx.networks.build import build_network
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import save_teacher
from crossx.types import MODALITIES

SKIPPED = 3
"""First steps of each kind that do not count: memory is allocated and kernels are chosen in them."""
QUIET = [
    "--trainer.limit_val_batches=0",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
]
"""Words of a run of which only the training steps are timed."""


@dataclass(frozen=True)
class JointRun:
    """A joint run of `model/head.yaml`.

    Attributes:
        name: Its name in tables.
        batch: B.
        size: Side of the images in pixels.
        network: Network of untrained teachers, whose weights do not matter for the time; None for the teachers of
            `quickstart.yaml`.
        arguments: Arguments of the network.
    """

    name: str
    batch: int
    size: int = 32
    network: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def argv(self) -> Iterator[list[str]]:
        """Words of the command line, as long as the files that they name are there."""
        argv = ["fit", "--config", "quickstart.yaml", f"--data.batch_size={self.batch}"]
        with tempfile.TemporaryDirectory() as folder:
            if self.network is not None:
                argv += untrained(Path(folder), self.network, self.arguments, self.size, ShapesDataset.classes)
            if self.size != 32:
                generator = {
                    "class_path": "DeepUpsamplingGenerator",
                    "init_args": {"size": self.size, "latent_dim": 256, "width": 32},
                }
                argv += [f"--model.reconstruction.init_args.generator={generator}", f"--data.dataset.size={self.size}"]
            yield argv


QUICKSTART = JointRun("quickstart.yaml", 64)
CIFAR = JointRun("networks of cifar_tuberlin.yaml", 128, 32, "SmallResNet", {"widths": [32, 64, 192, 256]})
RESNET34 = JointRun("ResNet-34 at 224 px", 64, 224, "timm:resnet34")
"""For a GPU; a step of it takes minutes on a CPU."""


def untrained(folder: Path, network: str, arguments: dict[str, Any], size: int, classes: tuple[str, ...]) -> list[str]:
    """Write two teachers with random weights, and return the words that name them."""
    words = []
    for seed, modality in enumerate(MODALITIES):
        torch.manual_seed(seed)
        built = build_network(network, arguments, len(classes))
        card = TeacherCard(modality, network, classes, size, (0.5,) * 3, (0.25,) * 3, arguments, modality)
        path = folder / f"{modality}.safetensors"
        save_teacher(path, built, card)
        words.append(f"--teachers.{modality}={path}")
    return words


def fit(argv: list[str], steps: int, accelerator: str = "cpu") -> CrossxCLI:
    """Run a fit without validation, whose files are gone when it has ended."""
    with tempfile.TemporaryDirectory() as folder:  # what a run leaves behind must not land in the current folder
        words = [*argv, *QUIET, f"--trainer.max_steps={steps}", f"--trainer.accelerator={accelerator}"]
        return train([*words, f"--trainer.default_root_dir={folder}"])
