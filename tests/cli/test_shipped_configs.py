"""Every shipped config is found from an empty folder, parses, instantiates, and trains and validates two batches."""

import inspect
import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from support.commands import Config
from support.pixels import save_discriminator
from support.runs import CLASSES

from crossx.augmentation import PasteOnto
from crossx.baselines import record_activations
from crossx.cli.configs import find_config, shipped_configs
from crossx.cli.training import train
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.critics import LastLayerCritic
from crossx.encoding.encoders import NetworkEncoder
from crossx.encoding.losses import InfoNCELoss
from crossx.networks.build import build_network
from crossx.pairs.sources import LivePairs
from crossx.reconstruction.generators import GeneratorPair, UpsamplingGenerator, save_generators
from crossx.reconstruction.losses import AdversarialLoss, BatchNormStatisticsLoss, OneSidedAlignmentLoss
from crossx.teachers.card import TeacherCard
from crossx.teachers.files import save_teacher
from crossx.teachers.teacher import load_teacher

NAMES = sorted(path.relative_to(shipped_configs()).as_posix() for path in shipped_configs().rglob("*.yaml"))
BASES = {
    "trainer": "quickstart.yaml",
    "baselines": "cifar_tuberlin.yaml",
    "data": "tinyimagenet_tuberlin.yaml",
    "data/sketchy.yaml": "teachers/sketchy_photo.yaml",
    "data/sketchy_extended.yaml": "sketchy.yaml",
    "data/tuberlin_extended.yaml": "sketchy.yaml",
    "data/quickdraw_extended.yaml": "sketchy.yaml",
}
"""What a config, or those of a folder, are put behind."""
ELSEWHERE = [f"data/{name}_extended.yaml" for name in ("sketchy", "tuberlin", "quickdraw")]
"""Their images are not here; tests/data/test_full_scale.py has some in their layouts."""
UNTRAINED = ("baselines/averaging_weights.yaml", "baselines/classifier_only.yaml")


def parts(value: object) -> list[Config]:
    """All classes that a config names, outer ones first."""
    if isinstance(value, dict):
        return ([value] if "class_path" in value else []) + [p for child in value.values() for p in parts(child)]
    return [p for child in value for p in parts(child)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    if isinstance(value, dict | list):
        return [t for child in (value.values() if isinstance(value, dict) else value) for t in texts(child)]
    return [value] if isinstance(value, str) else []


def load(name: str) -> Config:
    content: Config = yaml.safe_load((shipped_configs() / name).read_text())
    return content


def behind(name: str) -> list[str]:
    """The config behind the one that it is made for."""
    base = BASES.get(name, BASES.get(name.partition("/")[0]))
    return [name] if base is None else [base, name]


def classes_of(content: Config) -> tuple[str, ...]:
    """Class names of a config's data set."""
    for part in parts(content["data"]):
        if part["class_path"].endswith("JoinedData"):
            return tuple(json.loads(resolve(part["init_args"]["class_map"], "class_map").read_text())["classes"])
    return CLASSES


def replacements(content: Config, folder: Path) -> list[str]:
    """Words that make a run small, and put files that come from other runs in their places."""
    words = ["--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu", "--trainer.devices", "1"]
    words += ["--trainer.enable_progress_bar", "false", "--data.batch_size", "4"]
    recorded = [part for part in parts(content["model"]) if part["class_path"] == "ActivationMomentsLoss"]
    for modality, named in content.get("teachers", {}).items():
        words += ["--data.eval_batch_size", "8"]
        if not named.startswith("crossx:"):
            path = untrained_teacher(named, classes_of(content), folder)
            words += [f"--teachers.{modality}", path]
            for _ in recorded:
                record = folder / f"{modality}_activations.safetensors"
                record_activations(load_teacher(path), [torch.rand(8, 3, 32, 32)], record)
                place = "--model.reconstruction.init_args.terms.moments.loss.init_args"
                words += [f"{place}.{modality}", str(record)]
    for part in parts(content["model"]):
        if part["class_path"].endswith("SavedPairs"):
            sides = [UpsamplingGenerator(size=32, latent_dim=8, width=8, channels=channels) for channels in (3, 1)]
            save_generators(folder / "generators.safetensors", GeneratorPair(*sides))
            wrapped = content["model"]["init_args"]["pairs"] is not part
            place = "--model.pairs.source.generators" if wrapped else "--model.pairs.generators"
            words += [place, str(folder / "generators.safetensors")]
        elif part["class_path"] == "DiscriminatorGuidanceLoss":
            place = "--model.reconstruction.init_args.terms.modality.loss.init_args.discriminator"
            words += [place, save_discriminator(folder / "modality.safetensors")]
    return words


def untrained_teacher(named: str, classes: tuple[str, ...], folder: Path) -> str:
    """The teacher that the config of this name trains, before its first step."""
    model = load(str(Path(named).with_suffix(".yaml")))["model"]["init_args"]
    card = TeacherCard(
        modality="photo" if "photo" in named else "sketch",
        classes=classes,
        **{
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            **{key: model[key] for key in ("network", "arguments", "input_size", "mean", "std") if key in model},
        },
    )
    path = folder / Path(named).name
    save_teacher(str(path), build_network(card.network, card.arguments, len(classes)), card)
    return str(path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ELSEWHERE])
def test_config_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = load(name)
    configs = behind(name)
    whole = {**load(configs[0]), **content}
    needs_data = any(part["class_path"].endswith("JoinedData") for part in parts(whole))
    if needs_data and not os.environ.get("CROSSX_DATA"):
        pytest.fail("CROSSX_DATA is not set: point it to the folder with cifar10, tuberlin, sketchy, ...")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setattr(PasteOnto.__init__, "__defaults__", (0.5, 64))  # 4,096 backgrounds take ten seconds
    assert inspect.signature(PasteOnto).parameters["num_backgrounds"].default == 64
    torch.manual_seed(0)
    words = [word for config in configs for word in ("--config", config)]
    verb = "validate" if name in UNTRAINED else "fit"
    cli = train([verb, *words, *replacements(whole, tmp_path)])
    assert cli.trainer.global_step == (0 if name in UNTRAINED else 2)
    logged = cli.trainer.callback_metrics
    if isinstance(cli.model, CoTrainingModule):
        assert {"recon/loss", "encode/loss", "val/map_all"} <= set(logged)
    assert all(value.isfinite() for value in logged.values())
    assert not [path for path in Path().rglob("*") if path.is_file()], "a fast_dev_run leaves nothing behind"


def test_the_published_method_is_as_published(tmp_path: Path) -> None:
    """Independent networks, a queue that is fed, no replay, no BatchNorm statistics, a raw adversary from the start."""
    name = "baselines/crossx_dfl.yaml"
    configs = behind(name)
    words = [word for config in configs for word in ("--config", config)]
    words += replacements({**load(configs[0]), **load(name)}, tmp_path)
    cli = train(["fit", *words, "--trainer.fast_dev_run", "3", "--model.schedule.warmup", "1"])
    model = cli.model
    assert isinstance(model, CoTrainingModule)
    assert isinstance(model._pairs, LivePairs)
    encoding, terms = model.encoding, model.reconstruction.objective.terms
    assert isinstance(encoding.photo_encoder, NetworkEncoder)
    assert isinstance(encoding.sketch_encoder, NetworkEncoder)
    photo, sketch = (encoder.network.parameters() for encoder in (encoding.photo_encoder, encoding.sketch_encoder))
    assert not torch.equal(next(photo), next(sketch))
    assert isinstance(encoding.critic, LastLayerCritic)
    assert not any(isinstance(term.loss, BatchNormStatisticsLoss) for term in terms.values())
    assert isinstance(terms["alignment"].loss, OneSidedAlignmentLoss)
    adversary = terms["adversarial"]
    assert isinstance(adversary.loss, AdversarialLoss)
    assert (adversary.loss.form, adversary.ramp) == ("published", None)
    assert float(cli.trainer.callback_metrics["recon/adversarial"]) < 0
    queues = encoding.objective.terms["info_nce"].loss
    assert isinstance(queues, InfoNCELoss)
    assert len(queues.photo_queue) == len(queues.sketch_queue) == 4


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_package_that_it_names_exist(name: str) -> None:
    for text in texts(load(name)):
        if text.startswith("crossx:"):
            assert resolve(text, name).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_fixed_and_weights_are_the_last_ones(name: str) -> None:
    content: Config = {}
    for config in behind(name):
        for key, value in load(config).items():
            content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    assert content["trainer"]["max_steps"] > 0
    assert content["trainer"]["max_epochs"] == -1
    assert content.get("checkpoint", {}).get("monitor") is None


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_with_data.yaml")])
def test_comparison_with_data_is_on_equal_terms(name: str) -> None:
    """Same encoders, views and objective; the quickstart's own rates and start are said in its log."""
    free = load(name.replace("_with_data", ""))["model"]["init_args"]
    own, encoding = load(name)["model"]["init_args"], free["encoding"]["init_args"]
    same = {"photo_encoder", "sketch_encoder", "terms", "photo_augmentation", "sketch_augmentation", "judge_views"}
    if name.startswith("quickstart"):
        same -= {"photo_encoder", "sketch_encoder"}
    assert {key: own.get(key) for key in same} == {key: encoding.get(key) for key in same}


def test_there_are_configs() -> None:
    assert {"quickstart.yaml", "cifar_tuberlin.yaml", "sketchy.yaml"} <= set(NAMES)


def test_own_file_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("quickstart") == str(shipped_configs() / "quickstart.yaml")
    assert find_config("teachers/shapes_photo.yaml") == str(shipped_configs() / "teachers/shapes_photo.yaml")
    Path("quickstart.yaml").touch()
    assert find_config("quickstart.yaml") == "quickstart.yaml"
    with pytest.raises(InputError, match=r"'quickstat' is neither a file nor a shipped config; shipped are .*sketchy"):
        find_config("quickstat")
