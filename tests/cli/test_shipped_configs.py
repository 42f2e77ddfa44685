"""Every shipped config is found from an empty folder, parses, instantiates, and trains and validates two batches."""

import inspect
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import yaml
from support.commands import Config
from support.pixels import save_discriminator
from support.runs import CLASSES

from crossx.augmentation import PasteOnto
from crossx.baselines import record_activations
from crossx.cli.composing import compose
from crossx.cli.configs import find_config, shipped_configs
from crossx.cli.training import build, train
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.tensor_files import write_safetensors
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
from crossx.training.alternating import AlternatingModule
from crossx.training.run_length import in_batches
from crossx.types import MODALITIES

NAMES = sorted(path.relative_to(shipped_configs()).as_posix() for path in shipped_configs().rglob("*.yaml"))
BASES = {
    "trainer": ["quickstart.yaml"],
    "model": ["benchmarks/cifar_tuberlin.yaml"],
    "data": ["tinyimagenet_tuberlin.yaml"],
    "data/shapes.yaml": ["quickstart.yaml"],
    "data/quickdraw_drawings.yaml": ["fg_strokes.yaml"],
    "model/drawing_published.yaml": ["fg_strokes.yaml"],
    "data/cifar_tuberlin.yaml": ["cifar_tuberlin.yaml"],
    "data/sketchy.yaml": ["teachers/sketchy_photo.yaml"],
    "data/sketchy_sample.yaml": ["teachers/sketchy_photo.yaml"],
    "data/sketchy_extended.yaml": ["sketchy.yaml"],
    "data/tuberlin_extended.yaml": ["sketchy.yaml"],
    "data/quickdraw_extended.yaml": ["sketchy.yaml"],
    "benchmarks": ["model/head.yaml"],
    "finegrained": ["fg_retrieval.yaml"],
    "data/qmul_v1.yaml": ["fg_qmul.yaml"],
    "data/sketchy_pairs.yaml": ["fg_sketchy.yaml"],
    "data/shoev2.yaml": ["fg_retrieval.yaml"],
    "data/chairv2.yaml": ["fg_retrieval.yaml"],
}
"""What a config, or those of a folder, are put behind."""
ELSEWHERE = [
    *(f"data/{name}_extended.yaml" for name in ("sketchy", "tuberlin", "quickdraw")),
    "data/shoev2.yaml",
    "data/chairv2.yaml",
    "fg_shoev2.yaml",
    "fg_chairv2.yaml",
]
"""Their images are not here; tests/data/test_full_scale.py and tests/finegrained/test_leakage.py have their layouts."""
UNTRAINED = ("model/averaging_weights.yaml", "model/classifier_only.yaml", "finegrained/start.yaml")
FEW = {
    # The tenths of the whole data set leave some classes of the small one that is here without a validation photo.
    "data/sketchy.yaml": ["--dataset.classes", "[airplane, alarm_clock, ant]"],
    "fg_qmul_joint.yaml": ["--data.fraction", "0.05"],  # all labelled sketches are traced
}
"""What is shown of data sets."""
SIDE = 64
"""Largest input of a teacher: images of 224 pixels take ten times as long."""
FRAGMENTS = ("model/joint.yaml", "teachers/small.yaml", "finegrained/free_photos.yaml", "model/drawing.yaml")
"""They say that they do not run alone; others include them."""


def parts(value: object) -> list[Config]:
    """All classes that a config names, outer ones first."""
    if isinstance(value, dict):
        return ([value] if "class_path" in value else []) + [p for child in value.values() for p in parts(child)]
    return [p for child in value for p in parts(child)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    if isinstance(value, dict | list):
        return [t for child in (value.values() if isinstance(value, dict) else value) for t in texts(child)]
    return [value] if isinstance(value, str) else []


def load(*names: str) -> Config:
    """Shipped configs with all that they include, merged."""
    return dict(compose(["fit", *words(names)]).config)


def words(names: Sequence[str]) -> list[str]:
    return [word for name in names for word in ("--config", name)]


def behind(name: str) -> list[str]:
    """The config behind the one that it is made for."""
    return [*BASES.get(name, BASES.get(name.partition("/")[0], [])), name]


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
        words += ["--data.eval_batch_size", "4"]
        if named is not None and not named.startswith("crossx:"):
            path = untrained_teacher(named, classes_of(content), folder)
            words += [f"--teachers.{modality}", path]
            for _ in recorded:
                record = folder / f"{modality}_activations.safetensors"
                record_activations(load_teacher(path), [torch.rand(8, 3, 32, 32)], record)
                place = "--model.reconstruction.init_args.terms.moments.loss.init_args"
                words += [f"{place}.{modality}", str(record)]
    for part in parts(content["model"]):
        if part["class_path"].endswith("SavedPairs"):
            sides = [UpsamplingGenerator(modality, size=32, latent_dim=8, width=8) for modality in MODALITIES]
            save_generators(folder / "generators.safetensors", GeneratorPair(*sides))
            words += ["--model.pairs.generators", str(folder / "generators.safetensors")]
    if content["data"].get("init_args", {}).get("strokes") and "PhotoToSketchModule" in str(content["model"]):
        words += ["--data.strokes.scale", "0.05"]  # what all training drawings are measured for otherwise
    if content["data"].get("init_args", {}).get("free_batch_size"):
        words += ["--data.free_batch_size", "4"]
    model = content["model"].get("init_args", {})
    if model.get("input_size", 0) > SIDE:
        words += ["--model.input_size", str(SIDE)]
    side = ""
    if content["model"]["class_path"] == "SemiSupervisedModule":
        encoding = model["encoding"]["init_args"]
        model, side = encoding, "encoding.init_args."
    for place, value in (("start", model.get("start")), ("teacher.start", (model.get("teacher") or {}).get("start"))):
        if value == "encoders.safetensors":
            words += [f"--model.{side}{place}", untrained_encoders(model["encoder"], folder)]
    if "DiscriminatorGuidanceLoss" in str(content["model"]):  # a name alone, or a class with its arguments
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
            "input_size": min(model.get("input_size", SIDE), SIDE),
        },
    )
    path = folder / Path(named).name
    save_teacher(str(path), build_network(card.network, card.arguments, len(classes)), card)
    return str(path)


def untrained_encoders(encoder: Config, folder: Path) -> str:
    """Encoders of Shapes as an earlier run exports them, before its first step."""
    path = folder / "encoders.safetensors"
    (folder / "encoder.yaml").write_text(yaml.safe_dump({"model": {"encoder": encoder, "start": None}}))
    cli = build(["fit", *words(["fg_retrieval.yaml", str(folder / "encoder.yaml")])])
    tensors = {f"{m}_encoder.{n}": t for m, e in cli.model.encoders.items() for n, t in e.state_dict().items()}
    write_safetensors(path, tensors, {})
    return str(path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*ELSEWHERE, *FRAGMENTS)])
def test_config_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    whole = load(*behind(name))
    needs_data = any(part["class_path"].endswith(("JoinedData", "PairedData")) for part in parts(whole))
    if needs_data and not os.environ.get("CROSSX_DATA"):
        pytest.fail("CROSSX_DATA is not set: point it to the folder with cifar10, tuberlin, sketchy, ...")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    if "PasteOnto" in str(whole):
        request.getfixturevalue("parsed_anew")
        monkeypatch.setattr(PasteOnto.__init__, "__defaults__", (0.5, 64))  # 4,096 backgrounds take ten seconds
        assert inspect.signature(PasteOnto).parameters["num_backgrounds"].default == 64
    torch.manual_seed(0)
    verb = "validate" if name in UNTRAINED else "fit"
    cli = train([verb, *words(behind(name)), *replacements(whole, tmp_path), *FEW.get(name, [])])
    phases = max(2, len(cli.model.players) if isinstance(cli.model, AlternatingModule) else 0)
    assert cli.trainer.global_step == (0 if name in UNTRAINED else phases)
    logged = cli.trainer.callback_metrics
    if isinstance(cli.model, CoTrainingModule):
        assert {"recon/loss", "encode/loss", "val/map_all"} <= set(logged)
    assert all(value.isfinite() for value in logged.values())
    assert not [path for path in Path().rglob("*") if path.is_file()], "a fast_dev_run leaves nothing behind"


def test_the_published_method_is_as_published(tmp_path: Path) -> None:
    """Independent networks, a queue that is fed, no replay, no BatchNorm statistics, a raw adversary from the start."""
    small = replacements(load("crossx_dfl.yaml"), tmp_path)
    cli = train(["fit", "--config", "crossx_dfl.yaml", *small, "--trainer.fast_dev_run", "3"])
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
    for text in texts(yaml.safe_load((shipped_configs() / name).read_text())):
        if text.startswith("crossx:"):
            assert resolve(text, name).is_file()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*FRAGMENTS, *UNTRAINED)])
def test_steps_are_fixed_and_weights_are_the_last_ones(name: str) -> None:
    content = load(*behind(name))
    assert content["trainer"]["max_steps"] > 0
    assert content["trainer"]["max_epochs"] == -1
    callbacks = content["trainer"].get("callbacks") or []
    assert not any((callback.get("init_args") or {}).get("monitor") for callback in callbacks)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_with_data.yaml") and "/" not in name])
def test_comparison_with_data_is_on_equal_terms(name: str) -> None:
    """Same encoders, views, objective, optimiser and pool, and as many steps of the encoders."""
    whole, with_data = load(name.replace("_with_data", "")), load(name)
    free, own = (content["model"]["init_args"] for content in (whole, with_data))
    encoding = {**free["encoding"]["init_args"], "replay": free["replay"]}
    same = {"encoder", "sketch_encoder", "terms", "photo_augmentation", "sketch_augmentation", "judge_views"}
    same |= {"optimizer", "scheduler", "replay"}
    assert {key: own.get(key) for key in same} == {key: encoding.get(key) for key in same}
    schedule, steps = free["schedule"], whole["trainer"]["max_steps"]
    together = steps - in_batches("schedule.warmup", schedule["warmup"], steps)
    turn = schedule["generator_steps"] + schedule["encoder_steps"]
    assert with_data["trainer"]["max_steps"] == together * schedule["encoder_steps"] // turn


def test_there_are_configs() -> None:
    assert {"quickstart.yaml", "cifar_tuberlin.yaml", "crossx_dfl.yaml", "sketchy.yaml"} <= set(NAMES)


def test_they_are_short() -> None:
    lines = [line for name in NAMES for line in (shipped_configs() / name).read_text().splitlines()]
    assert sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines) <= 11 * len(NAMES)
    assert max(map(len, lines)) <= 120


def test_sketchy_says_that_nobody_has_trained_it() -> None:
    first = (shipped_configs() / "sketchy.yaml").read_text().splitlines()[0]
    assert first.startswith("# Nobody has trained this config to its end yet")


@pytest.mark.parametrize("name", ["quickstart.yaml", "cifar_tuberlin_small.yaml", "crossx_dfl.yaml", "sketchy.yaml"])
def test_another_length_is_one_number(name: str, tmp_path: Path) -> None:
    """Warm-up, ramps, schedules and validations follow `max_steps`."""
    content = load(name)
    small = [word for word in replacements(content, tmp_path) if word not in ("--trainer.fast_dev_run", "true")]
    cli = build(["fit", "--config", name, *small, "--trainer.max_steps", "5000"])
    schedule = content["model"]["init_args"]["schedule"]
    turns = cli.model.rotation(5000)
    first = next(done for done in range(5000) if turns.player(done) == 1)
    assert first == round(schedule["warmup"] * 5000) + schedule["generator_steps"], "the cycle starts with generators"


def test_own_file_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("quickstart") == shipped_configs() / "quickstart.yaml"
    assert find_config("teachers/shapes_photo.yaml") == shipped_configs() / "teachers/shapes_photo.yaml"
    Path("quickstart.yaml").touch()
    assert find_config("quickstart.yaml") == Path("quickstart.yaml")
    with pytest.raises(InputError, match=r"'quickstat' is neither a file nor .*; did you mean quickstart\.yaml"):
        find_config("quickstat")
