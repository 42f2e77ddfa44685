"""Losses and encoders of one's own from the command line: with a space and without, through fit, resume and load."""

import re
from pathlib import Path

import pytest
import torch
from support.commands import ENCODING, Config, config, edit, joint_config, part, run, write
from support.runs import Teachers, weights
from torch import Tensor, nn

from crossx.cli import main
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.encoding.losses import EncodingLoss


class Gap(EncodingLoss):
    """Distance of pairs, times a factor of its own; needs nothing of the module."""

    def __init__(self, power: float = 1.0) -> None:
        super().__init__()
        self.power = power
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        distance = 1 - (embeddings.photo * embeddings.sketch).sum(dim=1)
        return self.factor * distance.clamp_min(1e-6).pow(self.power).mean()


class Classes(EncodingLoss):
    """Cross-entropy of a linear classifier to the pairs' classes; as wide as the space and its vocabulary."""

    def __init__(self, space: EmbeddingSpace, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.classifier = nn.Linear(space.dim, len(space.teachers.vocabulary))

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        logits = [self.scale * self.classifier(e) for e in (embeddings.photo, embeddings.sketch)]
        return nn.functional.cross_entropy(torch.cat(logits), embeddings.target.repeat(2))


class Scaled(Classes):
    """The same, with an argument that a config has to give."""

    def __init__(self, space: EmbeddingSpace, scale: float) -> None:
        super().__init__(space, scale)


LOSSES = {"free": part(f"{__name__}.Gap", power=0.5), "bound": part(f"{__name__}.Classes", scale=3.0)}
OWN = {
    "encoding.objective.losses.free.factor",
    "encoding.objective.losses.bound.classifier.weight",
    "encoding.objective.losses.bound.classifier.bias",
}


def own_config(teachers: Teachers, folder: Path) -> Config:
    """Without replay: with it a resumed run is not the straight one."""
    content = joint_config(teachers, folder)
    edit(content, "model.encoding.terms", {name: {"loss": loss} for name, loss in LOSSES.items()})
    edit(content, "model.replay", None)
    content["seed_everything"] = 1
    return content


def state(folder: Path, version: int) -> dict[str, Tensor]:
    path = folder / f"run/version_{version}/checkpoints/last.ckpt"
    tensors: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return tensors


def test_own_losses_train_resume_and_load(teachers: Teachers, tmp_path: Path) -> None:
    content = own_config(teachers, tmp_path)
    run("fit", tmp_path / "four.yaml", content)
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    edit(content, "trainer.max_steps", 6)
    for version, words in ((1, ()), (2, ("--ckpt_path", str(last)))):
        edit(content, "trainer.logger.version", version)
        cli = run("fit", tmp_path / f"{version}.yaml", content, *words)
    four, straight, resumed = (state(tmp_path, version) for version in range(3))
    assert straight.keys() == resumed.keys() >= OWN
    for name, tensor in straight.items():
        assert torch.equal(resumed[name], tensor), name
    assert all(not torch.equal(four[name], straight[name]) for name in OWN)
    loaded = CoTrainingModule.load_from_checkpoint(tmp_path / "run/version_2/checkpoints/last.ckpt")
    assert isinstance(cli.model, CoTrainingModule)
    expected = weights(cli.model)
    assert weights(loaded).keys() == expected.keys()
    for name, tensor in weights(loaded).items():
        assert torch.equal(tensor, expected[name]), name
    free, bound = (loaded.encoding.objective.loss(name) for name in LOSSES)
    assert isinstance(free, Gap)
    assert isinstance(bound, Classes)
    assert (free.power, bound.scale) == (0.5, 3.0)


@pytest.mark.parametrize("name", LOSSES)
def test_an_own_loss_trains_alone_with_data(teachers: Teachers, tmp_path: Path, name: str) -> None:
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.terms", {name: {"loss": LOSSES[name]}})
    edit(content, "model.pairs", part("RealPairs"))
    cli = run("fit", tmp_path / "config.yaml", content)
    assert cli.trainer.global_step == 4
    assert float(cli.trainer.logged_metrics[f"encode/{name}"]) > 0


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("model.encoder", part("NetworkEncoder"), r"^model\.encoder: the following arguments are required: network$"),
        (
            "model.encoder",
            part("NetworkEncoder", dim=0),
            r"^model\.encoder: the following arguments are required: network$",
        ),
        ("model.pairs", part("SavedPairs"), r"^model\.pairs: the following arguments are required: generators$"),
        ("model.encoder", part("TeacherHeadEncoder", dim=0), r"^model\.encoder\.dim: must be at least 1, got 0$"),
        ("model.terms", {"own": {"loss": part(f"{__name__}.Classes", scale="x")}}, r"^model\.terms.*scale"),
        ("model.terms", {"own": {"loss": part(f"{__name__}.Scaled")}}, r"^model\.terms.*required: .*scale$"),
        (
            "model.terms",
            {"own": {"loss": part("MIBLoss", beta=-1)}},
            r"^model\.terms\.own\.loss\.beta: must be at least 0, got -1",
        ),
        (
            "model.terms",
            {"own": {"loss": part("SupConLoss", temperature=0)}},
            r"^model\.terms\.own\.loss\.temperature: must be above 0, got 0",
        ),
        ("model.critic", part("LastLayerCritic"), r"^critic: LastLayerCritic needs embeddings as long as .* got 4"),
    ],
)
def test_a_mistake_has_one_clear_message(
    teachers: Teachers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
    value: object,
    message: str,
) -> None:
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.pairs", part("RealPairs"))
    edit(content, place, value)
    assert main(["fit", "--config", write(tmp_path / "config.yaml", content)]) == 2
    err = capsys.readouterr().err
    found = err.partition("crossx: error: ")[2].strip()
    assert re.search(message, found), found
    assert "\n" not in found
    assert "Traceback" not in err
