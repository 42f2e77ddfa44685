"""The command on the paper's data sets, in their exact layouts and with networks that a test can train."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support import layouts

from benchmarks.quality import __main__ as command
from benchmarks.quality import report
from benchmarks.quality.outcome import outcome
from benchmarks.quality.plan import Measurement
from benchmarks.quality.registry import BENCHMARKS
from benchmarks.quality.runner import Runner
from benchmarks.quality.store import Result
from benchmarks.quality.types import Benchmark, Teacher
from crossx.cli.training import train
from crossx.core.paths import package_file
from crossx.data.class_map import read_class_map

_SMALL_DATA = ("--dataset.init_args.size=16",)
_SMALL_TEACHER = (
    "--model.pretrained=false",
    "--model.network=SmallResNet",
    "--model.arguments={widths: [8, 8]}",
    "--model.input_size=16",
    "--trainer.max_steps=1",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--data.batch_size=16",
    "--data.workers=0",
    *_SMALL_DATA,
)
_UNTRAINED = ("classifier_only", "posterior_matching", "averaging_weights")
_SMALL_RUN = (
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--data.workers=0",
    "--data.eval_batch_size=256",
    "--data.batch_size=16",
    "--trainer.max_steps=1",
    *_SMALL_DATA,
)


def sketchy_extended(root: Path) -> None:
    names = read_class_map(package_file("data/splits/sketchy_subset.json")).folders
    ids = {
        name: layouts.one_of_each_tenth(name, (f"n{i:04d}_{k}" for k in range(1000))) for i, name in enumerate(names)
    }
    layouts.sketchy(root / "sketchy", ids, sketches=1)
    layouts.sketchy_extension(root / "sketchy", {name: [f"{found[0]}x"] for name, found in ids.items()})


def tuberlin_extended(root: Path) -> None:
    names = list(read_class_map(package_file("data/splits/tuberlin.json")).folders)
    layouts.tuberlin_extended(root / "tuberlin", names)


def quickdraw_extended(root: Path) -> None:
    names = read_class_map(package_file("data/splits/quickdraw_extended.json")).folders
    layouts.quickdraw_extended(root / "QuickDraw", list(names))


@pytest.mark.parametrize(
    ("name", "lay_out", "classes", "rows"),
    [
        ("sketchy-extended", sketchy_extended, 125, _UNTRAINED),
        ("tuberlin-extended", tuberlin_extended, 250, ("posterior_matching",)),  # each row reads 7,500 sketches
        ("quickdraw-extended", quickdraw_extended, 110, (*_UNTRAINED, "head_with_data")),
    ],
)
def test_rows_are_measured_where_the_data_are(
    name: str,
    lay_out: Callable[[Path], None],
    classes: int,
    rows: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lay_out(tmp_path)
    monkeypatch.setenv("CROSSX_DATA", str(tmp_path))
    monkeypatch.setattr(report, "draw", lambda *_: None)
    monkeypatch.setattr(report.Report, "_sheets", lambda *_: None)
    monkeypatch.setattr(Runner, "crossx", _in_this_process)
    full: Benchmark = BENCHMARKS[name]

    def small(teacher: Teacher) -> Teacher:
        return replace(teacher, argv=(*teacher.argv, *_SMALL_TEACHER))

    monkeypatch.setitem(BENCHMARKS, name, replace(full, photo=small(full.photo), sketch=small(full.sketch)))
    words = ["--benchmark", name, "--rows", *rows]
    monkeypatch.setattr(sys, "argv", ["quality", *words, "--output", str(tmp_path / "out"), "--jobs", "1", *_SMALL_RUN])
    assert command.main() == 0
    benchmark, folder = BENCHMARKS[name], (tmp_path / "out").resolve()
    measured = [Measurement(benchmark, benchmark.rows[row], 0, "test", folder, _SMALL_RUN) for row in rows]
    found: dict[str, Result] = {m.row.name: result for m in measured if (result := outcome(m)) is not None}
    assert set(found) == set(rows)
    if "head_with_data" in found:
        assert found["head_with_data"].curve[-1][0] == 1  # a step has been trained
    for result in found.values():
        assert len(result.classes) == classes
        assert result.split == "test"
        assert 0 < result.metrics["map_all"] < 1
    (page,) = (tmp_path / "out" / "results").glob(f"{name}-test-*.md")  # with overrides: a page of its own
    choice = r"(logit_cosine|\w+ at [\d.]+ for photos and [\d.]+ for sketches)"
    assert re.search(rf"\| posterior matching \({choice}\) \| `posterior_matching` \| 0\.", page.read_text())


def _in_this_process(self: Runner, words: Sequence[str], log: Path) -> int:  # noqa: ARG001 - a method
    train(words)
    return 0
