"""Rows of the quality benchmark, measured for real on the embedded data set, in this process."""

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from threading import Lock

import pytest
from support.commands import edit, joint_config, part, write
from support.runs import CLASSES, SIZE, Teachers

from benchmarks.quality import __main__ as command
from benchmarks.quality import child, report
from benchmarks.quality import outcome as outcomes
from benchmarks.quality.identity import run_digest
from benchmarks.quality.outcome import outcome
from benchmarks.quality.plan import Measurement, output
from benchmarks.quality.runner import Runner
from benchmarks.quality.store import Result
from benchmarks.quality.types import Benchmark, Row, Table, Teacher
from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors
from crossx.types import Split

CLASSIFIER_ONLY = ("classifier_only.yaml",)
CROSSX = Row("crossx", "crossx")
ROWS = (
    Row("classifier_only", "Classifier Only", CLASSIFIER_ONLY, trains=False),
    Row("posterior_matching", "posterior matching", CLASSIFIER_ONLY, trains=False, baseline="posterior"),
    Row("broken", "Broken", argv=("--model.reconstruction.init_args.generator.init_args.size=7",)),
    Row(
        "diverging",
        "Diverging",
        argv=("--model.encoding.init_args.optimizer={class_path: SGD, init_args: {lr: 1e38}}",),
    ),
    CROSSX,
)
CLASSIFIER_ONLY_MODEL = {
    "model": part(
        "EncoderModule",
        encoder=part("ClassifierOnly"),
        terms={"matching": {"loss": part("PosteriorMatchingLoss")}},
        replay=None,
    )
}
MOMENTS = {"moments": {"loss": part("ActivationMomentsLoss", photo="a record", sketch="a record")}}
RECORDED = Row("recorded", "Recorded", ("meta_data.yaml",), records=True)
BAD = Row("bad", "Bad", argv=("--model.nothing=1",))
MORE = Row(
    "more", "other images", measured_argv=("--data.dataset.init_args.validation=3",), groups={"first": (CLASSES[0],)}
)
TABLES = (
    Table("published", "Baselines", "About them.", ROWS, "crossx", seeds=2),
    Table("elsewhere", "Elsewhere", "About it.", (CROSSX, MORE, BAD, RECORDED), "crossx", seeds=1, groups=("first",)),
)

Measure = Callable[..., int]


def teacher_config(folder: Path, modality: str) -> str:
    dataset = part("ShapesDataset", size=SIZE, train=2, validation=2, test=2)
    content = {
        "model": part("ClassifierModule", output="unused.safetensors", input_size=SIZE, arguments={"widths": [8, 8]}),
        "data": part("LabelledImagesDataModule", dataset=dataset, modality=modality, batch_size=8),
        "trainer": {"accelerator": "cpu", "max_steps": 2, "max_epochs": -1, "enable_model_summary": False},
    }
    return write(folder / f"{modality}.yaml", content)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands of crossx that were run, in this process and not in others, which would take seconds each to start."""
    made: list[str] = []
    one_at_a_time = Lock()  # random numbers and the standard error are those of the whole process

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:  # noqa: ARG001 - a method
        made.append(words[0])
        log.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time, log.open("w") as file, redirect_stderr(file):
            return child.run(words)

    monkeypatch.setattr(Runner, "crossx", crossx)
    return made


@pytest.fixture(autouse=True)
def few_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these runs, so they are drawn in one test."""
    if "pictures" not in request.node.name:
        without_pictures(monkeypatch)


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "draw", lambda *_: None)
    monkeypatch.setattr(report.Report, "_sheets", lambda *_: None)


@pytest.fixture
def measure(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: list[str],  # noqa: ARG001 - in this process
) -> Measure:
    """The command with a small benchmark, whose first teachers are there in the folders `out` and `straight`."""
    content = joint_config(teachers, tmp_path)
    edit(content, "data.batches_per_epoch", 4)  # one validation is enough
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "classifier_only.yaml", CLASSIFIER_ONLY_MODEL)
    write(tmp_path / "meta_data.yaml", {"model": {"init_args": {"reconstruction": {"init_args": {"terms": MOMENTS}}}}})
    config = write(tmp_path / "config.yaml", content)
    made = {modality: Teacher(modality, teacher_config(tmp_path, modality)) for modality in ("photo", "sketch")}
    benchmark = Benchmark("shapes", (config,), made["photo"], made["sketch"], made["photo"], ("prec_at_50",), TABLES)
    for folder in ("out", "straight"):
        for modality, job in Measurement(benchmark, CROSSX, 0, "validation", tmp_path / folder).teacher_jobs.items():
            job.folder.mkdir(parents=True)
            output(job).write_bytes(Path(teachers._asdict()[modality]).read_bytes())
            job.done.write_text('{"files": {}}')
    monkeypatch.setattr(command, "BENCHMARKS", {"shapes": benchmark})

    def measured(*words: str, output: str = "out") -> int:
        arguments = ["quality", "--benchmark", "shapes", "--output", str(tmp_path / output), "--jobs", "1"]
        monkeypatch.setattr(sys, "argv", [*arguments, "--split", "validation", *words])
        return command.main()

    return measured


def results(tmp_path: Path, row: str, folder: str = "out", split: Split = "validation") -> list[Result]:
    """Current results of a row and its failures, seed by seed."""
    benchmark = vars(command)["BENCHMARKS"]["shapes"]
    measured = [Measurement(benchmark, benchmark.rows[row], s, split, tmp_path / folder) for s in range(2)]
    return [found for m in measured if (found := outcome(m)) is not None]


def result(tmp_path: Path, row: str, folder: str = "out", split: Split = "validation") -> Result:
    (found,) = results(tmp_path, row, folder, split)
    return found


def measurements(tmp_path: Path, row: str) -> list[Path]:
    """Folders of all measurements of a row, current or not."""
    return sorted(path.parent for path in (tmp_path / "out/runs/shapes").glob(f"{row}-*/done.json"))


def test_measures_what_is_missing_and_shows_it_in_pictures(
    measure: Measure,
    tmp_path: Path,
    calls: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = ("--rows", "classifier_only", "posterior_matching", "crossx")
    assert measure(*rows, "--seeds", "0") == 0
    assert calls == ["validate", "validate", "fit", "validate"]
    found = result(tmp_path, "crossx")
    assert (found.split, found.failed, len(found.ap_all), len(found.labels)) == ("validation", "", 20, 20)
    assert found.classes == list(CLASSES)
    assert [step for step, _ in found.curve] == [0, 4]
    assert found.curve[-1][1] == pytest.approx(found.metrics["map_all"], abs=1e-6)
    assert found.seconds > 0
    assert found.fitted_with == found.measured_with
    assert {"commit", "torch", "cpu"} <= found.fitted_with.keys()
    assert 0 <= found.pairs["recon/agreement"] <= 1
    assert found.precision_at_recall[0] >= found.precision_at_recall[-1] > 0
    features, posterior = (result(tmp_path, row) for row in ("classifier_only", "posterior_matching"))
    assert set(posterior.posterior) == {"form", "temperature"}
    assert not features.posterior
    assert features.ap_all != posterior.ap_all
    assert features.precision_at_recall != posterior.precision_at_recall
    assert not features.curve
    assert not features.fitted_with
    shown = capsys.readouterr().out
    assert f"| crossx | `crossx` | {found.metrics['map_all']:.3f} |" in shown
    assert "[3/3] crossx, seed 0: mAP@all" in shown
    written = tmp_path / "out/results"
    assert (written / "shapes-validation.md").read_text() in shown
    for picture in ("bars", "curves", "precision-recall", "retrieval", "pairs"):
        assert (written / f"shapes-validation-published-{picture}.png").stat().st_size > 1000

    without_pictures(monkeypatch)
    calls.clear()
    assert measure(*rows, "--seeds", "0") == 0
    assert not calls
    assert measure("--rows", "crossx") == 0  # its second seed, with teachers of its own
    assert calls == ["fit", "fit", "fit", "validate"]
    first, second = results(tmp_path, "crossx")
    assert first == found
    assert second.ap_all != found.ap_all
    assert second.files.keys() == {"photo", "sketch"}


def test_one_fit_is_measured_in_many_ways(
    measure: Measure, tmp_path: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Other images, and the test split. With two jobs it is one of them, beside others."""
    assert measure("--rows", "classifier_only", "crossx", "more", "--seeds", "0", "--jobs", "2") == 0
    assert sorted(calls) == ["fit", *["validate"] * 3]
    told = capsys.readouterr().out
    for number in range(1, 4):
        assert f"[{number}/3] " in told
    assert result(tmp_path, "classifier_only").metrics
    crossx, more = result(tmp_path, "crossx"), result(tmp_path, "more")
    assert len(more.ap_all) == 30 > len(crossx.ap_all)
    assert more.curve == crossx.curve
    text = (tmp_path / "out/results/shapes-validation.md").read_text()
    first = [ap for ap, label in zip(more.ap_all, more.labels, strict=True) if more.classes[label] == CLASSES[0]]
    assert f"| {sum(ap for ap in first if ap is not None) / len(first):.3f} | 1 |" in text.split("| other images |")[1]
    calls.clear()
    assert measure("--rows", "crossx", "--seeds", "0", "--split", "test") == 0
    assert calls == ["test"]
    assert result(tmp_path, "crossx", split="test").split == "test"
    assert (tmp_path / "out/results/shapes-test.md").is_file()
    assert measure("--rows", "classifier_only", "crossx", "more", "--seeds", "0", output="straight") == 0  # one job
    for row in ("classifier_only", "crossx", "more"):
        assert result(tmp_path, row).ap_all == result(tmp_path, row, "straight").ap_all


def test_a_config_that_is_changed_meanwhile_is_told(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its figures would be those of one config, and their hash that of another."""
    run, config = Runner.crossx, tmp_path / "config.yaml"

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:
        status = run(self, words, log)
        config.write_text(config.read_text().replace("batches_per_epoch: 4", "batches_per_epoch: 3"))
        return status

    monkeypatch.setattr(Runner, "crossx", crossx)
    assert measure("--rows", "classifier_only", "--seeds", "0") == 1
    found = result(tmp_path, "classifier_only")
    assert found.failed == "a config or the code has been changed during a run that uses it; run the command again"
    run_digest.cache_clear()
    assert measure("--rows", "classifier_only", "--seeds", "0") == 0


def test_a_failure_leaves_an_earlier_figure(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    rows = ("--rows", "classifier_only", "--seeds", "1")
    assert measure(*rows) == 0
    first = result(tmp_path, "classifier_only")
    (teacher,) = (tmp_path / "out/runs/shapes").glob("photo-1-*/done.json")
    teacher.unlink()
    with monkeypatch.context() as broken:
        broken.setattr(Runner, "crossx", lambda *_: 1)
        assert measure(*rows) == 1
    assert result(tmp_path, "classifier_only").failed.startswith("teacher photo, seed 1 ended with status 1; see ")
    assert len(measurements(tmp_path, "classifier_only")) == 1
    calls.clear()
    assert measure(*rows) == 0
    assert calls == ["fit"]  # the teacher, which is as it was: its figures hold
    assert result(tmp_path, "classifier_only") == first


def test_a_result_holds_for_what_gave_it(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    rows = ("--rows", "crossx", "--seeds", "0")
    measure(*rows)
    first = result(tmp_path, "crossx")
    calls.clear()
    assert measure(*rows, "--data.batches_per_epoch=2") == 0
    assert calls == ["fit", "validate"]
    assert len(measurements(tmp_path, "crossx")) == 2  # the first one is still there
    calls.clear()
    assert measure(*rows) == 0
    assert not calls
    assert result(tmp_path, "crossx") == first


def test_teachers_older_than_their_config_are_trained_again(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    rows = ("--rows", "crossx", "--seeds", "0")
    measure(*rows)
    first = result(tmp_path, "crossx")
    config = tmp_path / "sketch.yaml"
    config.write_text(config.read_text().replace("max_steps: 2", "max_steps: 3"))
    run_digest.cache_clear()
    calls.clear()
    assert measure(*rows) == 0
    assert calls == ["fit", "fit", "validate"]  # the sketch teacher and the row
    again = result(tmp_path, "crossx")
    assert again.files["sketch"] != first.files["sketch"]
    assert again.files["photo"] == first.files["photo"]


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
        return 1 if any("output=" in word and "sketch-1" in word for word in words) else run(self, words, log)

    monkeypatch.setattr(Runner, "crossx", crossx)
    assert measure("--rows", "crossx") == 1
    assert calls == ["fit"]  # the second photo teacher
    good, bad = results(tmp_path, "crossx")
    assert good.metrics
    assert bad.failed.startswith("teacher sketch, seed 1 ended with status 1; see ")
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
