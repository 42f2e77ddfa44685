"""Metric-agnostic adversarial estimation: every loss of the encoders against every critic, unchanged."""

import csv
import math
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from support.commands import edit, joint_config, part, run
from support.runs import SIZE, Teachers, changed, trainer, weights
from torch import Tensor

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.core.specs import loaded_subclasses
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.encoding.critics import DistanceCritic, LastLayerCritic, PairCritic
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.encoding.losses import EncodingLoss
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import make_pairs
from crossx.reconstruction.losses import AdversarialLoss, Reconstruction
from crossx.types import LatentBatch

T = TypeVar("T")

TRAINED = Teachers("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
"""Teachers that find many classes in the images of young generators, and the same ones in some pairs."""


def of_crossx(base: type[T]) -> list[type[T]]:
    """The classes that crossx itself brings, whatever other tests have defined."""
    return sorted((c for c in loaded_subclasses(base) if c.__module__.startswith("crossx.")), key=lambda c: c.__name__)


LOSSES = of_crossx(EncodingLoss)  # type: ignore[type-abstract]  # only its subclasses are made
CRITICS = of_crossx(PairCritic)  # type: ignore[type-abstract]  # as above
OTHERS = [c for c in CRITICS if c is not DistanceCritic]


class Watch(Callback):
    """Writes down what a generator step changes on the encoders' side."""

    def __init__(self) -> None:
        self.moved: list[set[str]] = []
        self._before: dict[str, Tensor] = {}

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        self._before = weights(pl_module.get_submodule("encoding"))

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        if isinstance(batch, LatentBatch):
            self.moved.append(changed(self._before, weights(pl_module.get_submodule("encoding"))))


def adversarial_gradients(module: CoTrainingModule) -> list[float]:
    """Norm of the adversarial term's gradient, for the photo and for the sketch generator."""
    stream = LatentDataset(0, module.latent_dim, 1)
    generators = module.reconstruction.generators
    # As many as it takes that the teachers agree on some.
    pairs = make_pairs(generators, module.teachers, stack([stream[i] for i in range(256)]), False)
    reconstruction = Reconstruction(pairs, module.teachers.vocabulary, module._critic(pairs))
    loss = AdversarialLoss()(reconstruction)
    norms = []
    for generator in (generators.photo, generators.sketch):
        gradients = torch.autograd.grad(loss, list(generator.parameters()), retain_graph=True)
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in gradients)))
    return norms


def test_both_kinds_are_found() -> None:
    assert {"InfoNCELoss", "SupConLoss"} <= {loss.__name__ for loss in LOSSES}
    assert {DistanceCritic, LastLayerCritic} <= set(CRITICS)


def check(module: CoTrainingModule, watch: Watch, folder: Path) -> None:
    """What holds after a run: finite losses, encoders that generators left alone, an adversary that both feel."""
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("recon/adversarial", "encode/metric", "encode/loss"):
        values = [float(row[name]) for row in rows if row[name]]
        assert values
        assert all(math.isfinite(value) for value in values)
        assert name != "recon/adversarial" or all(-1 <= value <= 0 for value in values)
    assert watch.moved
    assert not set.union(*watch.moved)
    assert all(0 < norm < math.inf for norm in adversarial_gradients(module))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_any_loss_has_any_adversary(tmp_path: Path, loss: type[EncodingLoss]) -> None:
    """One run through the command line; then the same model goes on against each other critic."""
    content = joint_config(TRAINED, tmp_path)
    if loss.needs_features:
        network = part("SmallResNet", num_classes=0, widths=[8, 8], norm="group")
        edit(content, "model.encoding.encoder", part("StudentEncoder", network=network, input_size=SIZE))
    terms = {
        "one_hot": {"loss": part("OneHotLoss", labels="agreed")},
        "entropy": {"loss": part("InformationEntropyLoss"), "weight": 5},
        "adversarial": {"loss": part("AdversarialLoss")},
    }
    edit(content, "model.reconstruction.terms", terms)
    edit(content, "model.reconstruction.optimizer", part("torch.optim.Adam", lr=0.02))
    edit(content, "model.encoding.terms", {"metric": {"loss": part(loss.__name__)}})
    edit(content, "model.encoding.critic", part("DistanceCritic"))
    edit(content, "model.schedule", {"warmup": 6, "generator_steps": 1, "encoder_steps": 1})
    edit(content, "data.dataset", None)
    edit(content, "data.batch_size", 16)
    edit(content, "trainer.max_steps", 10)
    edit(content, "trainer.callbacks", [part(f"{__name__}.Watch")])
    cli = run("fit", tmp_path / "config.yaml", content)
    module = cli.model
    assert isinstance(module, CoTrainingModule)
    watch = next(c for c in cli.trainer.callbacks if isinstance(c, Watch))  # type: ignore[attr-defined]
    assert len(watch.moved) == 8
    check(module, watch, tmp_path / "run/version_0")

    module.schedule = Schedule()
    for critic in OTHERS:
        dim = module.encoding.photo_encoder.dim
        space = EmbeddingSpace(module.teachers, dim)
        if critic is LastLayerCritic and dim != module.teachers.photo.network.num_features:
            # The one critic that reads embeddings as the teachers' own features refuses others.
            with pytest.raises(InputError, match=f"features .*, got {dim}; .* or use DistanceCritic"):
                LastLayerCritic(space)
            continue
        module.encoding.critic = complete("critic", critic, PairCritic, space=space)  # type: ignore[type-abstract]
        watch, logger = Watch(), CSVLogger(tmp_path, name="on", version=critic.__name__)
        trainer(tmp_path, 2, [watch], logger=logger).fit(module, datamodule=cli.datamodule)
        check(module, watch, Path(logger.log_dir))


@pytest.mark.parametrize("critic", [c.__name__ for c in OTHERS])
def test_any_other_critic_is_named_in_a_config(teachers: Teachers, tmp_path: Path, critic: str) -> None:
    content = joint_config(teachers, tmp_path)
    edit(content, "model.encoding.critic", part(critic))
    # As long as the teachers' features, which LastLayerCritic asks for.
    edit(content, "model.encoding.encoder", part("TeacherHeadEncoder", dim=8))
    edit(content, "data.dataset", None)
    edit(content, "trainer.max_steps", 1)
    cli = run("fit", tmp_path / "config.yaml", content)
    assert isinstance(cli.model, CoTrainingModule)
    assert type(cli.model.encoding.critic).__name__ == critic


def test_the_published_adversary_from_the_command_line(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    model = content["model"]["init_args"]
    arguments = model["encoding"]["init_args"]
    arguments["critic"] = part("LastLayerCritic")
    arguments["encoder"] = part("TeacherHeadEncoder", dim=8, hidden=0)
    model["reconstruction"]["init_args"]["terms"]["adversarial"] = {
        "loss": part("AdversarialLoss", form="published"),
        "weight": 0.1,
    }
    cli = run("fit", tmp_path / "config.yaml", content)
    assert -100 < float(cli.trainer.logged_metrics["recon/adversarial"]) < 0
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    loaded = CoTrainingModule.load_from_checkpoint(last)
    assert isinstance(loaded.encoding.critic, LastLayerCritic)
    assert not [name for name in torch.load(last, weights_only=True)["state_dict"] if "critic" in name]
