"""The rows of the shipped benchmarks: what is named exists, and what stands behind a benchmark resolves."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.quality.__main__ import grouped
from benchmarks.quality.registry import BENCHMARKS, chosen
from benchmarks.quality.run import Measurement
from benchmarks.quality.types import Benchmark, Row
from crossx.core.errors import InputError


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_tables_are_whole(benchmark: Benchmark) -> None:
    names: dict[str, Row] = {}
    for table in benchmark.tables:
        assert table.reference in {row.name for row in table.rows}
        for row in table.rows:
            bare = replace(row, paper={})
            assert names.setdefault(row.name, bare) == bare  # one name, one row, in all tables
    assert len({table.name for table in benchmark.tables}) == len(benchmark.tables)


KINDS = {
    "cifar-tuberlin": "heads meta_data siamese_with_data without_guidance",
    "tinyimagenet-tuberlin": "overlap6_crossx overlap6_without_guesses sketchy_crossx_as_drawn",
    "sketchy": "heads_with_data crossx",
    "tuberlin-extended": "gaussian_prior crossx",
}
"""A few of each benchmark: `python -m benchmarks.quality.publish --check` reads the configs of all measured rows."""


@pytest.mark.parametrize("name", KINDS)
def test_rows_resolve_and_differ(name: str, tmp_path: Path) -> None:
    """A row of each kind: a config that does not parse, or an override that says nothing, would show here."""
    benchmark = BENCHMARKS[name]
    rows = [benchmark.rows[kind] for kind in KINDS[name].split()]
    digests = [Measurement(benchmark, row, 0, "test", tmp_path).digest() for row in rows]
    assert len(set(digests)) == len(rows)
    again = Measurement(benchmark, rows[0], 1, "validation", tmp_path / "elsewhere")
    assert again.digest() != digests[0]  # another seed


def test_a_row_has_as_many_pairs_as_a_table_wants() -> None:
    benchmark = BENCHMARKS["cifar-tuberlin"]
    heads = benchmark.rows["heads"]
    assert benchmark.seeds(heads) == 3
    assert benchmark.seeds(heads, ["ablations"]) == 2
    assert benchmark.seeds(heads, ["ablations", "published"]) == 3
    assert benchmark.seeds(benchmark.rows["without_replay"], ["published"]) == 2  # named as a row beside the table


def test_what_measures_one_fit_is_one_job(tmp_path: Path) -> None:
    """Also before the fit is there: two jobs would remove each other's folder."""
    benchmark = BENCHMARKS["tinyimagenet-tuberlin"]
    rows = [benchmark.rows[name] for name in ("crossx", "unseen_crossx", "unseen_crossx_softened", "heads")]
    measurements = [Measurement(benchmark, row, 0, "test", tmp_path) for row in rows]
    for path in measurements[0].inputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a teacher")
    assert [[m.row.name for m in group] for group in grouped(measurements, {})] == [
        ["crossx", "unseen_crossx", "unseen_crossx_softened"],
        ["heads"],
    ]
    broken = dict.fromkeys(measurements[0].inputs.values(), "no teacher")
    assert len(grouped(measurements, broken)) == 4  # each says so by itself


def test_a_teacher_s_recipe_counts(tmp_path: Path) -> None:
    benchmark = BENCHMARKS["cifar-tuberlin"]
    row = benchmark.rows["classifier_only"]
    known = Measurement(benchmark, row, 0, "test", tmp_path).digest()
    longer = replace(benchmark, photo=replace(benchmark.photo, words=("--trainer.max_steps=2000",)))
    own_start = benchmark.rows["classifier_only_own_starts"]
    assert Measurement(longer, row, 0, "test", tmp_path).digest() != known
    assert Measurement(benchmark, own_start, 0, "test", tmp_path).digest() != known


def test_rows_are_chosen_by_name_and_table() -> None:
    benchmark = BENCHMARKS["cifar-tuberlin"]
    assert [row.name for row in chosen(["crossx", "meta_data"], [], benchmark)] == ["meta_data", "crossx"]
    assert chosen([], [], benchmark) == list(benchmark.rows.values())
    ablations = chosen([], ["ablations"], benchmark)
    assert {row.name for row in ablations} >= {"heads", "without_replay"}
    assert len(chosen(["crossx"], ["ablations"], benchmark)) == len(ablations) + 1
    with pytest.raises(InputError, match=r"--rows: 'nothing' is not legal; one of classifier_only, "):
        chosen(["crossx", "nothing"], [], benchmark)
    with pytest.raises(InputError, match=r"--tables: 'nothing' is not legal; one of published, float32, objectives, "):
        chosen([], ["nothing"], benchmark)
