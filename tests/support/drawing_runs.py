"""Generators, discriminators and joint runs of fine-grained retrieval that are small enough for a test."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from crossx.core.tensor_files import write_safetensors
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.encoders import NetworkEncoder
from crossx.finegrained.certainty.discriminator import PairDiscriminator
from crossx.finegrained.certainty.networks import TwoTowers
from crossx.finegrained.data import FineGrainedDataModule
from crossx.finegrained.drawing.decoder import StrokeDecoder
from crossx.finegrained.drawing.module import PhotoToSketchModule
from crossx.finegrained.drawing.photo_encoder import PhotoEncoder2D
from crossx.finegrained.items import StrokeRows
from crossx.finegrained.joint.module import SemiSupervisedModule
from crossx.finegrained.joint.schedule import JointSchedule
from crossx.finegrained.refinement.base import RefinementTerm
from crossx.finegrained.refinement.baselines import GreedyBaseline
from crossx.finegrained.refinement.policy import PolicyGradient
from crossx.finegrained.refinement.soft import SoftReward
from crossx.finegrained.retrieval.losses import InstanceNCE, InstanceTerm
from crossx.finegrained.retrieval.module import FineGrainedModule
from crossx.networks.small_resnet import SmallResNet

SIZE, POINTS = 16, 40
Norm = Literal["batch", "group"]


def drawer(norm: Norm = "batch", **arguments: Any) -> PhotoToSketchModule:  # noqa: ANN401 - any argument of the module
    """A generator whose drawings have 41 points at most."""
    torch.manual_seed(0)
    encoder = PhotoEncoder2D(arguments={"widths": [4, 8], "norm": norm}, input_size=SIZE)
    decoder = partial(StrokeDecoder, hidden=12, components=2, attention="output", width=6)
    return PhotoToSketchModule(encoder, decoder, latent=4, max_points=POINTS + 1, **arguments)


def matcher(norm: Norm = "batch", **arguments: Any) -> FineGrainedModule:  # noqa: ANN401 - as above
    """Encoders of 6 numbers that learn by InfoNCE."""
    torch.manual_seed(1)
    encoder = partial(
        NetworkEncoder, network=partial(SmallResNet, widths=[4, 8], norm=norm), input_size=SIZE, dim=6, hidden=0
    )
    return FineGrainedModule(**{"encoder": encoder, "terms": {"nce": InstanceTerm(InstanceNCE())}, **arguments})


def export(model: FineGrainedModule, path: Path) -> str:
    """Write the encoders as a run does, and return the file."""
    tensors = {f"{m}_encoder.{n}": t for m, e in model.encoders.items() for n, t in e.state_dict().items()}
    write_safetensors(path, tensors, {})
    return str(path)


def refinement() -> dict[str, RefinementTerm]:
    """Both ways to refine."""
    return {
        "policy": RefinementTerm(PolicyGradient(baseline=GreedyBaseline())),
        "soft": RefinementTerm(SoftReward(), 0.1, (0, 4)),
    }


def semi_supervised(
    folder: Path,
    norm: Norm = "batch",
    schedule: JointSchedule = JointSchedule(2, 2, 1, 1, 2),  # noqa: B008 - frozen
    **arguments: Any,  # noqa: ANN401 - any argument of the module
) -> SemiSupervisedModule:
    """All players, the teacher being the untrained encoders."""
    encoding = matcher(norm)
    torch.manual_seed(2)
    discriminator = partial(PairDiscriminator, network=partial(TwoTowers, widths=[4, 8]))
    teacher = export(encoding, folder / "encoders.safetensors")
    return SemiSupervisedModule(drawer(norm), discriminator, encoding, teacher, schedule=schedule, **arguments)


def instances(**arguments: Any) -> FineGrainedDataModule:  # noqa: ANN401 - any argument of the data module
    """Batches of 4 labelled pairs and 6 unlabelled photos of 30, with strokes."""
    dataset = ShapesDataset(size=SIZE, train=3, validation=2, test=2, detail="fine")
    usual = {"fraction": 0.5, "batch_size": 4, "free_batch_size": 6, "batches_per_epoch": 5}
    return FineGrainedDataModule(dataset, strokes=StrokeRows(POINTS), **{**usual, **arguments})


def running(module: nn.Module) -> set[str]:
    """Names of running statistics."""
    return {name for name, _ in module.named_buffers() if "running" in name}
