"""BatchNorm matching with momentum: values, gradients, small batches, resumption, processes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from support.pixels import SHAPES, Pixels, guided, real_images, save_discriminator, train
from support.runs import MODALITIES, Teachers, data, trainer, weights

from crossx.core.errors import InputError
from crossx.networks.running_statistics import RunningStatistics
from crossx.reconstruction.losses import (
    BatchNormStatisticsLoss,
    Reconstruction,
)
from crossx.reconstruction.losses.batch_norm_statistics import statistics_distance
from crossx.reconstruction.module import ReconstructionModule
from crossx.reconstruction.statistics import batch_norm_channels
from crossx.teachers.pair import TeacherPair

BUFFERS = {f"{modality}.{name}" for modality in MODALITIES for name in ("mean", "var", "batches")}


def attached(teachers: Teachers, momentum: float) -> BatchNormStatisticsLoss:
    loss = BatchNormStatisticsLoss(momentum=momentum)
    loss.attach(TeacherPair(*teachers))
    return loss


# --- the running statistics ---


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_they_are_those_of_all_weighted_images(momentum: float) -> None:
    batches = torch.randn(15, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batches = batches + torch.arange(15)[:, None, None] / 5  # batches whose means differ
    running = RunningStatistics(3, momentum).double()
    share = np.zeros(15)
    for i, batch in enumerate(batches):
        mean, var = running(batch.mean(0), batch.var(0, unbiased=False))
        new = max(1 / (i + 1), 1 - momentum)
        share *= 1 - new
        share[i] = new
    values = batches.numpy()
    expected = sum(w * x.mean(axis=0) for w, x in zip(share, values, strict=True))
    spread = sum(w * ((x - expected) ** 2).mean(axis=0) for w, x in zip(share, values, strict=True))
    np.testing.assert_allclose(mean.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), spread, rtol=1e-6)
    assert torch.equal(running.mean, mean)
    assert torch.equal(running.var, var)
    assert int(running.batches) == 15


def test_gradient_is_that_of_the_present_batch_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.rand(2, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    running = RunningStatistics(3, 0.9).double()
    torch.stack(running(*first)).sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is not None
    first.grad = None
    # The first batch's graph is gone, and is not missed.
    torch.stack(running(*second)).sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is None
    running.eval()
    assert torch.autograd.gradcheck(lambda x: torch.stack(running(*x)), (second,))


def test_in_eval_mode_nothing_is_remembered() -> None:
    running = RunningStatistics(3, 0.9).eval()
    running(torch.ones(3), torch.ones(3))
    assert int(running.batches) == 0
    assert running.mean.tolist() == [0, 0, 0]


def test_half_precision_is_summed_in_float32() -> None:
    running = RunningStatistics(3, 0.9).bfloat16()
    mean, var = running(torch.ones(3), torch.ones(3))
    assert (mean.dtype, var.dtype) == (torch.float32,) * 2


# --- the loss ---


def test_without_momentum_there_is_nothing_to_keep(teachers: Teachers) -> None:
    loss, x = attached(teachers, 0), Pixels(teachers)()
    assert not loss.state_dict()
    expected = torch.stack([statistics_distance(x.teachers[m].statistics) for m in MODALITIES]).mean()
    assert torch.equal(loss(x), expected)
    assert torch.equal(loss(x), expected)


def test_first_batch_counts_in_full_and_later_ones_by_their_share(teachers: Teachers) -> None:
    """Numpy's view: after the same batch often, another one moves a tenth of the way."""
    images, loss = Pixels(teachers), attached(teachers, 0.9)
    first, second = images(slice(0, 4)), images(slice(4, 8))
    assert loss(first).item() == pytest.approx(BatchNormStatisticsLoss()(first).item(), rel=1e-6)
    for _ in range(20):
        loss(first)
    expected = []
    for modality in MODALITIES:
        distances = []
        layers = zip(first.teachers[modality].statistics, second.teachers[modality].statistics, strict=True)
        for old, new in layers:
            a, b, c, d, mean, var = (
                t.detach().double().numpy()
                for t in (old.mean, old.var, new.mean, new.var, new.running_mean, new.running_var)
            )
            joined = 0.9 * b + 0.1 * d + 0.9 * 0.1 * (c - a) ** 2
            distances.append(np.linalg.norm(0.9 * a + 0.1 * c - mean) + np.linalg.norm(joined - var))
        expected.append(np.mean(distances))
    assert loss(second).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_gradient_shrinks_by_the_share_of_a_batch(teachers: Teachers) -> None:
    images, loss = Pixels(teachers), attached(teachers, 0.9)
    (plain,) = torch.autograd.grad(BatchNormStatisticsLoss()(images()), images.pixels)
    for _ in range(20):
        loss(images())
    (gradient,) = torch.autograd.grad(loss(images()), images.pixels)
    torch.testing.assert_close(gradient, plain / 10, rtol=1e-2, atol=1e-6)


@torch.no_grad()
def test_small_batches_of_real_images_fit() -> None:
    """Two images never have the statistics of all; with momentum they need not."""
    pair, images = TeacherPair(*SHAPES), real_images()
    loss, alone = attached(SHAPES, 0.9), BatchNormStatisticsLoss()

    def distance(loss: BatchNormStatisticsLoss, chosen: slice = slice(None)) -> float:
        pairs = pair(*(x[chosen] for x in images), statistics=True)
        return float(loss(Reconstruction(pairs, pair.vocabulary)))

    whole, few = distance(alone), [slice(i, i + 2) for i in range(0, 80, 2)]
    single = np.mean([distance(alone, chosen) for chosen in few])
    together = [distance(loss, chosen) for chosen in few][-1]
    assert single > 1.5 * whole
    assert together - whole < 0.2 * (single - whole)


@pytest.mark.parametrize("batch", [2, 4])
def test_small_batches_learn_the_statistics_of_the_whole(teachers: Teachers, batch: int) -> None:
    """200 steps of random features from random images: what the teachers store is far, and comes nearer."""
    images, alone = Pixels(teachers), BatchNormStatisticsLoss()
    before = alone(images()).item()
    train(images, attached(teachers, 0.9), batch=batch)
    assert alone(images()).item() < 0.8 * before


@pytest.mark.parametrize("momentum", [-0.1, 1.0, float("nan")])
def test_momentum_is_checked(momentum: float) -> None:
    with pytest.raises(InputError, match=rf"^momentum: {momentum} is not legal; from 0 to below 1$"):
        BatchNormStatisticsLoss(momentum=momentum)


def test_teachers_come_before_the_first_use(teachers: Teachers) -> None:
    with pytest.raises(RuntimeError, match=r"attach\(\) comes before"):
        BatchNormStatisticsLoss(momentum=0.9)(Pixels(teachers)())


def test_teacher_without_batch_norm_counts_zero(teachers: Teachers, plain_teachers: Teachers) -> None:
    mixed = teachers._replace(sketch=plain_teachers.sketch)
    pair = TeacherPair(*mixed)
    assert batch_norm_channels(pair.photo) > 0
    assert batch_norm_channels(pair.sketch) == 0
    pairs = Pixels(mixed)().pairs
    value = attached(mixed, 0.9)(Reconstruction(pairs, pair.vocabulary))
    assert value.item() == pytest.approx(statistics_distance(pairs.photo_teacher.statistics).item() / 2)


# --- the checkpoint ---


@pytest.fixture(scope="module")
def discriminator(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_discriminator(tmp_path_factory.mktemp("discriminator") / "modality.safetensors")


def fit(module: ReconstructionModule, teachers: Teachers, folder: Path, ckpt_path: Path | None = None) -> None:
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trainer(folder, 8, [save], enable_checkpointing=True, limit_val_batches=0).fit(
        module, datamodule=data(teachers), ckpt_path=ckpt_path
    )


def test_resumed_run_is_the_straight_run(teachers: Teachers, discriminator: str, tmp_path: Path) -> None:
    """Running statistics are in the checkpoint, and go on from there to the bit."""
    fit(guided(teachers, discriminator), teachers, tmp_path / "straight")
    resumed = guided(teachers, discriminator)
    fit(resumed, teachers, tmp_path / "resumed", tmp_path / "straight/step=3.ckpt")
    expected, found = (
        torch.load(tmp_path / run / "step=8.ckpt", weights_only=True)["state_dict"] for run in ("straight", "resumed")
    )
    assert {f"objective.losses.statistics.running.{name}" for name in BUFFERS} <= expected.keys()
    assert not [name for name in expected if "discriminator" in name]
    assert int(expected["objective.losses.statistics.running.photo.batches"]) == 8
    assert expected.keys() == found.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []


def test_running_statistics_matter_for_the_resumption(teachers: Teachers, discriminator: str, tmp_path: Path) -> None:
    """The test above can fail: without them another run comes out."""
    fit(guided(teachers, discriminator), teachers, tmp_path / "straight")
    checkpoint = torch.load(tmp_path / "straight/step=3.ckpt", weights_only=True)
    for name, tensor in checkpoint["state_dict"].items():
        if ".running." in name:
            tensor.zero_()
    torch.save(checkpoint, tmp_path / "forgetful.ckpt")
    resumed = guided(teachers, discriminator)
    fit(resumed, teachers, tmp_path / "resumed", tmp_path / "forgetful.ckpt")
    expected = torch.load(tmp_path / "straight/step=8.ckpt", weights_only=True)["state_dict"]
    weight = "generators.photo.start.0.weight"
    assert not torch.equal(weights(resumed)[weight], expected[weight])


def test_checkpoint_without_momentum_is_another_model(teachers: Teachers, discriminator: str, tmp_path: Path) -> None:
    fit(guided(teachers, discriminator, momentum=0), teachers, tmp_path)
    with pytest.raises(InputError, match=r"--ckpt_path: the checkpoint holds another model .*running"):
        fit(guided(teachers, discriminator), teachers, tmp_path / "on", tmp_path / "step=3.ckpt")
