"""Steps hand their work to the device and go on: where the host reads a result, a GPU runs dry.

Left out is `TripletLoss`: the miner of pytorch-metric-learning lists the triplets that it finds in the values.
"""

from functools import partial

import pytest
import torch
from lightning.fabric.utilities import move_data_to_device
from support.host_reads import no_host_reads
from support.runs import Teachers, encoding, reconstruction

from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.encoding.losses import (
    InfoNCELoss,
    MIBLoss,
    PosteriorMatchingLoss,
    SiameseLoss,
    SupConLoss,
)
from crossx.encoding.losses.base import EncodingLoss, EncodingTerm
from crossx.pairs.latents import LatentDataset
from crossx.pairs.replay import Replay
from crossx.reconstruction.losses import (
    ActivationLoss,
    AdversarialLoss,
    BatchNormStatisticsLoss,
    ClassAlignmentLoss,
    InformationEntropyLoss,
    OneHotLoss,
    OneSidedAlignmentLoss,
    StatisticsGuidanceLoss,
)
from crossx.reconstruction.losses.base import ReconstructionLoss, ReconstructionTerm
from crossx.types import LatentBatch, Progress

ROUNDS = 3


def latents(dim: int, batch: int, count: int = 8) -> LatentBatch:
    return LatentDataset(0, dim, 1).__getitems__(list(range(batch * count, (batch + 1) * count)))


def test_generators_step(teachers: Teachers) -> None:
    losses: list[ReconstructionLoss] = [
        OneHotLoss(),
        OneHotLoss("agreed"),
        InformationEntropyLoss(),
        ActivationLoss(),
        ClassAlignmentLoss(),
        OneSidedAlignmentLoss(),
        BatchNormStatisticsLoss(),
        AdversarialLoss(),
    ]
    terms = {str(i): ReconstructionTerm(loss) for i, loss in enumerate(losses)}
    terms["guidance"] = ReconstructionTerm(partial(StatisticsGuidanceLoss, layers=2))
    side = reconstruction(teachers, terms=terms)
    joint = CoTrainingModule(side, encoding(teachers), Schedule())
    joint.play("reconstruction", latents(side.latent_dim, 99), Progress(0, 100))  # reads the class lists, once
    for step in range(ROUNDS):
        batch = latents(side.latent_dim, step)
        with no_host_reads():
            output = joint.play("reconstruction", batch, Progress(step, 100))
            output.loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    assert len(output.logs) > len(terms)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in side.generators.parameters())


@pytest.mark.parametrize(
    "loss",
    [
        InfoNCELoss(queue_size=0),
        InfoNCELoss(queue_size=16),
        MIBLoss,
        PosteriorMatchingLoss(),
        SiameseLoss(),
        SupConLoss(sharpness=3),
    ],
    ids=lambda loss: getattr(loss, "__name__", type(loss).__name__),
)
@pytest.mark.parametrize("pair_by_class", [False, True])
def test_encoders_step_with_replay(teachers: Teachers, loss: EncodingLoss, pair_by_class: bool) -> None:
    side = encoding(teachers, terms={"loss": EncodingTerm(loss)}, pair_by_class=pair_by_class)
    joint = CoTrainingModule(reconstruction(teachers), side, Schedule(), partial(Replay, size=20))
    for step in range(ROUNDS):
        batch = latents(joint.latent_dim, step)
        with no_host_reads(on_host=batch.index):
            pairs = joint.pair_source.sample(batch)
            output = joint.play("encoding", pairs, Progress(step, 100))
            output.loss.backward()  # type: ignore[no-untyped-call]  # as above
    assert output.loss.isfinite()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_nothing_waits_for_a_gpu(teachers: Teachers) -> None:
    """Neither copies to the GPU nor kernels, which the tests above cannot see."""
    side = reconstruction(teachers)
    joint = CoTrainingModule(side, encoding(teachers), Schedule(), partial(Replay, size=20)).cuda()
    for step in range(ROUNDS):  # the first round copies tables
        torch.cuda.set_sync_debug_mode("error" if step else "default")
        try:
            batch = move_data_to_device(latents(side.latent_dim, step), torch.device("cuda", 0))
            joint.play("reconstruction", batch, Progress(step, 100)).loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            pairs = joint.pair_source.sample(batch)
            joint.play("encoding", pairs, Progress(step, 100)).loss.backward()  # type: ignore[no-untyped-call]  # as above
        finally:
            torch.cuda.set_sync_debug_mode("default")
