"""`results.json`: what is in it, when it is written, and what it may be compared with."""

import json
import math
import re
from pathlib import Path
from typing import Any, get_args

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support.commands import RECONSTRUCTION, config, edit, joint_config, part, run
from support.runs import CLASSES, SIZE, Teachers, data, joint, trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import crossx
from crossx.classification.module import ClassifierModule
from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.evaluation.posterior import TEMPERATURES, PosteriorForm
from crossx.reports.run.remarks import matching
from crossx.reports.run.report import RunReport
from crossx.reports.run.summary import print_table, read_results
from crossx.teachers.teacher import load_teacher, read_card

METRICS = {"map_all", "map_at_200", "prec_at_50", "prec_at_100", "prec_at_200", "acc_at_1", "map_all_macro"}


def read(folder: Path) -> dict[str, Any]:
    """Strictly JSON, which has neither NaN nor Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    loaded: dict[str, Any] = json.loads((folder / "results.json").read_text(), parse_constant=refuse)
    return loaded


@pytest.fixture(scope="module")
def tested_run(joint_run: Path, teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the same run on the test split."""
    folder = tmp_path_factory.mktemp("tested_run")
    last = joint_run / "checkpoints/last.ckpt"
    words = ["--ckpt_path", str(last), "--trainer.logger.init_args.save_dir", str(folder)]
    run("test", folder / "config.yaml", joint_config(teachers, folder), *words)
    return folder / "run/version_0"


def test_says_what_was_measured_on_what_and_how(joint_run: Path, teachers: Teachers) -> None:
    found = read(joint_run)
    assert set(found) == {
        *("split", "metrics", "at_start", "baselines", "health", "seed", "step", "seconds"),
        *("version", "teachers", "split_hash", "config", "differences", "ap_all", "baselines_ap_all"),
        *("labels", "classes", "posterior", "precision_at_recall", "baselines_precision_at_recall"),
        *("measured", "teacher_accuracy", "posterior_origin", "instance"),
    }
    assert found["instance"] is None, "photos of a class are right, and not one photo"
    assert found["classes"] == list(CLASSES)
    assert len(found["labels"]) == len(found["ap_all"])
    assert set(found["labels"]) == set(range(len(CLASSES)))
    curves = [found["precision_at_recall"], *found["baselines_precision_at_recall"].values()]
    assert len(curves) == 3
    for curve in curves:
        assert len(curve) == 11
        assert curve == sorted(curve, reverse=True)
    assert found["split"] == "validation"
    rows = [found["metrics"], found["at_start"], found["baselines"]["features"], found["baselines"]["posterior"]]
    for row in rows:
        assert set(row) == METRICS
        assert all(0 <= value <= 1 for value in row.values())
    assert found["metrics"] != found["at_start"], "four steps have changed something"
    assert set(found["baselines"]) == {"features", "posterior"}
    assert (found["seed"], found["step"], found["version"]) == (0, 4, crossx.__version__)
    assert 0 < found["seconds"] < 300
    assert found["teachers"] == {
        "photo": load_teacher(teachers.photo).hash,
        "sketch": load_teacher(teachers.sketch).hash,
    }
    assert found["split_hash"] == ShapesDataset(size=SIZE, train=2, validation=2, test=2).split_hash
    assert found["config"]["model"]["init_args"]["schedule"]["warmup"] == 1
    assert found["config"]["trainer"]["max_steps"] == 4
    assert found["config"]["teachers"]["photo"] == teachers.photo


def test_of_the_test_split(joint_run: Path, tested_run: Path) -> None:
    fitted, found = read(joint_run), read(tested_run)
    assert found["split"] == "test"
    assert set(found["metrics"]) == METRICS
    assert found["metrics"] != fitted["metrics"]
    assert set(found["baselines"]) == {"features", "posterior"}
    assert found["baselines"] != fitted["baselines"]
    assert found["teachers"] == fitted["teachers"]
    assert found["step"] == fitted["step"] == 4
    assert found["at_start"] == {}, "step 0 was measured on other images"
    assert set(found["differences"]) == {"features", "posterior"}
    for name, values in found["baselines_ap_all"].items():
        assert sum(values) / 20 == pytest.approx(found["baselines"][name]["map_all"], abs=1e-6)
    assert set(found["baselines_ap_all"]) == {"features", "posterior"}


@pytest.mark.parametrize(("verb", "split"), [("fit", "validation"), ("validate", "validation"), ("test", "test")])
def test_is_written_from_python_too(teachers: Teachers, tmp_path: Path, verb: str, split: str) -> None:
    quiet = trainer(tmp_path, 5, [RunReport()], num_sanity_val_steps=-1)  # an epoch has 5 batches
    getattr(quiet, verb)(joint(teachers), datamodule=data(teachers, evaluated=True))
    found = read(tmp_path)
    assert (found["split"], found["config"], found["baselines"]) == (split, {}, {})
    assert set(found["metrics"]) == METRICS
    assert (found["step"], set(found["at_start"])) == ((5, METRICS) if verb == "fit" else (0, set()))
    short = {"val": "validation", "test": "test"}
    for name, value in quiet.callback_metrics.items():
        stage, _, metric = name.partition("/")
        if short.get(stage) == split:
            assert found["metrics"][metric] == pytest.approx(float(value))


class Validations(Callback):
    """Counts full validations."""

    count = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        Validations.count += not trainer.sanity_checking


@pytest.mark.parametrize(("steps", "validations"), [(4, 2), (5, 3)])
def test_last_weights_are_measured_and_only_once(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    steps: int,
    validations: int,
) -> None:
    """Validation comes after steps 2 and 4; a run of 5 steps ends between two of them."""
    monkeypatch.setattr(Validations, "count", 0)
    content = joint_config(teachers, tmp_path)
    edit(content, "trainer.max_steps", steps)
    edit(content, "trainer.callbacks", [{"class_path": f"{__name__}.Validations"}])
    cli = run("fit", tmp_path / "config.yaml", content)
    assert Validations.count == validations
    assert capsys.readouterr().out.count("run folder:") == 1
    found = read(tmp_path / "run/version_0")
    assert found["step"] == cli.trainer.global_step == steps
    assert found["at_start"]
    assert set(found["baselines"]) == {"features", "posterior"}
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == steps
    quiet = trainer(tmp_path / "again")
    metrics = quiet.validate(cli.model, datamodule=cli.datamodule, verbose=False)[0]
    assert found["metrics"]["map_all"] == pytest.approx(metrics["val/map_all"])


def test_is_stale_until_the_weights_are_measured(teachers: Teachers, tmp_path: Path) -> None:
    report = RunReport()
    quiet = trainer(tmp_path, 7, [report], num_sanity_val_steps=0)
    quiet.fit(joint(teachers), datamodule=data(teachers, evaluated=True))
    assert report.is_stale(quiet), "measured after step 5, trained up to step 7"
    assert not (tmp_path / "results.json").exists(), "old numbers are not reported for new weights"
    quiet.validate(joint(teachers), datamodule=data(teachers, evaluated=True), verbose=False)
    assert not report.is_stale(quiet)
    assert read(tmp_path)["step"] == 7


def test_table_names_the_rows_and_the_run_folder(
    joint_run: Path, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--ckpt_path", str(joint_run / "checkpoints/last.ckpt")]
    words += ["--trainer.logger.init_args.save_dir", str(tmp_path)]
    run("validate", tmp_path / "config.yaml", joint_config(teachers, tmp_path), *words)
    found, fitted = read(tmp_path / "run/version_0"), read(joint_run)
    assert found["metrics"] == fitted["metrics"], "the same weights"
    assert len(found["ap_all"]) == 20
    assert sum(found["ap_all"]) / 20 == pytest.approx(found["metrics"]["map_all"], abs=1e-5)
    assert found["posterior"]["form"] in get_args(PosteriorForm)
    assert found["posterior"].keys() == {"form", "photo_temperature", "sketch_temperature"}
    assert {found["posterior"][f"{modality}_temperature"] for modality in ("photo", "sketch")} <= set(TEMPERATURES)
    rows = {"at_start": found["at_start"], **found["baselines"]}
    for name in ("features", "posterior", "at_start"):
        interval = found["differences"][name]
        assert interval["low"] < interval["difference"] < interval["high"]
        expected = found["metrics"]["map_all"] - rows[name]["map_all"]
        assert interval["difference"] == pytest.approx(expected, abs=1e-6)
    out = capsys.readouterr().out
    told = f"posterior matching: {matching(found['posterior'])}, chosen on validation, by its labels"
    assert told in " ".join(out.split())
    assert f"run folder: {(tmp_path / 'run/version_0').resolve()}\n" in out
    shown = {"this run": found["metrics"], "at step 0": found["at_start"], **found["baselines"]}
    shown = {name: metrics for name, metrics in shown.items() if metrics}
    assert re.search(r"\s+┃\s+".join(shown), out)
    for metric in found["metrics"]:
        numbers = r"\s+│\s+".join(f"{metrics[metric]:.3f}" for metrics in shown.values())
        assert re.search(rf"{metric}\s+│\s+{numbers}", out), metric
    assert max(map(len, out.split("run folder:")[0].splitlines())) <= 80


def test_posterior_matching_in_words() -> None:
    choice = {"form": "dot", "photo_temperature": 1.0, "sketch_temperature": 0.5}
    assert matching(choice) == "dot at 1 for photos and 0.5 for sketches"
    assert matching({**choice, "form": "logit_cosine"}) == "logit_cosine"


@pytest.mark.parametrize(
    "text", [None, "nonsense", "[]", '{"split": "test"}', '{"metrics": {"map_all": 1}}', '{"metrics": 1, "split": "x"}']
)
def test_a_file_without_results_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"^results: .*x\.json"):
        read_results(tmp_path / "x.json", "results")


def test_damaged_values_are_named(joint_run: Path, tmp_path: Path) -> None:
    results = read(joint_run)
    results["ap_all"][3] = "high"
    (tmp_path / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match=r"^results: .*ap_all: 'high' is no number"):
        read_results(tmp_path / "results.json", "results")


def test_null_is_an_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        "Title", {"this run": {"map_all": 0.5, "acc_at_1": 0.25}, "other": {"map_all": None, "acc_at_1": 0.123}}
    )
    out = capsys.readouterr().out
    for metric, values in (("map_all", ["0.500", ""]), ("acc_at_1", ["0.250", "0.123"])):
        (row,) = [line for line in out.splitlines() if metric in line]
        assert [cell.strip() for cell in row.strip("│").split("│")] == [metric, *values]


class Lost(pl.LightningModule):
    """A run that went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.log_dict({"lost": math.nan, "far": math.inf, "fine": 0.5})
        loss: Tensor = self.layer(batch[0]).sum()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_what_is_no_number_becomes_null(tmp_path: Path) -> None:
    report = RunReport()
    report.config = {"list": [1.5, -math.inf]}
    batches = DataLoader(TensorDataset(torch.ones(1, 1)))
    trainer(tmp_path, 1, [report]).fit(Lost(), batches)
    found = read(tmp_path)
    assert found["metrics"] == {"lost": None, "far": None, "fine": 0.5}
    assert found["config"] == {"list": [1.5, None]}
    assert (found["teachers"], found["split_hash"]) == ({}, None)


def test_reconstruction_reports_its_logs_as_measured_on_no_split(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", tmp_path / "c.yaml", config(teachers, tmp_path, RECONSTRUCTION))
    folder = tmp_path / "run/version_0"
    found = read(folder)
    assert found["split"] is None
    assert {"recon/loss", "recon/agreement"} <= set(found["metrics"])
    out = capsys.readouterr().out
    assert "step 4, not measured on any split" in out
    assert f"generators: {(folder / 'generators.safetensors').resolve()}" in out


def test_teacher_reports_the_epoch_that_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = part("ShapesDataset", size=16, train=4, validation=4, test=2)
    network = {"network": "SmallResNet", "arguments": {"widths": [8, 8]}, "input_size": 16}
    content = {
        "model": part("ClassifierModule", output=str(tmp_path / "new/t.safetensors"), **network),
        "data": part("LabelledImagesDataModule", dataset=dataset, modality="photo", batch_size=8),
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 15,
            "max_epochs": -1,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": part("lightning.pytorch.loggers.CSVLogger", save_dir=str(tmp_path), name="run"),
        },
    }
    cli = run("fit", tmp_path / "c.yaml", content)
    found = read(tmp_path / "run/version_0")
    assert isinstance(cli.model, ClassifierModule)
    assert cli.model.best is not None
    assert found["split"] == "validation"
    assert found["metrics"] == {"accuracy": cli.model.best["accuracy"], "best_epoch": cli.model.best["epoch"]}
    assert read_card(tmp_path / "new/t.safetensors").accuracy == found["metrics"]["accuracy"]
    assert f"teacher: {tmp_path.resolve() / 'new/t.safetensors'}" in capsys.readouterr().out
