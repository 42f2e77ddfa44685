from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from support.commands import RECONSTRUCTION, config, edit, part, run
from support.runs import (
    SGD,
    SIZE,
    Teachers,
    data,
    encoder,
    encoding,
    joint,
    reconstruction,
    save_teachers,
    trainer,
    weights,
)
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.encoders import TeacherEncoder
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule, PairSourceFactory
from crossx.pairs.sources import RealPairs
from crossx.reconstruction.generators import save_generators
from crossx.reconstruction.saved import SavedPairs
from crossx.training.hashes import teacher_hashes
from crossx.training.module import CrossxModule
from crossx.training.rates import Cosine, OneCycle, RateFactory
from crossx.types import Progress, StepOutput


class Draws(Callback):
    """What torch's generator gives at each batch."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        self.numbers.append(float(torch.rand(())))


def saved(teachers: Teachers, folder: Path) -> PairSourceFactory:
    save_generators(folder / "g.safetensors", reconstruction(teachers).generators)
    return partial(SavedPairs, generators=str(folder / "g.safetensors"))


def test_each_batch_has_random_numbers_of_its_own(teachers: Teachers, tmp_path: Path) -> None:
    """A function of the seed and the batch: whatever was drawn before, and wherever the run has started."""

    def draw(seed: int, start: Path | None = None) -> list[float]:
        draws, module = Draws(), reconstruction(teachers)  # seeds torch, and the last seed counts
        pl.seed_everything(seed, verbose=False)
        save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
        quiet = trainer(tmp_path, 6, [draws, save], enable_checkpointing=True, limit_val_batches=0)
        torch.rand(17)
        quiet.fit(module, datamodule=data(teachers), ckpt_path=start)
        return draws.numbers

    first = draw(0)
    assert len(set(first)) == 6
    assert draw(0) == first
    assert draw(0, tmp_path / "step=4.ckpt") == first[4:]
    assert not set(draw(1)) & set(first)


def test_each_process_has_random_numbers_of_its_own(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes must not make one and the same views of their images."""

    def draw(rank: int) -> list[float]:
        monkeypatch.setattr("crossx.training.module.rank", lambda: rank)
        draws = Draws()
        trainer(tmp_path, 3, [draws], limit_val_batches=0).fit(reconstruction(teachers), datamodule=data(teachers))
        return draws.numbers

    first = draw(0)
    assert draw(0) == first
    assert len({*first, *draw(1), *draw(2)}) == 9


@pytest.mark.parametrize("side", ["reconstruction", "encoding"])
def test_alone_a_side_steps_its_schedule_and_clips(teachers: Teachers, tmp_path: Path, side: str) -> None:
    settings: dict[str, Any] = {
        "optimizer": partial(torch.optim.SGD, lr=1.0),
        "scheduler": partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
        "clip_norm": 0.01,
    }
    module: CrossxModule
    if side == "reconstruction":
        module = reconstruction(teachers, **settings)
    else:
        module = encoding(teachers, pairs=saved(teachers, tmp_path), **settings)
    before = weights(module)
    quiet = trainer(tmp_path, 1, limit_val_batches=0)
    quiet.fit(module, datamodule=data(teachers))
    after = weights(module)
    assert sum(float((after[n] - before[n]).square().sum()) for n in before) ** 0.5 == pytest.approx(0.01, rel=0.01)
    assert quiet.optimizers[0].param_groups[0]["lr"] == 0.5


def test_alone_a_side_clips_as_the_trainer_asks(teachers: Teachers, tmp_path: Path) -> None:
    module = reconstruction(teachers, optimizer=partial(torch.optim.SGD, lr=1.0))
    before = weights(module)
    trainer(tmp_path, 1, limit_val_batches=0, gradient_clip_val=0.02).fit(module, datamodule=data(teachers))
    after = weights(module)
    assert sum(float((after[n] - before[n]).square().sum()) for n in before) ** 0.5 == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, float("nan")])
def test_norm_to_clip_by_is_positive(teachers: Teachers, clip_norm: float) -> None:
    with pytest.raises(InputError, match=r"^clip_norm: must be above 0, got "):
        reconstruction(teachers, clip_norm=clip_norm)


def test_optimiser_sees_no_frozen_parameter(teachers: Teachers) -> None:
    module = encoding(teachers, kind="head")
    names = [name for name, p in module.named_parameters() if any(p is q for q in module.parameters_to_train())]
    assert names
    assert all(name.startswith(("photo_encoder.head.", "sketch_encoder.head.")) for name in names)


@pytest.mark.parametrize("callback", [ModelCheckpoint, EarlyStopping])
def test_real_labels_do_not_steer_a_data_free_run(
    teachers: Teachers, tmp_path: Path, callback: type[ModelCheckpoint | EarlyStopping]
) -> None:
    def watched() -> pl.Trainer:
        return trainer(tmp_path, 2, [callback(monitor="val/map_all")], enable_checkpointing=True)

    for module in (joint(teachers), encoding(teachers, pairs=saved(teachers, tmp_path))):
        with pytest.raises(InputError, match=rf"{callback.__name__} monitors 'val/map_all', .* does not steer it"):
            watched().fit(module, datamodule=data(teachers, evaluated=True))
    with_data = encoding(teachers, pairs=RealPairs)
    watched().fit(with_data, datamodule=data(teachers, evaluated=True, batches_per_epoch=1))


def test_synchronised_batch_norm_is_refused_beside_teachers(teachers: Teachers, tmp_path: Path) -> None:
    quiet = trainer(tmp_path, 1, sync_batchnorm=True, limit_val_batches=0)
    with pytest.raises(
        InputError, match=r"trainer\.sync_batchnorm: must be false in a run with teachers: .*; use norm: group"
    ):
        quiet.fit(reconstruction(teachers), datamodule=data(teachers))


class Meddler(EncoderModule):
    """Moves a weight of a teacher."""

    def step(self, pairs: Any, progress: Progress) -> StepOutput:  # noqa: ANN401 - as it comes
        with torch.no_grad():
            self.teachers.photo.network.get_parameter("head.bias").add_(1)
        return super().step(pairs, progress)


def test_teacher_that_has_moved_is_noticed(tmp_path: Path) -> None:
    own = save_teachers(tmp_path)
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    module = Meddler(*own, encoder("network"), terms, pairs=saved(own, tmp_path), optimizer=SGD)
    with pytest.raises(RuntimeError, match="the frozen network 'photo' has changed"):
        trainer(tmp_path, 1, limit_val_batches=0).fit(module, datamodule=data(own))


def test_checkpoint_of_another_model_is_refused(teachers: Teachers, tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, filename="first")
    first = trainer(tmp_path, 1, [save], enable_checkpointing=True)
    first.fit(joint(teachers), datamodule=data(teachers, evaluated=True, batches_per_epoch=1))
    for other in (joint(teachers, kind="teacher"), joint(teachers, norm="batch")):
        with pytest.raises(InputError, match=r"--ckpt_path: the checkpoint holds another model .*such as 'encoding\."):
            trainer(tmp_path, 2).fit(other, datamodule=data(teachers), ckpt_path=tmp_path / "first.ckpt")


def test_hashes_are_by_modality_and_empty_without_teachers(teachers: Teachers) -> None:
    module = joint(teachers)
    assert teacher_hashes(module) == {
        "photo": module.teachers.photo.hash,
        "sketch": module.teachers.sketch.hash,
    }
    assert teacher_hashes(torch.nn.Linear(1, 1)) == {}


def test_predictions_are_embeddings_in_the_order_of_the_images(teachers: Teachers, tmp_path: Path) -> None:
    module = joint(teachers)
    images = data(teachers, evaluated=True, eval_batch_size=7)
    photos, sketches = trainer(tmp_path).predict(module, datamodule=images) or []
    assert all(isinstance(part, Tensor) for part in photos)
    embeddings = torch.cat(photos)
    gallery, _ = images.images("test")
    pixels = torch.stack([gallery[i].image for i in range(len(gallery))])
    assert pixels.shape == (20, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(embeddings, module.eval().encode(pixels, "photo"))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(20))
    assert len(torch.cat(sketches)) == 20


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=9),
            r"must scale the rates of all parts alike .*, got OneCycleLR; use Cosine or OneCycle",
        ),
        (
            torch.optim.lr_scheduler.ReduceLROnPlateau,
            r"must be a schedule over steps, got ReduceLROnPlateau, which waits",
        ),
    ],
)
def test_schedule_that_cannot_do_what_is_asked_is_refused(
    teachers: Teachers, schedule: RateFactory, message: str
) -> None:
    with pytest.raises(InputError, match=rf"^scheduler: {message}"):
        rated(teachers, schedule).optimizer_and_schedule(9)


@pytest.mark.parametrize("schedule", [partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=9), Cosine, OneCycle])
def test_schedule_keeps_the_share_of_a_rate(teachers: Teachers, schedule: RateFactory) -> None:
    built = rated(teachers, schedule).optimizer_and_schedule(9)
    optimizer, scheduler = built["optimizer"], built["lr_scheduler"]["scheduler"]  # type: ignore[index]  # a mapping
    for _ in range(9):
        low, high = sorted(group["lr"] for group in optimizer.param_groups)
        assert low == pytest.approx(high / 2)
        optimizer.step()
        scheduler.step()


def rated(teachers: Teachers, schedule: RateFactory) -> EncoderModule:
    """Networks that learn at half the heads' rate of 0.2."""
    return EncoderModule(
        *teachers,
        partial(TeacherEncoder, dim=4, hidden=0, network_rate=0.5),
        {"sup_con": EncodingTerm(SupConLoss())},
        optimizer=partial(torch.optim.SGD, lr=0.2),
        scheduler=schedule,
    )


def test_optimiser_that_torch_refuses_is_named(teachers: Teachers, tmp_path: Path) -> None:
    content = config(teachers, tmp_path, RECONSTRUCTION)
    edit(content, "model.optimizer", part("torch.optim.Adam", lr=-0.1))
    with pytest.raises(InputError, match=r"^model\.optimizer\.lr: Invalid learning rate: -0\.1$"):
        run("fit", tmp_path / "config.yaml", content)
