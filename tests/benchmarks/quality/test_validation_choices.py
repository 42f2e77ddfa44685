"""The table of what labels of validation images chose, and for which rows."""

from dataclasses import replace
from typing import Any

import pytest
from test_tables import BENCHMARK, RESULT, TABLE

from benchmarks.quality import publish
from benchmarks.quality.registry import BENCHMARKS
from benchmarks.quality.store import Result
from benchmarks.quality.types import Benchmark, Row
from benchmarks.quality.validation_choices import chosen_on_validation

ROWS = (
    Row("head", "learned head"),
    Row("sharp", "posterior + head", chosen={"share": "0.99, of 0.97 and 0.99", "rate": "0.01, of three"}),
    Row("matching", "posterior matching", baseline="posterior"),
    Row("again", "learned head again"),
)
MEASURED = replace(BENCHMARK, tables=(replace(TABLE, rows=ROWS, reference="head", also=()),))


def matched(seed: int, sketches: float, **origin: Any) -> Result:  # noqa: ANN401 - JSON values
    choice: dict[str, Any] = {"form": "dot", "photo_temperature": 1.0, "sketch_temperature": sketches}
    choice |= {"chosen_on": "validation", "fixed_because": None, **origin}
    return replace(RESULT, row="matching", seed=seed, posterior=choice)


def lines(results: dict[str, list[Result]]) -> dict[str, str]:
    """Rows -> what was chosen for them."""
    text = chosen_on_validation(MEASURED, results)
    assert text.startswith("## Chosen on validation\n\nWhat each row owes to the *labels of validation images*")
    head, _, *rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert head == ["rows", "chosen by the labels of validation images"]
    return {row[0]: row[1] for row in rows}


def test_every_row_says_what_was_chosen_and_what_not() -> None:
    found = lines({"head": [RESULT], "matching": [matched(0, 0.5), matched(1, 1.0)]})
    grid = "form and temperatures (dot or bhattacharyya, each side at one of 0.5, 1, 2, 4; or logit_cosine)"
    pairs = "pair 0 dot at 1 for photos and 0.5 for sketches; pair 1 dot at 1 for photos and 1 for sketches"
    assert found == {
        "`head`, `again`": "nothing of its own",  # rows with equal choices share a line
        "`sharp`": "share: 0.99, of 0.97 and 0.99; rate: 0.01, of three",
        "`matching`": f"{grid}: {pairs}",
    }


def test_what_could_not_be_chosen_is_not_called_chosen() -> None:
    found = lines({"matching": [matched(0, 1.0, chosen_on=None, fixed_because="there is no validation part")]})
    assert found["`matching`"].endswith("for sketches, fixed and not chosen (there is no validation part)")
    failed = replace(RESULT, row="matching", failed="ended with status 1")
    assert lines({"head": [RESULT], "matching": [failed]})["`matching`"].endswith("logit_cosine): not measured")


def test_rows_of_tables_that_stand_on_no_page_are_left_out() -> None:
    other = replace(TABLE, name="other", rows=(Row("elsewhere", "Elsewhere"),), reference="elsewhere")
    benchmark = replace(MEASURED, tables=(*MEASURED.tables, other))
    assert "elsewhere" not in chosen_on_validation(benchmark, {"head": [RESULT]})
    assert "`elsewhere`" in chosen_on_validation(benchmark, {"head": [RESULT], "elsewhere": [RESULT]})
    assert not chosen_on_validation(benchmark, {})


def test_the_page_of_results_has_it_once_a_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "BENCHMARKS", {"shapes": MEASURED})
    text = publish.page({"shapes": {"head": [RESULT], "matching": [matched(0, 0.5)]}})
    assert text.count("\n### Chosen on validation\n") == 1
    assert text.index("### Baselines") < text.index("### Chosen on validation")


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_choices_of_all_rows_fit_into_cells(benchmark: Benchmark) -> None:
    for row in benchmark.rows.values():
        for part in (*row.chosen, *row.chosen.values()):
            assert part.strip() == part != "", row.name
            assert not set("|\n") & set(part), row.name
        assert not (row.chosen and row.baseline), "a baseline has no values of its own"


def test_the_sharp_sketches_of_the_tables_were_chosen() -> None:
    for name in ("cifar-tuberlin", "tinyimagenet-tuberlin"):
        assert BENCHMARKS[name].rows["composite"].chosen
