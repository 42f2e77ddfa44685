"""The encoder of `model/composite.yaml`, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Config, Refuse, edit, joint_config, part, run
from support.runs import Teachers

from crossx.cli import main
from crossx.core.tensor_files import read_safetensors

CHECKPOINT = "run/version_0/checkpoints/last.ckpt"


def composite(**temperatures: float) -> Config:
    parts: dict[str, Any] = {
        "posterior": {"encoder": part("PosteriorEncoder", **temperatures), "weight": 1.0},
        "head": {"encoder": part("TeacherHeadEncoder", dim=4, hidden=8), "weight": 0.1},
        "soft": {"encoder": part("PosteriorEncoder", temperature=4.0), "weight": 10.0},
        "reading": {"encoder": part("ReadingEncoder")},
    }
    return part("CompositeEncoder", mirrored=True, parts=parts)


def content(teachers: Teachers, folder: Path) -> Config:
    made = joint_config(teachers, folder)
    edit(made, "model.encoding.encoder", composite())
    edit(made, "model.encoding.sketch_encoder", composite(temperature=0.5))
    return made


@pytest.fixture(scope="module")
def fitted(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composite")
    run("fit", folder / "config.yaml", content(teachers, folder))
    return folder


def state_of(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)["state_dict"]
    return state


def results(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "results.json").read_text())
    return found


def validate(folder: Path, name: str, *words: str) -> dict[str, Any]:
    """Validate the checkpoint, and return the results."""
    log = [f"--trainer.logger.init_args.save_dir={folder}", f"--trainer.logger.init_args.name={name}"]
    words = (*words, *log, "--trainer.accelerator", "cpu")
    assert main(["validate", "--ckpt_path", str(folder / CHECKPOINT), *words]) == 0
    (found,) = (folder / name).rglob("results.json")
    return results(found.parent)


def test_validates_from_its_checkpoint_what_it_measured_at_the_end(fitted: Path) -> None:
    state = state_of(fitted)
    heads = {name for name in state if ".parts.head." in name}
    others = {name.partition(".parts.")[2] for name in state if ".parts." in name and name not in heads}
    assert heads
    assert others == {
        *(f"reading.statistics.{name}" for name in ("mean", "var", "batches")),
        *(f"reading.reader.{name}" for name in ("means", "variances", "adapted")),
        *(f"reading.reader.readers.{i}.statistics" for i in (0, 1)),
    }
    assert state["encoding.sketch_encoder.parts.reading.reader.adapted"]
    exported, _ = read_safetensors(fitted / "run/version_0/encoders.safetensors", "encoders")
    assert all(torch.equal(tensor, state[f"encoding.{name}"]) for name, tensor in exported.items())
    assert {f"encoding.{name}" for name in exported} == {name for name in state if ".parts." in name}
    metrics = results(fitted / "run/version_0")["metrics"]
    assert validate(fitted, "again")["metrics"] == metrics


def test_resumes_with_its_statistics(teachers: Teachers, tmp_path: Path) -> None:
    """Those of photos go on, and those of sketches stay: the run is the straight one."""
    made = content(teachers, tmp_path / "straight")
    edit(made, "model.replay", None)  # it is not saved
    edit(made, "model.schedule.encoder_steps", 3)
    run("fit", tmp_path / "s.yaml", made)
    made["trainer"]["logger"]["init_args"]["save_dir"] = str(tmp_path / "resumed")
    made["trainer"]["max_steps"] = 3
    run("fit", tmp_path / "r.yaml", made)
    made["trainer"]["max_steps"] = 4
    run("fit", tmp_path / "r.yaml", made, "--ckpt_path", str(tmp_path / "resumed" / CHECKPOINT))
    straight, resumed = (state_of(tmp_path / name) for name in ("straight", "resumed"))
    assert int(straight["encoding.photo_encoder.parts.reading.statistics.batches"]) == 2
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_parts_change_on_the_command_line(fitted: Path) -> None:
    """Without training anew: weights are in no tensor of the checkpoint."""
    place = "--model.encoding.init_args.{}.init_args."
    plain = [f"{place.format(side)}mirrored=false" for side in ("encoder", "sketch_encoder")]
    photo, sketch = (
        [f"{place.format(side)}parts.{name}.weight=0" for name in ("posterior", "head", "soft")]
        for side in ("encoder", "sketch_encoder")
    )
    before = results(fitted / "run/version_0")["metrics"]
    whole = validate(fitted, "plain", *plain)["metrics"]
    assert whole != before
    reading = validate(fitted, "reading", *plain, *sketch)["metrics"]
    assert reading != whole
    # With the sketches' weight on one part, the weights of the photos do not change the ranking.
    assert validate(fitted, "reading_of_both", *plain, *photo, *sketch)["metrics"] == reading


def test_a_part_of_another_temperature(fitted: Path) -> None:
    """An encoder inside of a part changes as any other, and by its class."""
    place = "--model.encoding.init_args.sketch_encoder.init_args.parts.posterior.encoder"
    before = results(fitted / "run/version_0")["metrics"]
    assert validate(fitted, "soft", f"{place}.init_args.temperature=8")["metrics"] != before
    assert validate(fitted, "same", f"{place}=PosteriorEncoder", f"{place}.temperature=0.5")["metrics"] == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--model.encoding.init_args.encoder.init_args.parts.head.weight=-1"],
            "encoder.parts.head.weight: must be at least 0, got -1.0",
        ),
        (
            ["--model.encoding.init_args.encoder.init_args.parts.soft.encoder=TeacherHeadEncoder"],
            "encoder.parts: must have at most one part that trains, got head, soft",
        ),
    ],
)
def test_mistakes_are_named(refuse: Refuse, teachers: Teachers, tmp_path: Path, words: list[str], message: str) -> None:
    assert message in refuse(content(teachers, tmp_path), *words)


def test_nothing_to_train(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    made = content(teachers, tmp_path)
    for side in ("encoder", "sketch_encoder"):
        del made["model"]["init_args"]["encoding"]["init_args"][side]["init_args"]["parts"]["head"]
    assert "has no parameters to train" in refuse(made)
