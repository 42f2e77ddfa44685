"""The rows of the shipped benchmarks: what is named exists, and what stands behind a benchmark resolves."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.quality.registry import BENCHMARKS, chosen
from benchmarks.quality.run import Measurement
from benchmarks.quality.types import Benchmark, Row
from crossx.errors import InputError


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_tables_are_whole(benchmark: Benchmark) -> None:
    names: dict[str, Row] = {}
    for table in benchmark.tables:
        assert table.reference in {row.name for row in table.rows}
        for row in table.rows:
            bare = replace(row, paper="")
            assert names.setdefault(row.name, bare) == bare  # one name, one row, in all tables
    assert len({table.name for table in benchmark.tables}) == len(benchmark.tables)


@pytest.mark.parametrize("name", ["cifar-tuberlin", "tinyimagenet-tuberlin"])
def test_rows_resolve_and_differ(name: str, tmp_path: Path) -> None:
    """A row of each kind: a config that does not parse, or an override that says nothing, would show here."""
    benchmark = BENCHMARKS[name]
    kinds = [
        "crossx",
        "heads",
        "siamese_free",
        "siamese_with_data",
        "without_guidance",
        "overlap6_crossx",
        "unseen_crossx",
    ]
    rows = [benchmark.rows[kind] for kind in kinds if kind in benchmark.rows]
    digests = [Measurement(benchmark, row, 0, "test", tmp_path).digest() for row in rows]
    assert len(set(digests)) == len(rows) >= 5
    again = Measurement(benchmark, rows[0], 1, "validation", tmp_path / "elsewhere")
    assert again.digest() != digests[0]  # another seed
    if "unseen_crossx" in benchmark.rows:
        trained = {
            Measurement(benchmark, benchmark.rows[row], 0, "test", tmp_path).fit_digest()
            for row in ("crossx", "unseen_crossx")
        }
        assert len(trained) == 1


def test_rows_are_chosen_by_name_and_table() -> None:
    benchmark = BENCHMARKS["cifar-tuberlin"]
    assert [row.name for row in chosen(["crossx", "meta_data"], [], benchmark)] == ["meta_data", "crossx"]
    assert chosen([], [], benchmark) == list(benchmark.rows.values())
    ablations = chosen([], ["ablations"], benchmark)
    assert {row.name for row in ablations} >= {"heads", "without_replay"}
    assert len(chosen(["crossx"], ["ablations"], benchmark)) == len(ablations) + 1
    with pytest.raises(InputError, match=r"--rows: 'nothing' is not legal; one of classifier_only, "):
        chosen(["crossx", "nothing"], [], benchmark)
    with pytest.raises(InputError, match=r"--tables: 'nothing' is not legal; one of published, objectives, ablations"):
        chosen([], ["nothing"], benchmark)
