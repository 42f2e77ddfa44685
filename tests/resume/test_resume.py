"""A straight run equals a run and its resumption, bit for bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from crossx.base import RetrievalModule
from crossx.data.replay import Replay
from crossx.data.sources import LivePairs, SavedPairs
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.losses.info_nce import InfoNCELoss
from crossx.errors import InputError
from crossx.reconstruction.generators import save_generators
from runs import Teachers, data, encoding, joint, reconstruction, trainer

STEPS, AN_EPOCH = 12, 5


def fit(teachers: Teachers, folder: Path, ckpt_path: Path | None = None, **arguments: Any) -> int:  # noqa: ANN401
    """Train to step 12 with batches of everything that has a state; keep a checkpoint a step; return the step."""
    module = joint(teachers, norm="batch")
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    run = trainer(folder, STEPS, [save], enable_checkpointing=True, **arguments)
    run.fit(module, datamodule=data(teachers, evaluated=True, batches_per_epoch=AN_EPOCH), ckpt_path=ckpt_path)
    return run.global_step


def tensors(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of a checkpoint by their places."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from tensors(part, f"{name}.{key}")
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from tensors(part, f"{name}.{i}")
    else:
        yield name, value


def state(folder: Path, step: int) -> dict[str, object]:
    """Weights, optimisers and schedules after a step."""
    checkpoint = torch.load(folder / f"step={step}.ckpt", weights_only=True)
    assert checkpoint["global_step"] == step
    return dict(tensors({key: checkpoint[key] for key in ("state_dict", "optimizer_states", "lr_schedulers")}))


def same(a: object, b: object) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a == b


@pytest.fixture(scope="module")
def straight(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a run without interruption."""
    folder = tmp_path_factory.mktemp("straight")
    assert fit(teachers, folder) == STEPS
    return folder


@pytest.mark.parametrize("step", [1, 4, AN_EPOCH, 2 * AN_EPOCH, 11])
def test_resumed_run_is_the_straight_run(teachers: Teachers, straight: Path, tmp_path: Path, step: int) -> None:
    assert fit(teachers, tmp_path, ckpt_path=straight / f"step={step}.ckpt") == STEPS
    expected, found = state(straight, STEPS), state(tmp_path, STEPS)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not same(expected[name], found[name])] == []
    assert sum(isinstance(value, Tensor) for value in expected.values()) > 100
