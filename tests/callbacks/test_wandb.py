"""W&B: an offline run for real, read back from its file; off by config; a server that cannot be reached."""

import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
import yaml
from commands import ENCODING, Config, config, edit, joint_config, part, write
from runs import Teachers, data, joint, trainer
from wandb_records import WrittenRun

from crossx.callbacks.report import RunReport
from crossx.callbacks.wandb import WandbDashboard
from crossx.cli import main
from crossx.cli.training import train
from crossx.errors import InputError
from crossx.teachers.teacher import load_teacher

MEDIA = {"pairs", "classes", "hardest", "filmstrip", "retrieval_validation"}
LOGGER = "lightning.pytorch.loggers.WandbLogger"
SWEEP = Path(__file__).parents[2] / "sweeps/quickstart.yaml"


@pytest.fixture(scope="module", autouse=True)
def own_wandb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """W&B without network, key, or files outside of the test's folder."""
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name in ("DATA_DIR", "CACHE_DIR", "CONFIG_DIR", "ARTIFACT_DIR"):
            patch.setenv(f"WANDB_{name}", str(folder / name))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        wandb.teardown()  # so that it reads the environment anew
        yield
        wandb.teardown()


def fit(folder: Path, content: Config, *words: str) -> None:
    """Fit a config with W&B put behind it."""
    where = ["--trainer.logger.init_args.save_dir", str(folder)]
    train(["fit", "--config", write(folder / "c.yaml", content), "--config", "trainer/wandb.yaml", *where, *words])


@pytest.fixture(scope="module")
def folder(teachers: Teachers, own_wandb: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """The joint run of the other tests, with W&B."""
    folder = tmp_path_factory.mktemp("run")
    fit(folder, joint_config(teachers, folder))
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> WrittenRun:
    return WrittenRun(folder)


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "run/version_0/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_scalars_are_those_of_the_table(folder: Path, written: WrittenRun) -> None:
    rows = metrics(folder)
    names = {name for name in rows[0] if "/" in name}
    assert {name.partition("/")[0] for name in names} == {"recon", "encode", "val"}
    assert {"encode/pair_agreement", "encode/loss", "recon/agreement", "val/map_all"} <= names
    for name in names:
        expected = {int(row["step"]): float(row[name]) for row in rows if row[name]}
        assert expected
        assert written.logged(name) == pytest.approx(expected)


def test_one_step_axis(written: WrittenRun) -> None:
    assert {f"{group}/*" for group in ("recon", "encode", "val", "test", "media", "classes")} < set(written.axes)
    axes = {axis for name, axis in written.axes.items() if name != "trainer/global_step"}
    assert axes == {"trainer/global_step"}
    assert all("trainer/global_step" in row for row in written.history)


def test_config_is_the_resolved_one(folder: Path, written: WrittenRun) -> None:
    expected = json.loads((folder / "run/version_0/results.json").read_text())["config"]
    assert expected["model"]["init_args"]["schedule"]["warmup"] == 1
    found = dict(written.config)
    assert found.pop("run_folder") == str((folder / "run/version_0").resolve())
    assert {name: value for name, value in found.items() if not name.startswith("_")} == expected


def test_pictures_are_those_of_the_run_folder_at_validations_only(folder: Path, written: WrittenRun) -> None:
    own = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(folder / "run/version_0")
        for path in (folder / "run/version_0").rglob("*.png")
    }
    names = {key for row in written.history for key in row if key.startswith("media/")}
    assert names == {f"media/{name}" for name in MEDIA}
    for name in names:
        for step, picture in written.logged(name).items():
            assert step in (0, 2, 4)
            sent = hashlib.sha256((written.files / picture["path"]).read_bytes()).hexdigest()
            assert sent == picture["sha256"]
            if name == "media/filmstrip" and step < 4:
                continue  # written anew since then
            assert own[sent].with_suffix("").as_posix().replace("/", "_").startswith(name.removeprefix("media/"))
            if name != "media/filmstrip":
                assert own[sent].stem.endswith(f"step_{step:07d}")
    assert set(written.logged("media/filmstrip")) == {0, 2, 4}
    assert set(written.logged("media/retrieval_validation")) == {2, 4}


def test_histograms_are_the_counts_of_the_tables(folder: Path, written: WrittenRun) -> None:
    for side in ("photo", "sketch"):
        logged = written.logged(f"classes/{side}")
        assert set(logged) == {2, 4}
        for step, histogram in logged.items():
            with (folder / f"run/version_0/classes/step_{step:07d}.csv").open(newline="") as file:
                counts = [int(row[side]) for row in csv.DictReader(file)]
            assert histogram["values"] == counts
            assert histogram["bins"] == list(range(len(counts) + 1))


def test_lineage_from_teachers_to_encoders(folder: Path, written: WrittenRun, teachers: Teachers) -> None:
    used = [artifact for artifact in written.artifacts if artifact.use_after_commit]
    logged = [artifact for artifact in written.artifacts if not artifact.use_after_commit]
    hashes = {side: load_teacher(path).hash for side, path in teachers._asdict().items()}
    assert [(a.type, a.name) for a in used] == [("teacher", f"teacher-{side}-{hashes[side][:12]}") for side in hashes]
    assert [(a.type, a.name.partition("-")[0]) for a in logged] == [("encoders", "encoders")]
    assert "last" in logged[0].aliases
    assert "best" not in logged[0].aliases, "nothing was picked"
    about = json.loads(logged[0].metadata)
    assert about == {"step": 4, "weights": "last", "data_free": True, "teachers": hashes}
    assert json.loads(used[0].metadata)["classes"] == list(load_teacher(teachers.photo).card.classes)
    files = {entry.path: entry.size for artifact in written.artifacts for entry in artifact.manifest.contents}
    assert files == {
        "photo.safetensors": Path(teachers.photo).stat().st_size,
        "sketch.safetensors": Path(teachers.sketch).stat().st_size,
        "encoders.safetensors": (folder / "run/version_0/encoders.safetensors").stat().st_size,
    }


def test_run_with_data_without_media(teachers: Teachers, tmp_path: Path) -> None:
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.pairs", part("RealPairs"))
    fit(tmp_path, content, "--wandb.media", "false")
    written = WrittenRun(tmp_path)
    assert not [key for row in written.history for key in row if key.startswith(("media/", "classes/"))]
    about = json.loads(written.artifacts[-1].metadata)
    assert (about["weights"], about["data_free"]) == ("last", False)


def test_wandb_alone_leaves_everything_in_a_folder_of_its_own(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    logger = {"save_dir": str(tmp_path / "runs"), "project": "p", "offline": True, "id": "first"}
    content["trainer"]["logger"] = part(LOGGER, **logger)
    train(["fit", "--config", write(tmp_path / "c.yaml", content), "--wandb.artifacts", "false"])
    assert WrittenRun(tmp_path / "runs").artifacts == []
    left = {path.name for path in (tmp_path / "runs/p/first").iterdir()}
    expected = {"config.yaml", "metrics.csv", "results.json", "encoders.safetensors", "filmstrip.png", "checkpoints"}
    assert left == expected | {"pairs", "retrieval", "classes", "hardest"}
    with (tmp_path / "runs/p/first/metrics.csv").open(newline="") as file:
        assert {"recon/loss", "encode/loss", "val/map_all"} <= set(next(csv.reader(file)))


def test_disabled_leaves_nothing(teachers: Teachers, tmp_path: Path) -> None:
    fit(tmp_path, joint_config(teachers, tmp_path), "--trainer.logger.init_args.mode", "disabled")
    assert not list(tmp_path.rglob("*.wandb"))
    assert (tmp_path / "run/version_0/hardest").is_dir()


def test_off_by_default(joint_run: Path, teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(joint_run.parents[1].rglob("*wandb*"))
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import would fail
    callbacks: list[Any] = [WandbDashboard(), RunReport()]
    quiet = trainer(tmp_path, 5, callbacks)
    quiet.fit(joint(teachers), datamodule=data(teachers, evaluated=True))
    assert quiet.global_step == 5


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (wandb.errors.CommError("timed out after 7 seconds\nand more"), "timed out after 7 seconds"),
        (wandb.errors.UsageError("No API key configured."), "No API key configured"),
    ],
)
def test_server_that_cannot_be_reached(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    reason: str,
) -> None:
    timeouts = []

    def init(**settings: object) -> None:
        assert settings["project"] == "crossx"
        timeouts.append(os.environ["WANDB_INIT_TIMEOUT"])
        raise error

    monkeypatch.setattr(wandb, "init", init)
    path = write(tmp_path / "c.yaml", joint_config(teachers, tmp_path))
    words = ["--config", path, "--config", "trainer/wandb.yaml", "--trainer.logger.init_args.save_dir", str(tmp_path)]
    assert main(["fit", *words, "--wandb.init_timeout", "7"]) == 2
    message = capsys.readouterr().err.partition("crossx: error: ")[2].strip()
    assert message.startswith(f"trainer.logger: W&B did not start ({reason}); `wandb login`, or go offline with ")
    assert "\n" not in message
    assert timeouts == ["7"]
    assert "WANDB_INIT_TIMEOUT" not in os.environ
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["c.yaml"], "nothing has begun"


def test_number_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"wandb\.init_timeout: 0 is not legal"):
        WandbDashboard(init_timeout=0)


def test_sweep_runs_what_its_agent_would_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = yaml.safe_load(SWEEP.read_text())
    arguments = [f"--{name}={choice['values'][-1]}" for name, choice in sweep["parameters"].items()]
    env, program, *words, last = sweep["command"]
    assert (env, program, sweep["program"], last) == ("${env}", "${program}", "crossx", "${args}")
    small = ["--data.batch_size", "4", "--trainer.enable_progress_bar", "false", "--data.dataset.validation", "2"]
    cli = train([*words, *arguments, *small, "--trainer.fast_dev_run", "true"])
    assert cli.trainer.global_step == 2
    assert cli.model.reconstruction.objective.terms["alignment"].weight == 2.0
    assert sweep["metric"]["name"] in cli.trainer.callback_metrics
