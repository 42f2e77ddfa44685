"""Wrong values in shipped configs: exit status 2, one line, and the field in it; never a traceback."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossx.cli import main
from crossx.cli.composing import compose

CONFIGS = ["quickstart.yaml", "quickstart_with_data.yaml", "teachers/shapes_photo.yaml"]
CASES = 10
"""For each config."""


def fields(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Places of a config that hold a number or a truth value, as options name them."""
    if isinstance(value, dict):
        for key, child in value.items():
            inner = place if key == "init_args" else f"{place}.{key}".lstrip(".")
            yield from fields(child, inner)
    elif isinstance(value, bool | int | float):
        yield place, value


def swapped(name: str) -> str:
    """A name with its two last letters swapped, or one more."""
    mistyped = name[:-2] + name[-1] + name[-2]
    return mistyped if mistyped != name else name + name[-1]


def numbers(config: str) -> list[tuple[str, Any]]:
    found = [(place, value) for place, value in fields(dict(compose(["fit", "--config", config]).config))]
    parts = ("trainer.", "model.", "data.")
    return [(place, value) for place, value in found if place.startswith(parts) and "logger" not in place]


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    assert main(["fit", "--trainer.accelerator=cpu", *words]) == 2, words
    err = capsys.readouterr().err
    assert "Traceback" not in err
    message = err.partition("crossx: error: ")[2].strip()
    assert message, words
    assert "\n" not in message, words
    return message


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", ["type", "typo"])
def test_a_wrong_value_is_one_line_that_names_the_field(
    config: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = numbers(config)
    assert len(found) > 5
    count = min(CASES if kind == "typo" else 4, len(found))
    for place, _ in random.Random(0).sample(found, count):  # noqa: S311 - no secret
        path, _, name = place.rpartition(".")
        wrong = name if kind == "type" else swapped(name)
        message = refused(capsys, ["--config", config, f"--{path}.{wrong}", "[many, {of: them}]"])
        assert wrong in message, message
    assert not list(tmp_path.rglob("version_*"))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("data.batch_size", "-3"),
        ("data.batches_per_epoch", "-1"),
        ("data.workers", "-1"),
        ("data.eval_batch_size", "0"),
        ("data.dataset.size", "0"),
        ("data.dataset.train", "-1"),
        ("trainer.max_steps", "-7"),
        ("trainer.precision", "8-bit"),
        ("trainer.devices", "0"),
        ("trainer.accelerator", "gpuu"),
        ("trainer.log_every_n_steps", "-1"),
        ("trainer.limit_val_batches", "-1"),
        ("trainer.max_time", "soon"),
        ("trainer", "null"),
        ("trainer", "3"),
        ("data", "null"),
        ("data.dataset", "3"),
        ("model", "null"),
        ("model", "[1]"),
        ("model", "EncoderModul"),
        ("teachers", "3"),
        ("teachers.photo", "3"),
        ("teachers.aliases", "[1]"),
        ("reports", "3"),
        ("reports.pictures.every", "0"),
        ("reports.health.detectors", "nothing"),
        ("model.schedule.encoder_steps", "-1"),
        ("model.replay.share", "2"),
        ("model.encoding.clip_norm", "-1"),
        ("model.encoding.optimizer.lr", "-1"),
        ("model.encoding.optimizer.betas", "[2, 3]"),
        ("model.encoding.optimizer.eps", "-1"),
        ("model.encoding.terms", "null"),
        ("model.encoding.terms", "{}"),
        ("model.reconstruction.generator.size", "-32"),
        ("model.reconstruction.terms.one_hot.weight", "-1"),
        ("model.reconstruction.terms.one_hot.ramp", "[3, 1]"),
        ("seed_everything", "-1"),
    ],
)
def test_a_value_out_of_range(
    place: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    message = refused(capsys, ["--config", "quickstart.yaml", f"--{place}", value])
    assert place.rpartition(".")[2] in message, message
    assert not list(tmp_path.rglob("version_*"))


@pytest.mark.parametrize(
    "text",
    [
        "trainer: 3",
        "trainer:",
        "trainer: [1]",
        "model: 3",
        "model: {class_path: 3}",
        "model: {class_path: CoTrainingModule, init_args: 3}",
        "data: 3",
        "data: [1]",
        "data: {class_path: [1]}",
        "dataset: 3",
        "dataset: {class_path: JoinedData, init_args: [1]}",
        "teachers: [1]",
        "teachers: {photo: {a: b}}",
        "reports: {run: 3}",
        "3: 4",
        "include: 3",
        "model: {encoding: {terms: [1]}}",
        "model: {encoding: {terms: {sup_con: {loss: {class_path: {a: b}}}}}}",
        "seed_everything: many",
        "model: !!python/object:os.system {}",
        "a: b: c",
        "\tmodel: x",
    ],
)
@pytest.mark.parametrize("words", [["fit"], ["test", "--ckpt_path", "CHECKPOINT"]])
def test_a_config_of_another_shape(
    text: str, words: list[str], joint_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind a shipped config, and behind a checkpoint."""
    (tmp_path / "mine.yaml").write_text(text)
    checkpoint = str(joint_run / "checkpoints/last.ckpt")
    words = [word.replace("CHECKPOINT", checkpoint) for word in words]
    configs = ["--config", "quickstart.yaml", "--config", str(tmp_path / "mine.yaml")]
    assert main([*words, "--trainer.accelerator=cpu", *configs]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.count("crossx: error: ") == 1
