"""What the tests of `crossx inspect` share: the command, teachers with a card, and folders of sketches."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from crossx.cli import main
from crossx.data.shapes.dataset import ShapesDataset
from crossx.pixels.pen import FINER
from crossx.teachers.teacher import load_teacher

SHIPPED = "crossx:assets/shapes_sketch.safetensors"
SKETCHES = ShapesDataset(size=32, validation=4).images("sketch", "validation")

Inspect = Callable[..., str]


def printed(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """Run the command; returns what it prints."""
    assert main(["inspect", *words]) == status
    streams = capsys.readouterr()
    text = streams.err if status else streams.out
    if not status:
        assert max(map(len, text.splitlines())) <= 80 or "/" in text
    return text


def save_drawings(folder: Path) -> Path:
    """Write class folders of sketches, in full resolution."""
    for i in range(len(SKETCHES)):
        inner = folder / SKETCHES.classes[SKETCHES.labels[i]]
        inner.mkdir(parents=True, exist_ok=True)
        Image.fromarray(SKETCHES.read(i, FINER)[0].numpy()).save(inner / f"{i}.png")
    return folder


def card(folder: Path, **changes: object) -> str:
    """A YAML card of the shipped sketch teacher, with a comment, beside its weights."""
    teacher = load_teacher(SHIPPED)
    torch.save(teacher.network.state_dict(), folder / "weights.pt")
    values = {
        "modality": "sketch",
        "network": "SmallResNet",
        "arguments": teacher.card.arguments,
        "classes": list(teacher.card.classes),
        "input_size": 32,
        "mean": list(teacher.card.mean),
        "std": list(teacher.card.std),
        "weights": "weights.pt",
        **changes,
    }
    (folder / "card.yaml").write_text("# of a stranger\n" + yaml.safe_dump(values, sort_keys=False))
    return "card.yaml"
