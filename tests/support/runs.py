"""Teachers, modules and runs that are small enough for a test."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.encoders import (
    CompositeEncoder,
    EncoderFactory,
    NetworkEncoder,
    PosteriorEncoder,
    StudentEncoder,
    TeacherEncoder,
    TeacherHeadEncoder,
)
from crossx.encoding.encoders.composite import Part
from crossx.encoding.losses import InfoNCELoss, SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.build import build_network
from crossx.networks.small_resnet import SmallResNet
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.reconstruction.generators import UpsamplingGenerator
from crossx.reconstruction.losses import (
    AdversarialLoss,
    BatchNormStatisticsLoss,
    ClassAlignmentLoss,
    InformationEntropyLoss,
    OneHotLoss,
)
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import save_teacher
from crossx.types import Modality

SIZE = 16
SKETCHES = 40
"""Procedural sketches that readers of sketches take their statistics on, in place of the 500 that users have."""
CLASSES = ShapesDataset.classes
MODALITIES: tuple[Modality, Modality] = ("photo", "sketch")

Norm = Literal["batch", "group", "none"]
Kind = Literal["network", "teacher", "head", "composite", "student"]

SGD = partial(torch.optim.SGD, lr=0.01, momentum=0.5)


class Teachers(NamedTuple):
    """Paths of two teacher files."""

    photo: str
    sketch: str


def save_teachers(
    folder: Path, norm: Norm = "batch", classes: Mapping[Modality, Sequence[str]] | None = None
) -> Teachers:
    """Two untrained teachers of the Shapes classes, with running statistics that are not 0 and 1."""
    paths: list[str] = []
    for seed, modality in enumerate(MODALITIES):
        names = tuple(CLASSES if classes is None else classes[modality])
        torch.manual_seed(seed)
        arguments = {"widths": [8, 8], "norm": norm}
        network = build_network("SmallResNet", arguments, len(names))
        for name, tensor in network.state_dict().items():
            if name.endswith("running_mean"):
                tensor.normal_(std=0.3)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif name == "head.weight":
                tensor.normal_()  # far apart, so that predictions differ from image to image
            elif name == "head.bias":
                tensor[:2] += 2  # two likely classes, so that the two teachers agree now and then
        card = TeacherCard(modality, "SmallResNet", names, SIZE, (0.5,) * 3, (0.5,) * 3, arguments, modality)
        paths.append(str(folder / f"{modality}.safetensors"))
        save_teacher(paths[-1], network, card)
    return Teachers(*paths)


@torch.no_grad()
def generator(modality: Modality, norm: Norm = "group") -> UpsamplingGenerator:
    """A generator whose images differ as those of a trained one do, so that teachers agree on some."""
    made = UpsamplingGenerator(modality, SIZE, 8, 8, norm)
    made.get_parameter("start.0.weight").mul_(4)
    made.get_parameter("body.9.weight").mul_(8)
    return made


def reconstruction(
    teachers: Teachers,
    norm: Norm = "group",
    **arguments: Any,  # noqa: ANN401 - any argument of the module
) -> ReconstructionModule:
    """Generators with one term of each kind."""
    torch.manual_seed(0)
    terms = {
        "one_hot": ReconstructionTerm(OneHotLoss()),
        "entropy": ReconstructionTerm(InformationEntropyLoss()),
        "alignment": ReconstructionTerm(ClassAlignmentLoss()),
        "statistics": ReconstructionTerm(BatchNormStatisticsLoss()),
        "adversarial": ReconstructionTerm(AdversarialLoss()),
    }
    return ReconstructionModule(
        *teachers, partial(generator, norm=norm), **{"terms": terms, "optimizer": SGD, **arguments}
    )


def encoder(kind: Kind, norm: Norm = "group") -> EncoderFactory:
    """A factory of encoders whose embedding head, where there is one, gives 4 numbers."""
    network = partial(SmallResNet, widths=(8, 8), norm=norm)
    head = partial(TeacherHeadEncoder, dim=4, hidden=0)
    factories: dict[Kind, EncoderFactory] = {
        "composite": partial(CompositeEncoder, parts={"posterior": Part(PosteriorEncoder), "head": Part(head)}),
        "network": partial(NetworkEncoder, network=network, dim=4),
        "student": partial(StudentEncoder, network=network),
        "teacher": partial(TeacherEncoder, dim=4, hidden=0),
        "head": head,
    }
    return factories[kind]


def encoding(
    teachers: Teachers,
    norm: Norm = "group",
    kind: Kind = "network",
    **arguments: Any,  # noqa: ANN401 - any argument of the module
) -> EncoderModule:
    """Encoders with both contrastive terms."""
    torch.manual_seed(1)
    terms = {"nce": EncodingTerm(InfoNCELoss(0.2, queue_size=0)), "sup_con": EncodingTerm(SupConLoss(0.2))}
    return EncoderModule(*teachers, encoder(kind, norm), **{"terms": terms, "optimizer": SGD, **arguments})


def joint(
    teachers: Teachers,
    norm: Norm = "group",
    kind: Kind = "network",
    schedule: Schedule = Schedule(warmup=2),  # noqa: B008 - frozen
    **arguments: Any,  # noqa: ANN401 - any argument of the module
) -> CoTrainingModule:
    """Both sides with the same norm."""
    return CoTrainingModule(reconstruction(teachers, norm), encoding(teachers, norm, kind), schedule, **arguments)


def data(
    teachers: Teachers | None = None,
    evaluated: bool = False,
    **arguments: Any,  # noqa: ANN401 - any argument of the data module
) -> SyntheticPairsDataModule:
    """Batches of 4 latents, 5 an epoch; evaluated on 20 photos and 20 sketches."""
    dataset = ShapesDataset(size=SIZE, train=2, validation=2, test=2) if evaluated else None
    paths = {} if teachers is None else {"photo_teacher": teachers.photo, "sketch_teacher": teachers.sketch}
    arguments = {"batch_size": 4, "batches_per_epoch": 5, **paths, **arguments}
    return SyntheticPairsDataModule(dataset, **arguments)


def trainer(
    folder: Path,
    max_steps: int = 6,
    callbacks: Sequence[Callback] = (),
    **arguments: Any,  # noqa: ANN401 - any argument of the trainer
) -> pl.Trainer:
    """A quiet trainer on the CPU that writes nothing but what its callbacks write."""
    arguments = {"accelerator": "cpu", "devices": 1, "enable_checkpointing": False, "logger": False, **arguments}
    return pl.Trainer(
        max_steps=max_steps,
        max_epochs=-1,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        default_root_dir=folder,
        **arguments,
    )


def weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy of everything that a module keeps in a checkpoint."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Names of what differs."""
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
