"""A joint fit through the command line with every loss of the generators."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.commands import Config, config, edit, joint_config, part, run, write
from support.exported import defined, exported, term_name
from support.pixels import save_discriminator
from support.runs import Teachers
from torch import Tensor

from crossx.cli import main
from crossx.cotraining.module import CoTrainingModule
from crossx.reconstruction import losses
from crossx.reconstruction.losses import ReconstructionLoss

TERMS = "model.reconstruction.terms"
DISCRIMINATOR = "DiscriminatorGuidance.loss.discriminator"
KIND: type[ReconstructionLoss] = ReconstructionLoss  # type: ignore[type-abstract]  # compared with, never built


def every_loss(discriminator: str) -> dict[str, Config]:
    """A term for each loss that the package exports, by the name of its class."""
    settings: dict[str, Config] = {
        "OneHotLoss": {"loss": part("OneHotLoss", labels="agreed")},
        "InformationEntropyLoss": {"weight": 5.0},
        "ActivationLoss": {"weight": 0.1},
        "AdversarialLoss": {"weight": 0.5, "ramp": [1, 3]},
        "StatisticsGuidanceLoss": {"loss": part("StatisticsGuidanceLoss", layers=2)},
        "DiscriminatorGuidanceLoss": {"loss": part("DiscriminatorGuidanceLoss", discriminator=discriminator)},
    }
    return {term_name(name): {"loss": part(name), **settings.get(name, {})} for name in exported(losses, KIND)}


def joint(teachers: Teachers, folder: Path, discriminator: str) -> Config:
    """A joint run that resumes to the bit: without replay."""
    content = joint_config(teachers, folder)
    edit(content, TERMS, every_loss(discriminator))
    edit(content, "model.replay", None)
    return content


def checkpoint(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / "run/version_0/checkpoints/last.ckpt", weights_only=True)
    return loaded


@pytest.fixture(scope="module")
def discriminator(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_discriminator(tmp_path_factory.mktemp("discriminator") / "modality.safetensors")


@pytest.fixture(scope="module")
def straight(teachers: Teachers, discriminator: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of four batches, three of them for the generators."""
    folder = tmp_path_factory.mktemp("straight")
    cli = run("fit", folder / "config.yaml", joint(teachers, folder, discriminator))
    logged = cli.trainer.logged_metrics
    assert {f"recon/{name}" for name in every_loss("")} <= set(logged)
    assert all(bool(Tensor.isfinite(value)) for value in logged.values())
    return folder


def test_no_loss_is_forgotten() -> None:
    assert {term["loss"]["class_path"] for term in every_loss("").values()} == defined(losses, KIND)


def test_checkpoint_names_the_discriminator(straight: Path) -> None:
    saved = checkpoint(straight)
    place = "reconstruction.objective.losses"
    assert not [name for name in saved["state_dict"] if ".discriminator." in name or "teachers" in name]
    assert set(saved["crossx"]["teachers"]) == {"photo", "sketch", f"{place}.DiscriminatorGuidance.discriminator"}


def test_module_comes_back_from_its_checkpoint_alone(straight: Path) -> None:
    path = straight / "run/version_0/checkpoints/last.ckpt"
    found, saved = CoTrainingModule.load_from_checkpoint(path).state_dict(), checkpoint(straight)["state_dict"]
    assert found.keys() == saved.keys()
    assert all(torch.equal(tensor, saved[name]) for name, tensor in found.items())


def test_documented_terms_run(teachers: Teachers, discriminator: str, tmp_path: Path) -> None:
    """The snippets of the page on losses, all together; and its table names no loss that is not there."""
    page = (Path(__file__).parents[2] / "docs/how-to/reconstruction-losses.md").read_text()
    assert set(re.findall(r"^\| `(\w+Loss)` \|", page, re.MULTILINE)) <= exported(losses, KIND).keys()
    blocks = re.findall(r"```yaml\n(terms:.*?)```", page, re.DOTALL)
    snippets = [yaml.safe_load(block)["terms"] for block in blocks]
    terms = {name: term for snippet in snippets for name, term in snippet.items()}
    terms["discriminator"]["loss"]["init_args"]["discriminator"] = discriminator
    content = joint(teachers, tmp_path, discriminator)
    edit(content, TERMS, terms)
    cli = run("fit", tmp_path / "config.yaml", content, "--trainer.fast_dev_run", "true")
    assert {f"recon/{name}" for name in terms if "ramp" not in terms[name]} <= set(cli.trainer.logged_metrics)


def test_resumed_fit_is_the_straight_fit(
    teachers: Teachers, discriminator: str, straight: Path, tmp_path: Path
) -> None:
    for steps, argv in ((2, []), (4, ["--ckpt_path", str(tmp_path / "2/run/version_0/checkpoints/last.ckpt")])):
        folder = tmp_path / str(steps)
        content = joint(teachers, folder, discriminator)
        edit(content, "trainer.max_steps", steps)
        run("fit", folder / "config.yaml", content, *argv)
    expected, found = checkpoint(straight)["state_dict"], checkpoint(tmp_path / "4")["state_dict"]
    assert expected.keys() == found.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []


def test_another_discriminator_is_refused(
    teachers: Teachers, straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_discriminator(tmp_path / "other.safetensors", seed=9)
    path = write(tmp_path / "config.yaml", joint(teachers, tmp_path, other))
    last = str(straight / "run/version_0/checkpoints/last.ckpt")
    assert main(["fit", "--config", path, "--trainer.max_steps", "6", "--ckpt_path", last]) == 2
    assert "discriminator: this checkpoint was trained with the teacher" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("StatisticsGuidance.loss.layers", 0, "layers: must be at least 1, got 0"),
        ("OneHot.loss.labels", "drawing", "drawing"),
        (DISCRIMINATOR, "nowhere.safetensors", "discriminator: 'nowhere.safetensors' does not"),
        (DISCRIMINATOR, "crossx:assets/shapes_photo.safetensors", "got 10 classes"),
        ("InformationEntropy.weight", float("nan"), "terms.InformationEntropy.weight: must be at least 0, got nan"),
    ],
)
def test_one_clear_message(
    teachers: Teachers,
    discriminator: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
    value: object,
    message: str,
) -> None:
    content = joint(teachers, tmp_path / "runs", discriminator)
    edit(content, f"{TERMS}.{place}", value)
    assert main(["fit", "--config", write(tmp_path / "config.yaml", content)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_teachers_without_batch_norm_get_one_clear_message(
    plain_teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = part(
        "ReconstructionModule",
        generator=part("UpsamplingGenerator", size=16, latent_dim=8, width=8),
        terms={"one_hot": {"loss": part("OneHotLoss")}, "guidance": {"loss": part("StatisticsGuidanceLoss")}},
    )
    content = config(plain_teachers, tmp_path / "runs", model)
    path = write(tmp_path / "config.yaml", content)
    assert main(["fit", "--config", path]) == 2
    err = capsys.readouterr().err
    assert "the photo teacher 'photo' has none; take the term out" in err
    assert "or use DiscriminatorGuidanceLoss" in err
    assert main(["fit", "--config", path, "--model.terms.guidance.weight", "0"]) == 0
