"""Rows of the quality benchmark, measured for real on the embedded data set, in this process."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from commands import edit, joint_config, part, write
from runs import SIZE, Teachers

from benchmarks.quality import __main__ as command
from benchmarks.quality import run
from benchmarks.quality.rows import Benchmark, Row
from benchmarks.quality.store import Result, place
from crossx.cli.training import train
from crossx.errors import InputError

ROWS = {
    row.name: row
    for row in (
        Row("classifier_only", "Classifier Only", "published", ("baselines/classifier_only.yaml",), trains=False),
        Row(
            "posterior_matching",
            "posterior matching",
            "published",
            ("baselines/classifier_only.yaml",),
            trains=False,
            baseline="posterior",
        ),
        Row(
            "broken",
            "Broken",
            "published",
            words=("--model.reconstruction.init_args.photo_generator.init_args.size=7",),
        ),
        Row("crossx", "crossx", "published", seeds=2),
    )
}

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

    def crossx(verb: str, words: Sequence[str], output: IO[str]) -> int:
        made.append(verb)
        try:
            train([verb, *words, "--trainer.enable_progress_bar=false"])
        except InputError as error:
            output.write(f"crossx: error: {error}\n")
            return 2
        return 0

    monkeypatch.setattr(run, "_crossx", crossx)
    return made


@pytest.fixture
def measure(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: list[str],  # noqa: ARG001 - in this process
) -> Measure:
    """The command with a small benchmark, whose first teachers are there in the folders `out` and `straight`."""
    for folder in ("out", "straight"):
        for modality, teacher in teachers._asdict().items():
            path = tmp_path / folder / "teachers" / "shapes" / f"{modality}-0.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Path(teacher).read_bytes())
    content = joint_config(teachers, tmp_path)
    edit(content, "data.batches_per_epoch", 4)  # one validation is enough
    edit(content, "trainer.num_sanity_val_steps", 0)
    config = write(tmp_path / "config.yaml", content)
    photo, sketch = (teacher_config(tmp_path, modality) for modality in ("photo", "sketch"))
    monkeypatch.setattr(
        command, "BENCHMARKS", {"shapes": Benchmark("shapes", config, photo, sketch, photo, ("prec_at_50",))}
    )
    monkeypatch.setattr(command, "ROWS", ROWS)

    def measured(*words: str, output: str = "out") -> int:
        arguments = ["quality", "--benchmark", "shapes", "--output", str(tmp_path / output), *words]
        monkeypatch.setattr(sys, "argv", arguments)
        return command.main()

    return measured


def result(tmp_path: Path, row: str, seed: int = 0, output: str = "out") -> Result:
    return Result.read(place(tmp_path / output / "results", "shapes", row, seed))


def test_measures_what_is_missing_and_nothing_else(
    measure: Measure, tmp_path: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("--rows", "classifier_only", "posterior_matching", "crossx")
    assert measure(*rows, "--seeds", "1") == 0
    assert calls == ["validate", "validate", "fit", "validate"]
    found = result(tmp_path, "crossx")
    assert (found.split, found.failed, len(found.ap_all)) == ("validation", "", 20)
    assert [step for step, _ in found.curve] == [4]
    assert found.curve[-1][1] == pytest.approx(found.metrics["map_all"], abs=1e-6)
    assert found.seconds > 0
    features, posterior = (result(tmp_path, row) for row in ("classifier_only", "posterior_matching"))
    assert features.ap_all != posterior.ap_all
    assert not features.curve
    shown = capsys.readouterr().out
    assert f"| crossx | {found.metrics['map_all']:.3f} |" in shown
    assert "[3/3] crossx, seed 0: mAP@all" in shown
    assert (tmp_path / "out/results/shapes.md").read_text() in shown

    calls.clear()
    assert measure(*rows, "--seeds", "1") == 0
    assert not calls
    assert measure("--rows", "crossx") == 0  # its second seed, with teachers of its own
    assert calls == ["fit", "fit", "fit", "validate"]
    assert result(tmp_path, "crossx") == found
    assert result(tmp_path, "crossx", seed=1).ap_all != found.ap_all


def test_a_row_holds_for_what_gave_it(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    rows = ("--rows", "crossx", "--seeds", "1")
    measure(*rows)
    first = result(tmp_path, "crossx")
    calls.clear()
    assert measure(*rows, "--data.batches_per_epoch=2") == 0
    assert calls == ["fit", "validate"]
    assert result(tmp_path, "crossx").identity != first.identity
    assert [step for step, _ in result(tmp_path, "crossx").curve] == [2, 4]
    calls.clear()
    assert measure(*rows, "--split", "test") == 0
    assert calls == ["fit", "test"]
    assert result(tmp_path, "crossx").split == "test"


def test_a_row_that_fails_stops_nothing(
    measure: Measure, tmp_path: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("--rows", "broken", "classifier_only", "--seeds", "1") == 1
    found = result(tmp_path, "broken")
    assert not found.metrics
    assert found.failed.startswith("ended with status 2; see ")
    log = Path(found.failed.partition("see ")[2])
    assert "crossx: error: " in log.read_text()
    assert result(tmp_path, "classifier_only").metrics
    assert "| Broken | failed |" in capsys.readouterr().out
    calls.clear()
    assert measure("--rows", "broken", "--seeds", "1") == 1
    assert calls == ["fit"]  # tried again


def test_an_interrupted_row_leaves_no_figure_and_changes_none(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("--rows", "crossx", "--seeds", "1")
    measure(*rows, output="straight")
    whole, attempts = run._crossx, []

    def interrupted(verb: str, words: Sequence[str], output: IO[str]) -> int:
        status = whole(verb, words, output)
        attempts.append(verb)
        if len(attempts) in (1, 3):  # after the fit, twice
            raise KeyboardInterrupt
        return status

    monkeypatch.setattr(run, "_crossx", interrupted)
    for _ in range(2):
        assert measure(*rows) == 130
        assert "the same command goes on" in capsys.readouterr().err
        assert not place(tmp_path / "out/results", "shapes", "crossx", 0).exists()
        attempts.append("next")
    assert measure(*rows) == 0
    straight, found = result(tmp_path, "crossx", output="straight"), result(tmp_path, "crossx")
    assert replace(found, seconds=0) == replace(straight, seconds=0)


def test_what_a_row_cannot_be_run_with_stops_nothing(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    """A config that does not parse, and teachers that cannot be made."""
    bad = Row("bad", "Bad", "published", words=("--model.nothing=1",))
    monkeypatch.setattr(command, "ROWS", {"bad": bad, **ROWS})
    assert measure("--rows", "bad", "classifier_only", "--seeds", "1") == 1
    assert "nothing" in result(tmp_path, "bad").failed
    assert result(tmp_path, "classifier_only").metrics
    (tmp_path / "photo.yaml").unlink()
    calls.clear()
    assert measure("--rows", "crossx", output="without") == 1
    assert calls == ["fit", "fit"]  # a teacher for each seed
    assert result(tmp_path, "crossx", output="without").failed.startswith("teachers: the fit of ")


def test_mistakes_are_named(measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (("--rows", "nothing"), "--rows: 'nothing' is not legal; one of classifier_only, posterior_matching, broken"),
        (("--benchmark", "other"), "--benchmark: 'other' is not legal; one of shapes"),
        (("--seeds", "0"), "--seeds: 0 is not legal; at least 1"),
    ):
        assert measure(*words) == 2
        assert message in capsys.readouterr().err
