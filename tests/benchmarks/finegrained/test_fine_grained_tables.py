"""Tables of fine-grained retrieval: means over seeds, paired differences, and what is not compared."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.finegrained import tables
from benchmarks.finegrained.store import Result
from benchmarks.finegrained.types import Benchmark, Row
from crossx.core.errors import InputError

BENCHMARK = Benchmark(
    "tiny",
    "Tiny",
    "Six queries.",
    ("fg_retrieval.yaml",),
    (
        Row("start", "untrained", trains=False),
        Row("supervised", "labelled"),
        Row("self_view", "own views"),
        Row("hidden", "for others", shown=False),
        Row("oracle", "true sketches"),
    ),
    ceiling="oracle",
)
METRICS = (
    "acc_at_1",
    "acc_at_5",
    "acc_at_10",
    "mean_rank",
    "within_class_acc_at_1",
    "within_class_acc_at_5",
    "class_at_1",
)


def result(row: str, seed: int, ranks: list[int], seconds: float = 10.0, split_hash: str = "a") -> Result:
    metrics = {name: float(np.mean(np.array(ranks) <= 5)) for name in METRICS}
    return Result("tiny", row, seed, "test", "0" * 12, metrics, ranks, ranks, split_hash, seconds, {"crossx": "1"})


SUPERVISED = [result("supervised", 0, [1, 9, 9, 9, 9, 9]), result("supervised", 1, [1, 1, 9, 9, 9, 9])]
ORACLE = [result("oracle", 0, [1, 1, 1, 1, 1, 9]), result("oracle", 1, [1, 1, 1, 1, 9, 9])]


def test_a_difference_is_that_of_means_over_common_seeds() -> None:
    extra = result("oracle", 2, [9] * 6)  # a seed that the other row does not have
    found = tables.difference([*ORACLE, extra], SUPERVISED)
    assert found is not None
    # Means over seeds of hits: 1, 1, 1, 1, 0.5, 0 and 1, 0.5, 0, 0, 0, 0.
    differences = np.array([0, 0.5, 1, 1, 0.5, 0])
    assert found.estimate == pytest.approx(100 * differences.mean())
    draws = np.random.default_rng(0).integers(6, size=(20_000, 6))
    low, high = np.quantile(100 * differences[draws].mean(1), [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=2)
    assert found.high == pytest.approx(high, abs=2)


def test_rows_on_other_images_or_other_seeds_are_not_compared() -> None:
    assert tables.difference([result("oracle", 0, [1] * 6, split_hash="b")], SUPERVISED) is None
    assert tables.difference([result("oracle", 4, [1] * 6)], SUPERVISED) is None


def test_a_row_without_training_stands_for_every_seed() -> None:
    found = tables.difference([result("start", 0, [9] * 6, seconds=0.0)], SUPERVISED)
    assert found is not None
    assert found.estimate == pytest.approx(-25)


def test_shares_are_of_the_way_to_the_ceiling(tmp_path: Path) -> None:
    half = [result("self_view", 0, [1, 1, 1, 9, 9, 9]), result("self_view", 1, [1, 1, 1, 9, 9, 9])]
    start = result("start", 0, [9] * 6, seconds=0.0)
    hidden = result("hidden", 0, [1] * 6)
    failed = Result("tiny", "self_view", 2, "test", "", failed="no memory")
    text = tables.write(BENCHMARK, "test", [start, *SUPERVISED, *half, *ORACLE, hidden, failed], tmp_path)
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert [line.split("|")[1].strip() for line in lines] == ["untrained", "labelled", "own views", "true sketches"]
    content = {row["row"]: row for row in json.loads((tmp_path / "tiny-test.json").read_text())["rows"]}
    assert content["supervised"]["share_of_gap"] is None
    assert content["oracle"]["share_of_gap"] == pytest.approx(1)
    assert content["self_view"]["share_of_gap"] == pytest.approx(0.5)
    assert content["self_view"]["seeds"] == [0, 1]
    assert content["oracle"]["acc_at_5_minus_self_view"]["estimate"] == pytest.approx(25)
    assert "50 %" in lines[2]
    assert (tmp_path / "tiny-test.md").read_text() == text


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    SUPERVISED[0].write(tmp_path)
    (path,) = (tmp_path / "tiny").glob("*.json")
    assert path.name == "supervised-0-test-00000000.json"
    assert Result.read(path) == SUPERVISED[0]
    path.write_text("{}")
    with pytest.raises(InputError, match="is not a result of this benchmark"):
        Result.read(path)
