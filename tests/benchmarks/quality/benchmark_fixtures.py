"""Fixtures of runs of a small benchmark."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path
from threading import Lock

import pytest
from remembered import remembered
from small_benchmark import CLASSIFIER_ONLY_MODEL, MOMENTS, ROWS, TABLES, Measure, teacher_config, without_pictures
from support.commands import RECONSTRUCTION, edit, joint_config, write
from support.runs import Teachers

from benchmarks.quality import __main__ as command
from benchmarks.quality import child
from benchmarks.quality.plan import Measurement
from benchmarks.quality.runner import Runner
from benchmarks.quality.types import Benchmark, Teacher


@pytest.fixture
def calls(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> list[str]:
    """Commands of crossx that were run, in this process and not in others, which would take seconds each to start.

    What an earlier test has run is taken over from it, but for the test of interruptions, which compares runs.
    """
    made: list[str] = []
    kept = tmp_path_factory.mktemp("runs")
    fresh = "interrupted" in request.node.name
    one_at_a_time = Lock()  # random numbers and the standard error are those of the whole process

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:  # noqa: ARG001 - a method
        made.append(words[0])
        log.parent.mkdir(parents=True, exist_ok=True)

        def run(words: Sequence[str]) -> int:
            with log.open("w") as file, redirect_stderr(file):
                return child.run(words)

        with one_at_a_time:
            return run(words) if fresh else remembered(run, words, log, tmp_path, kept)

    monkeypatch.setattr(Runner, "crossx", crossx)
    return made


@pytest.fixture
def few_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these runs, so they are drawn in one test."""
    if "pictures" not in request.node.name:
        without_pictures(monkeypatch)


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
    write(tmp_path / "model/generators.yaml", {"model": RECONSTRUCTION})
    write(tmp_path / "meta_data.yaml", {"model": {"init_args": {"reconstruction": {"init_args": {"terms": MOMENTS}}}}})
    config = write(tmp_path / "config.yaml", content)
    made = {modality: Teacher(modality, teacher_config(tmp_path, modality)) for modality in ("photo", "sketch")}
    benchmark = Benchmark("shapes", (config,), made["photo"], made["sketch"], made["photo"], ("prec_at_50",), TABLES)
    for folder in ("out", "straight"):
        for row in (ROWS[0], ROWS[-1]):  # with a common start of their teachers, and without
            for modality, job in Measurement(benchmark, row, 0, "validation", tmp_path / folder).teacher_jobs.items():
                job.folder.mkdir(parents=True, exist_ok=True)
                job.output.write_bytes(Path(teachers._asdict()[modality]).read_bytes())
                job.done.write_text('{"files": {}, "made_with": {"commit": "1234567"}}')
    monkeypatch.setattr(command, "BENCHMARKS", {"shapes": benchmark})

    def measured(*words: str, output: str = "out") -> int:
        arguments = ["quality", "--benchmark", "shapes", "--output", str(tmp_path / output), "--jobs", "1"]
        monkeypatch.setattr(sys, "argv", [*arguments, "--split", "validation", *words])
        return command.main()

    return measured
