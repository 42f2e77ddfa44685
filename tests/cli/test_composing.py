"""Several configs on one command line: what they include, whose terms count, and what the user is told."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import edit, joint_config, part, write
from support.runs import Teachers

from crossx.cli import main
from crossx.cli.composing import compose
from crossx.cli.training import CrossxCLI, parse, train

Given = Callable[..., str]


@pytest.fixture
def base(teachers: Teachers, tmp_path: Path) -> str:
    """A joint run of four steps."""
    return write(tmp_path / "base.yaml", joint_config(teachers, tmp_path / "runs"))


def terms(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any term
    return {"model": {"reconstruction": {"terms": changed}}}


def test_a_second_config_adds_changes_and_removes_terms(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = terms(activation={"loss": "ActivationLoss"}, entropy={"weight": 2.0}, one_hot=None)
    mine = write(tmp_path / "mine.yaml", changed)
    cli = train(["fit", "--config", base, "--config", mine, "--trainer.fast_dev_run", "true"])
    found = cli.model.reconstruction.objective.terms
    assert {name: term.weight for name, term in found.items()} == {"entropy": 2.0, "statistics": 1.0, "activation": 1.0}
    told = f"terms: {mine} adds activation, changes entropy (weight default -> 2.0), removes one_hot\n"
    assert capsys.readouterr().out.count(told) == 1
    assert "recon/activation" in cli.trainer.callback_metrics


def test_the_command_line_wins_over_terms_of_configs(base: str, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.yaml", terms(entropy={"weight": 2.0}))
    option = "--model.reconstruction.terms.entropy.weight=3"
    found = parse(["fit", option, "--config", base, "--config", mine])
    assert found["model"]["init_args"]["reconstruction"]["init_args"]["terms"]["entropy"]["weight"] == 3.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"reconstruction": {"terms": ["OneHotLoss"]}}}, "model.reconstruction.terms: must be a mapping"),
        (terms(entropy=3), "model.reconstruction.terms.entropy: must be a mapping with loss, weight and ramp"),
        (terms(entropi=None), "the terms are entropy, one_hot, statistics (did you mean 'entropy'?)"),
    ],
)
def test_terms_that_cannot_be_merged(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: dict[str, Any], message: str
) -> None:
    mine = write(tmp_path / "mine.yaml", content)
    assert main(["fit", "--config", base, "--config", mine]) == 2
    err = capsys.readouterr().err
    assert f"crossx: error: {mine}: " in err
    assert message in err


def test_includes_are_found_beside_the_config_and_among_the_shipped_ones(tmp_path: Path) -> None:
    write(tmp_path / "parts/own.yaml", {"trainer": {"max_steps": 7, "devices": 1}})
    content = {"include": ["parts/own.yaml", "data/shapes.yaml"], "trainer": {"max_steps": 8}}
    found = compose(["fit", "--config", write(tmp_path / "mine.yaml", content)]).config
    assert (found["trainer"]["max_steps"], found["trainer"]["devices"]) == (8, 1)
    assert found["data"]["class_path"] == "SyntheticPairsDataModule"
    assert found["data"]["init_args"]["dataset"] == part("ShapesDataset", size=32)


@pytest.mark.parametrize(
    ("include", "message"),
    [
        (["b.yaml"], "include: {0}/a.yaml includes this file, and would include itself"),
        (
            ["data/shape.yaml"],
            "b.yaml: include: 'data/shape.yaml' is neither a file nor a shipped config; did you mean",
        ),
        ("data/shapes.yaml", "b.yaml: include: must be a list of configs, got 'data/shapes.yaml'"),
    ],
)
def test_includes_that_lead_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], include: object, message: str
) -> None:
    write(tmp_path / "a.yaml", {"include": ["b.yaml"]})
    write(tmp_path / "b.yaml", {"include": ["a.yaml"] if include == ["b.yaml"] else include})
    assert main(["fit", "--config", str(tmp_path / "a.yaml")]) == 2
    assert message.format(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  b: 1\n c: 2\n", "line 3, column 2: not YAML"),
        ("a: 1\na: 2\n", "line 2, column 1: not YAML: the key 'a' stands twice"),
        ("- a\n", "must be a mapping of keys to values, got list"),
    ],
)
def test_what_is_no_config(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert main(["fit", "--config", str(path)]) == 2
    assert f"crossx: error: {path}: {message}" in capsys.readouterr().err


def test_numbers_may_be_written_as_physicists_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: 1e-3\nb: 12\nc: 1.5e3\nd: 0.5\ne: abc\n")
    found = compose(["fit", "--config", str(path)]).config
    assert [found[key] for key in "abcde"] == [0.001, 12, 1500.0, 0.5, "abc"]


def test_another_data_set_goes_behind_any_config() -> None:
    """It replaces the first one whole, whatever that one says of its classes; the data module stays."""
    other = parse(["fit", "--config", "tinyimagenet_tuberlin.yaml", "--config", "data/quickdraw_queries.yaml"])
    assert other["data"]["init_args"]["dataset"]["init_args"]["classes"] is None
    teacher = parse(["fit", "--config", "teachers/sketchy_photo.yaml", "--config", "data/sketchy.yaml"])
    assert teacher["data"]["class_path"].endswith("LabelledImagesDataModule")
    assert teacher["data"]["init_args"]["dataset"]["init_args"]["name"] == "sketchy"


def test_data_set_on_the_command_line() -> None:
    found = parse(["fit", "--config", "quickstart.yaml", "--dataset.size=64", "--data.dataset.train", "3"])
    dataset = found["data"]["init_args"]["dataset"]["init_args"]
    assert (dataset["size"], dataset["train"]) == (64, 3)


def test_last_is_the_newest_run_of_the_config_and_says_where_it_goes_on(
    base: str, joint_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", base, "--trainer.max_steps", "6", "--ckpt_path"]
    assert main([*words, "last"]) == 2
    assert f"--ckpt_path: last: there is no checkpoints/last.ckpt below {tmp_path}/runs/run" in capsys.readouterr().err
    assert main([*words, "best"]) == 2
    assert "--ckpt_path: best: crossx keeps the last weights of a run" in capsys.readouterr().err
    for version in (0, 1):
        folder = tmp_path / f"runs/run/version_{version}/checkpoints"
        folder.mkdir(parents=True)
        checkpoint = torch.load(joint_run / "checkpoints/last.ckpt", weights_only=True)
        torch.save(checkpoint, folder / "last.ckpt")
    assert main([*words, "last", "--trainer.logger.version=2"]) == 0
    out, err = capsys.readouterr()
    assert f"resumed at step 4 from {tmp_path}/runs/run/version_1/checkpoints/last.ckpt\n" in out
    assert "not resumable" not in err


def test_a_measurement_stands_beside_its_run(
    joint_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--ckpt_path", str(joint_run / "checkpoints/last.ckpt"), "--trainer.accelerator=cpu"]) == 0
    out, err = capsys.readouterr()
    assert f"predict: writes into {joint_run / 'predict'}, beside the run of the checkpoint\n" in out
    assert (joint_run / "predict/version_0/embeddings.safetensors").is_file()
    assert "tensorboardX" not in err
    assert not list(tmp_path.iterdir())


def test_a_command_that_fails_leaves_no_folder(base: str, tmp_path: Path) -> None:
    assert main(["fit", "--config", base, "--model.encoding.optimizer.lr=-0.1"]) == 2
    assert main(["fit", "--config", base, "--data.dataset.validation=0"]) == 2
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.name == "config.yaml"]


def test_rate_that_torch_refuses(base: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model.encoding.optimizer=torch.optim.Adam", "--model.encoding.optimizer.lr=-0.1"]
    assert main(["fit", "--config", base, *options]) == 2
    err = capsys.readouterr().err
    assert "model.encoding.optimizer.lr: Invalid learning rate: -0.1" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("place", ["model.encoding", "model"])
def test_help_of_a_class_at_its_place(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["fit", f"--{place}.help", "EncoderModule"])
    assert end.value.code == 0
    assert f"--{place}.temperature" in capsys.readouterr().out


def test_help_of_no_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--model.encoding.help", "EncoderModul"]) == 2
    assert "or the full path of another, got 'EncoderModul' (did you mean 'EncoderModule'?)" in capsys.readouterr().err


def steps_of(folder: Path) -> list[int]:
    """Steps of the losses in the table of a run."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file) if row["encode/loss"] or row["recon/loss"]]


def test_a_resumed_run_keeps_one_curve(teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that was killed after step 6 goes on from its checkpoint of step 4, in its folder."""
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "trainer.logger.version", None)
    edit(content, "trainer.max_steps", 6)
    path = write(tmp_path / "base.yaml", content)
    train(["fit", "--config", path])
    folder = tmp_path / "runs/run/version_0"
    last = folder / "checkpoints/last.ckpt"
    before = (folder / "config.yaml").read_text()
    assert steps_of(folder) == [0, 1, 2, 3, 4, 5]
    checkpoint = torch.load(last, weights_only=True)
    shorter = train(["fit", "--config", path, "--trainer.max_steps=4", "--trainer.logger.name=other"])
    capsys.readouterr()
    assert main(["fit", "--config", path, "--trainer.max_steps=8", "--ckpt_path", str(shorter_last(shorter))]) == 0
    assert steps_of(tmp_path / "runs/run/version_1") == [4, 5, 6, 7], "another run's checkpoint: a folder of its own"
    shorter_last(shorter).replace(last)
    capsys.readouterr()
    assert main(["fit", "--config", path, "--trainer.max_steps=8", "--ckpt_path", str(last)]) == 0
    out, err = capsys.readouterr()
    assert f"resumed at step 4 from {last}\n" in out
    assert f"run folder: {folder}\n" in out
    assert "not empty" not in err
    assert steps_of(folder) == list(range(8))
    assert not list(folder.glob("*before*"))
    assert checkpoint["global_step"] == 6
    assert (folder / "config.yaml").read_text() == before.replace("max_steps: 6", "max_steps: 8")
    assert len(list((tmp_path / "runs/run").iterdir())) == 2


def shorter_last(cli: CrossxCLI) -> Path:
    """The checkpoint of a run."""
    return Path(cli.trainer.log_dir or "") / "checkpoints/last.ckpt"
