"""Results of the quality benchmark: when they hold, and what a table makes of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.quality.curve import validation_curve
from benchmarks.quality.plots import bars, curves
from benchmarks.quality.rows import BENCHMARKS, ROWS, Row, chosen
from benchmarks.quality.store import Result, identity, place
from benchmarks.quality.tables import difference, markdown
from crossx.cli.configs import find_config
from crossx.errors import InputError

RESULT = Result(
    "cifar-tuberlin", "crossx", 0, "abc", "validation", {"map_all": 0.5}, [0.25, None, 0.75], [(10, 0.4)], 3
)


def config(folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any config value
    content: dict[str, Any] = {
        "seed_everything": 0,
        "teachers": {"photo": str(folder / "photo.safetensors")},
        "data": {"split": str(folder / "split.tsv"), "root": "cifar10"},
        "trainer": {"max_steps": 10, "logger": {"save_dir": "here"}, "default_root_dir": None},
        "ckpt_path": None,
    }
    return {**content, **changes}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "photo.safetensors").write_bytes(b"weights")
        (folder / "split.tsv").write_text("split")
    return tmp_path


def test_identity_is_of_contents_and_not_of_places(files: Path) -> None:
    known = identity(config(files / "a"), "test")
    assert identity(config(files / "b"), "test") == known
    elsewhere = config(files / "a", ckpt_path="last.ckpt", trainer={"max_steps": 10, "logger": None})
    assert identity(elsewhere, "test") == known


@pytest.mark.parametrize("change", ["teacher", "split file", "split", "steps", "seed", "version"])
def test_identity_changes_with_what_figures_depend_on(
    files: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, split = identity(config(files / "a"), "test"), "test"
    changes: dict[str, Any] = {}
    match change:
        case "teacher":
            (files / "a" / "photo.safetensors").write_bytes(b"others")
        case "split file":
            (files / "a" / "split.tsv").write_text("another")
        case "split":
            split = "validation"
        case "steps":
            changes = {"trainer": {"max_steps": 11}}
        case "seed":
            changes = {"seed_everything": 1}
        case "version":
            monkeypatch.setattr("benchmarks.quality.store.__version__", "other")
    assert identity(config(files / "a", **changes), split) != known


def test_results_are_read_as_written(tmp_path: Path) -> None:
    RESULT.write(tmp_path)
    assert Result.read(place(tmp_path, "cifar-tuberlin", "crossx", 0)) == RESULT


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"row": 1}', json.dumps({"curve": [[1]]})])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match=r"results: .*r\.json is not a result of this benchmark"):
        Result.read(tmp_path / "r.json")


def test_difference_pairs_queries_over_common_seeds() -> None:
    a = [replace(RESULT, seed=s, ap_all=[0.5 + 0.1 * s, None, 0.7]) for s in range(3)]
    b = [replace(RESULT, seed=s, ap_all=[0.4, None, 0.6]) for s in (1, 2, 4)]
    found = difference(a, b)
    assert found is not None
    assert found.difference == pytest.approx((0.25 + 0.1) / 2)  # seeds 1 and 2
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.25)
    assert difference(a, []) is None
    assert difference(a, [replace(b[0], seed=1, failed="it diverged")]) is None


def test_table_says_what_there_is_and_what_not() -> None:
    benchmark = BENCHMARKS["cifar-tuberlin"]
    rows = [
        Row("crossx", "crossx", "published"),
        Row("other", "Other", "published", trains=False, data_free=False),
        Row("broken", "Broken", "published"),
        Row("absent", "Absent", "published"),
    ]
    metrics = {"map_all": 0.5, "prec_at_200": 0.25}
    results = {
        "crossx": [replace(RESULT, seed=s, metrics=metrics, seconds=100.0 + s) for s in range(2)],
        "other": [replace(RESULT, metrics={"map_all": 0.4, "prec_at_200": 0.2}, ap_all=[0.15, None, 0.65])],
        "broken": [replace(RESULT, metrics={}, failed="ended with status 1")],
    }
    lines = markdown(benchmark, rows, results, "crossx").splitlines()
    assert lines[2] == "| crossx | 0.500 | 0.250 |  | 2 | 100 |"
    assert lines[3] == "| Other (with data) | 0.400 | 0.200 | -0.100 [-0.100, -0.100] | 1 |  |"
    assert lines[4].startswith("| Broken | failed |")
    assert lines[5].startswith("| Absent | not measured |")


def test_pictures_show_what_was_measured(tmp_path: Path) -> None:
    rows = [Row("crossx", "crossx", "published"), Row("other", "Other", "published", data_free=False)]
    results = {
        "crossx": [replace(RESULT, seed=s, curve=[(10, 0.2), (20, 0.5)]) for s in range(2)],
        "other": [replace(RESULT, curve=[])],
        "broken": [replace(RESULT, metrics={}, ap_all=[], failed="ended with status 1")],
    }
    sizes = set()
    for number, shown in enumerate((results, {"broken": results["broken"]}, {})):
        for draw in (bars, curves):
            path = tmp_path / f"{draw.__name__}-{number}.png"
            draw([*rows, Row("broken", "Broken", "published")], shown, "title", path)
            with Image.open(path) as picture:
                assert picture.width == 960
            sizes.add(path.stat().st_size)
    assert len(sizes) == 4  # two with rows, and of each kind one without any, whatever is missing


def test_curve_is_of_validations(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,recon/loss,val/map_all\n0,1.0,\n9,,0.25\n10,0.9,\n19,,0.5\n")
    assert validation_curve(path) == [(10, 0.25), (20, 0.5)]


def test_rows_are_chosen_by_name() -> None:
    assert [row.name for row in chosen(["crossx", "meta_data"], ROWS)] == ["crossx", "meta_data"]
    assert chosen([], ROWS) == list(ROWS.values())
    with pytest.raises(InputError, match=r"--rows: 'nothing' is not legal; one of classifier_only, "):
        chosen(["crossx", "nothing"], ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_configs_of_rows_are_shipped(row: Row) -> None:
    assert all(Path(find_config(name)).is_file() for name in row.configs)
