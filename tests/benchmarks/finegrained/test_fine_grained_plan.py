"""Rows of fine-grained retrieval: what they run, on what they depend, and what the command refuses."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.finegrained.__main__ import chosen
from benchmarks.finegrained.plan import Measurement
from benchmarks.finegrained.rows import BENCHMARKS, SHAPES, TEACHER
from crossx.core.errors import InputError


def measurement(row: str, folder: Path, seed: int = 0, *overrides: str) -> Measurement:
    return Measurement(SHAPES, SHAPES.by_name[row], seed, "validation", folder, overrides)


def test_a_row_runs_what_it_takes_files_from_first(tmp_path: Path) -> None:
    m = measurement("photo_relation", tmp_path, 3)
    contrast, fit, measured = m.jobs
    assert contrast.folder.name.startswith("fit-contrast_alone-3-")
    assert fit.argv[0] == "fit"
    assert f"--{TEACHER}={contrast.folder / 'encoders.safetensors'}" in fit.argv
    assert fit.inputs == {TEACHER: contrast.folder / "encoders.safetensors"}
    assert measured.argv[0] == "validate"
    assert measured.argv[-1] == str(fit.folder / "checkpoints/last.ckpt")
    assert measurement("photo_contrast", tmp_path, 3).jobs[0] == contrast  # one fit for both rows


def test_a_row_without_training_is_measured_alone(tmp_path: Path) -> None:
    (job,) = measurement("start", tmp_path).jobs
    assert job.argv[0] == "validate"
    assert "--ckpt_path" not in job.argv


def test_seeds_and_overrides_make_other_folders(tmp_path: Path) -> None:
    folders = {
        measurement("supervised", tmp_path).job.folder,
        measurement("supervised", tmp_path, 1).job.folder,
        measurement("supervised", tmp_path, 0, "--trainer.max_steps=2").job.folder,
        measurement("supervised_25", tmp_path).job.folder,
    }
    assert len(folders) == 4


def test_overrides_reach_all_rows_of_the_data_set(tmp_path: Path) -> None:
    """A table would compare different things otherwise."""
    word = "--data.init_args.fraction=0.25"
    for name in ("supervised", "photo_relation", "whole", "oracle", "data_free_run"):
        found = measurement(name, tmp_path, 0, word)
        assert (word in found.job.argv) == (name != "data_free_run")


def test_recipes_that_stand_alone_have_no_config_of_the_benchmark(tmp_path: Path) -> None:
    first = measurement("data_free", tmp_path, 0, "--trainer.max_steps=2").jobs[0]
    assert "fg_retrieval.yaml" not in first.argv
    assert "--trainer.max_steps=2" not in first.argv


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_names_of_rows_are_right(benchmark: object) -> None:
    rows = SHAPES.by_name if benchmark is None else benchmark.by_name  # type: ignore[attr-defined]  # a Benchmark
    names = {taken.row for row in rows.values() for taken in row.takes.values()}
    assert names <= rows.keys()
    assert benchmark.reference in rows  # type: ignore[attr-defined]
    assert benchmark.baseline in rows  # type: ignore[attr-defined]


ARGUMENTS = argparse.Namespace(
    benchmark="shapes-fg", rows=[], seeds=[], split="test", output=Path("runs/finegrained"), jobs=1
)


def asked(**changes: object) -> list[Measurement]:
    return chosen(argparse.Namespace(**{**vars(ARGUMENTS), **changes}), ())


def test_rows_that_others_need_are_not_chosen_by_themselves() -> None:
    found = asked(seeds=[2, 1, 1])
    assert {m.row.name for m in found} >= {"start", "supervised", "oracle"}
    assert not {m.row.name for m in found} & {"contrast_alone", "data_free_run"}
    assert [m.seed for m in found if m.row.name == "oracle"] == [1, 2]
    assert [m.seed for m in found if m.row.name == "start"] == [1]  # nothing trains, so no seed changes it


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmark": "shapes"}, r"--benchmark: must be one of .*; got 'shapes' \(did you mean 'shapes-fg'\?\)"),
        ({"rows": ["orakle"]}, r"--rows: must be one of .*; got 'orakle' \(did you mean 'oracle'\?\)"),
        ({"seeds": [5]}, r"--seeds: must be in \[0, 4\], got 5"),
        ({"jobs": -1}, "--jobs: must be at least 0, got -1"),
    ],
)
def test_mistakes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        asked(**changes)


def test_options_of_the_command_are_its_own() -> None:
    with pytest.raises(InputError, match="--seed_everything=3: must not be given here"):
        chosen(ARGUMENTS, ("--seed_everything=3",))


def test_a_result_knows_all_that_it_depends_on(tmp_path: Path) -> None:
    """Another fit of the row that a file comes from makes another folder of the row that takes it."""
    m = measurement("photo_relation", tmp_path)
    other = replace(SHAPES.by_name["contrast_alone"], argv=("--trainer.max_steps=2",))
    rows = tuple(other if row.name == other.name else row for row in SHAPES.rows)
    changed = Measurement(replace(SHAPES, rows=rows), m.row, 0, "validation", tmp_path)
    assert changed.job.folder != m.job.folder
