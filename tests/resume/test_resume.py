"""A straight run equals a run and its resumption, bit for bit."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from support.runs import (
    CLASSES,
    MODALITIES,
    SGD,
    Teachers,
    data,
    encoder,
    encoding,
    joint,
    reconstruction,
    save_teachers,
    trainer,
)
from torch import Tensor

from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.losses.info_nce import InfoNCELoss
from crossx.encoding.module import EncoderModule
from crossx.pairs.replay import Replay
from crossx.reconstruction.generators import save_generators
from crossx.reconstruction.module import ReconstructionModule
from crossx.reconstruction.saved import SavedPairs

STEPS, AN_EPOCH = 12, 5


def fit(teachers: Teachers, folder: Path, ckpt_path: Path | None = None, workers: int = 0) -> int:
    """Train to step 12 with validation, keep a checkpoint a step, and return the step."""
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    run = trainer(folder, STEPS, [save], enable_checkpointing=True)
    images = data(teachers, evaluated=True, batches_per_epoch=AN_EPOCH, workers=workers)
    run.fit(joint(teachers, norm="batch"), datamodule=images, ckpt_path=ckpt_path)
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


def test_global_step_goes_on_where_it_stopped(teachers: Teachers, straight: Path, tmp_path: Path) -> None:
    """`max_steps` counts from the very start, and a run that is at its end trains nothing more."""
    assert fit(teachers, tmp_path, ckpt_path=straight / "step=7.ckpt") == STEPS
    assert sorted(int(path.stem.removeprefix("step=")) for path in tmp_path.glob("*.ckpt")) == [8, 9, 10, 11, 12]
    assert fit(teachers, tmp_path / "end", ckpt_path=straight / f"step={STEPS}.ckpt") == STEPS
    assert not (tmp_path / "end").exists()


def test_resumed_run_with_workers_is_the_straight_run(teachers: Teachers, straight: Path, tmp_path: Path) -> None:
    """Worker processes read ahead; what they have read and nobody has used must come again."""
    assert fit(teachers, tmp_path, straight / "step=7.ckpt", workers=1) == STEPS
    expected, found = state(straight, STEPS), state(tmp_path, STEPS)
    assert [name for name in expected if not same(expected[name], found[name])] == []


@pytest.mark.parametrize("side", ["reconstruction", "encoding"])
@pytest.mark.parametrize("step", [3, 5])
def test_sides_that_train_alone_resume_too(teachers: Teachers, tmp_path: Path, side: str, step: int) -> None:
    def run(folder: Path, ckpt_path: Path | None = None) -> None:
        generators = reconstruction(teachers, norm="batch")
        module: ReconstructionModule | EncoderModule = generators
        if side == "encoding":
            save_generators(tmp_path / "g.safetensors", generators.generators)
            module = encoding(
                teachers, norm="batch", pairs=partial(SavedPairs, generators=str(tmp_path / "g.safetensors"))
            )
        save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
        trainer(folder, 8, [save], enable_checkpointing=True, limit_val_batches=0).fit(
            module, datamodule=data(teachers, batches_per_epoch=AN_EPOCH), ckpt_path=ckpt_path
        )

    run(tmp_path / "straight")
    run(tmp_path / "resumed", tmp_path / f"straight/step={step}.ckpt")
    expected, found = state(tmp_path / "straight", 8), state(tmp_path / "resumed", 8)
    assert [name for name in expected if not same(expected[name], found[name])] == []


def test_pools_and_queues_are_not_in_the_checkpoint(teachers: Teachers, tmp_path: Path) -> None:
    """The documented refill rule: a resumed run starts with an empty pool and empty queues."""
    first = replaying(teachers)
    save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trainer(tmp_path, 6, [save], enable_checkpointing=True).fit(first, datamodule=data(teachers))
    pool = first.pair_source
    assert isinstance(pool, Replay)
    assert len(pool) > 0
    assert not [name for name in first.state_dict() if "queue" in name or "pool" in name or "pairs" in name]
    second = replaying(teachers)
    run = trainer(tmp_path, 7)
    run.fit(second, datamodule=data(teachers), ckpt_path=tmp_path / "step=6.ckpt")
    pool = second.pair_source
    assert isinstance(pool, Replay)
    assert len(pool) == 0  # the only batch after step 6 trained the generators
    assert run.global_step == 7


def replaying(teachers: Teachers) -> CoTrainingModule:
    """A joint run with a pool and queues."""
    queued = {"nce": EncodingTerm(InfoNCELoss(queue_size=8))}
    encoders = EncoderModule(*teachers, encoder("network"), queued, optimizer=SGD)
    return CoTrainingModule(reconstruction(teachers), encoders, replay=partial(Replay, size=40))


def test_checkpoint_of_other_teachers_is_refused(straight: Path, tmp_path: Path) -> None:
    others = save_teachers(tmp_path, classes=dict.fromkeys(MODALITIES, CLASSES[::-1]))
    with pytest.raises(InputError, match=r"teachers\.photo: this checkpoint was trained with the teacher"):
        fit(others, tmp_path, ckpt_path=straight / "step=7.ckpt")
