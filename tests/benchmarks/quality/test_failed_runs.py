"""Rows that fail, are interrupted, or cannot be written: the others go on, and nothing wrong is shown."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_benchmark import Measure, result, results

from benchmarks.quality import child, report
from benchmarks.quality import outcome as outcomes
from benchmarks.quality.runner import Runner
from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors

pytest_plugins = ["benchmark_fixtures"]
pytestmark = pytest.mark.usefixtures("few_pictures")


def test_a_row_that_fails_stops_nothing(
    measure: Measure, tmp_path: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("--rows", "broken", "bad", "classifier_only", "--seeds", "0") == 1
    found = result(tmp_path, "broken")
    assert not found.metrics
    reason, _, log = found.failed.rpartition("; see ")
    assert reason.startswith("fit of broken, seed 0 ended with status 2: ")
    assert f"crossx: error: {reason.partition(': ')[2]}" in Path(log).read_text()
    assert "nothing" in result(tmp_path, "bad").failed
    assert result(tmp_path, "classifier_only").metrics
    assert "| Broken | `broken` | failed |" in capsys.readouterr().out
    calls.clear()
    assert measure("--rows", "broken", "--seeds", "0") == 1
    assert calls == ["fit"]  # tried again


def test_a_row_that_diverges_is_a_failure_with_its_log(
    measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("--rows", "diverging", "classifier_only", "--seeds", "0") == 1
    found = result(tmp_path, "diverging")
    assert not found.metrics
    assert found.failed.startswith("fit of diverging, seed 0 ended with status ")
    assert "the encoder has diverged" in Path(found.failed.rpartition("; see ")[2]).read_text()
    assert result(tmp_path, "classifier_only").metrics
    printed = capsys.readouterr().out
    assert "| Diverging | `diverging` | failed |" in printed
    assert f"`diverging`, seed 0, failed: {found.failed}\n" in printed


def test_teachers_that_cannot_be_made_fail_their_rows(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    assert measure("--rows", "crossx", "--seeds", "0") == 0
    calls.clear()
    run = Runner.crossx

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:
        return 1 if any("output=" in word and "sketch-11" in word for word in words) else run(self, words, log)

    monkeypatch.setattr(Runner, "crossx", crossx)
    assert measure("--rows", "crossx") == 1
    assert calls == ["fit"]  # the second photo teacher
    good, bad = results(tmp_path, "crossx")
    assert good.metrics
    assert bad.failed.startswith("teacher sketch, seed 11 ended with status 1; see ")
    assert "| 1, 1 failed |" in (tmp_path / "out/results/shapes-validation.md").read_text()


def test_a_full_disk_ends_neither_teachers_nor_rows(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Runner.crossx

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:
        if log.name.startswith("photo-1"):
            raise OSError(28, "no space left")
        return run(self, words, log)

    def write_nothing(self: report.Report) -> str:  # noqa: ARG001 - a method
        raise OSError(28, "no space left")

    monkeypatch.setattr(Runner, "crossx", crossx)
    with monkeypatch.context() as full:
        full.setattr(report.Report, "write", write_nothing)
        assert measure("--rows", "classifier_only") == 1
    good, bad = results(tmp_path, "classifier_only")
    assert good.metrics
    assert bad.failed == "[Errno 28] no space left"
    assert "tables cannot be written: [Errno 28] no space left\n" in capsys.readouterr().err
    assert measure("--jobs", "0") == 0
    assert "`classifier_only`, seed 1, failed: [Errno 28] no space left" in capsys.readouterr().out


def test_a_reason_that_cannot_be_kept_stops_nothing(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_text(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(outcomes, "write_text", write_text)
    assert measure("--rows", "broken", "classifier_only", "--seeds", "0") == 1
    assert ".failed: [Errno 28] no space left" in capsys.readouterr().err
    assert result(tmp_path, "classifier_only").metrics


def test_records_that_cannot_be_made_fail_their_rows(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(teacher: Path, *_: object) -> None:
        raise InputError(f"{teacher.name}: no images")

    monkeypatch.setattr(child, "record", record)
    assert measure("--rows", "recorded", "classifier_only", "--seeds", "0") == 1
    failed = result(tmp_path, "recorded").failed
    assert failed.startswith(
        "record of teacher photo, seed 0 ended with status 2: teacher.safetensors: no images; see "
    )
    assert result(tmp_path, "classifier_only").metrics


def test_records_are_made_once_for_each_teacher(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    assert measure("--rows", "recorded", "--seeds", "0") == 0
    assert calls == ["record", "record", "fit", "validate"]
    records = list((tmp_path / "out/runs/shapes").glob("record-*/record.safetensors"))
    assert {tuple(sorted(read_safetensors(path, "record")[0])) for path in records} == {("covariance", "mean")}
    calls.clear()
    assert measure("--rows", "recorded", "--seeds", "0", "--split", "test") == 0
    assert calls == ["test"]


def test_a_fit_that_ends_badly_is_no_fit(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    """Also when its weights and figures have been written."""
    run, rows = Runner.crossx, ("--rows", "crossx", "--seeds", "0")

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:
        return run(self, words, log) or 1

    with monkeypatch.context() as context:
        context.setattr(Runner, "crossx", crossx)
        assert measure(*rows) == 1
    assert result(tmp_path, "crossx").failed.startswith("fit of crossx, seed 0 ended with status 1")
    assert list((tmp_path / "out" / "runs").rglob("last.ckpt"))
    calls.clear()
    assert measure(*rows) == 0
    assert calls == ["fit", "validate"]


def test_a_typing_error_is_found_before_anything_is_trained(
    measure: Measure, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("--rows", "crossx", "--trainer.max_stepz=3") == 2
    assert "max_stepz" in capsys.readouterr().err
    assert not calls


def test_an_interrupted_row_leaves_no_figure_and_changes_none(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("--rows", "classifier_only", "crossx", "--seeds", "0")
    measure(*rows, output="straight")
    whole, attempts = Runner.crossx, []

    def interrupted(self: Runner, words: Sequence[str], log: Path) -> int:
        attempts.append(words[0])
        if attempts == ["validate", "fit"]:  # in the middle of the fit
            (log.with_suffix("") / "metrics.csv").write_text("step,val/map_all\n3,0.9\n")
            raise KeyboardInterrupt
        status = whole(self, words, log)
        if attempts == ["behind the fit", "fit"]:
            raise KeyboardInterrupt
        return status

    monkeypatch.setattr(Runner, "crossx", interrupted)
    assert measure(*rows) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not results(tmp_path, "crossx")
    assert result(tmp_path, "classifier_only").metrics  # the finished row is kept
    attempts[:] = ["behind the fit"]
    assert measure(*rows) == 130
    assert not results(tmp_path, "crossx")
    attempts[:] = ["to the end"]
    assert measure(*rows) == 0
    assert attempts == ["to the end", "fit", "validate"]  # and nothing of the finished row
    straight, found = result(tmp_path, "crossx", "straight"), result(tmp_path, "crossx")
    assert replace(found, seconds=0) == replace(straight, seconds=0)


def test_mistakes_are_named(measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (("--rows", "nothing"), "--rows: must be one of classifier_only, posterior_matching, broken"),
        (("--tables", "nothing"), "--tables: must be one of published, elsewhere; got 'nothing'"),
        (("--benchmark", "other"), "--benchmark: must be one of shapes; got 'other'"),
        (("--seeds", "0", "2"), "--seeds: must be in [0, 1], got 2"),
        (("--jobs", "-1"), "--jobs: must be at least 0, got -1"),
        (("--seed_everything", "3"), "--seed_everything: must not be given here, because the command sets it"),
    ):
        assert measure(*words, output="new") == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    assert measure(output="file") == 2
    assert f"--output: must be a folder that can be written, got '{tmp_path / 'file'}'" in capsys.readouterr().err
