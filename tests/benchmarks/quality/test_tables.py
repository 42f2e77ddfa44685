"""What tables and pictures make of results."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.quality.curve import last_mean, validation_curve
from benchmarks.quality.plots import bars, curves, differences, overlap_curve, precision_recall
from benchmarks.quality.registry import BENCHMARKS
from benchmarks.quality.report import overlap_points
from benchmarks.quality.sheets import distinct
from benchmarks.quality.store import Result, stored
from benchmarks.quality.tables import cells, compared, markdown
from benchmarks.quality.types import Benchmark, Row, Table, Teacher
from crossx.core.errors import InputError
from crossx.evaluation.results import paired_bootstrap

RESULT = Result(
    "shapes",
    "crossx",
    0,
    "validation",
    "abcdefgh",
    files={"photo": "1"},
    metrics={"map_all": 0.5, "map_all_macro": 0.45, "prec_at_50": 0.25},
    ap_all=[0.25, None, 0.75],
    labels=[0, 1, 1],
    classes=["cat", "dog"],
    precision_at_recall=[1 - level / 20 for level in range(11)],
    pairs={"recon/agreement": 0.875},
    curve=[(0, 0.1), (10, 0.4)],
    seconds=100.0,
    fitted_with={"commit": "1234567", "torch": "2.15"},
    measured_with={"commit": "89abcde", "torch": "2.15"},
)
ROWS = (
    Row("crossx", "crossx", groups={"cats": ("cat",), "dogs": ("dog",)}),
    Row("other", "Other", trains=False, training_images="real images", groups={"cats": ("cat",)}, against="elsewhere"),
    Row("broken", "Broken"),
    Row("absent", "Absent"),
)
TABLE = Table(
    "published",
    "Baselines",
    "About.",
    ROWS,
    reference="crossx",
    seeds=2,
    also=("other",),
    groups=("cats",),
    pictures=("bars", "retrieval"),
)
TEACHER = Teacher("photo", "photo.yaml")
BENCHMARK = Benchmark("shapes", ("joint.yaml",), TEACHER, TEACHER, TEACHER, ("prec_at_50",), (TABLE,))
BROKEN = replace(RESULT, row="broken", metrics={}, ap_all=[], failed="ended with status 1")
RESULTS = {
    "crossx": [replace(RESULT, seed=0), replace(RESULT, seed=1, metrics={**RESULT.metrics, "map_all": 0.7}), BROKEN],
    "other": [replace(RESULT, row="other", ap_all=[0.15, None, 0.65], curve=[(10, 0.4)], fitted_with={})],
    "broken": [BROKEN],
    "elsewhere": [replace(RESULT, row="elsewhere", ap_all=[0.05, None, 0.75])],
}


def test_results_are_read_as_written(tmp_path: Path) -> None:
    others = [replace(RESULT, seed=1), replace(RESULT, split="test"), replace(RESULT, config="another")]
    for result in (RESULT, *others):
        result.write(tmp_path)
    assert Result.read(RESULT.place(tmp_path)) == RESULT
    found = list(stored(tmp_path, "shapes"))
    assert len(found) == 4  # none took the place of another
    assert all(result in found for result in others)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"row": 1}', json.dumps({"curve": [[1]]})])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match=r"results: .*r\.json is not a result of this benchmark"):
        Result.read(tmp_path / "r.json")


def test_difference_pairs_queries_over_common_seeds() -> None:
    a = [replace(RESULT, seed=s, ap_all=[0.5 + 0.1 * s, None, 0.7]) for s in range(3)]
    b = [replace(RESULT, seed=s, ap_all=[0.4, None, 0.6]) for s in (1, 2, 4)]
    found = compared(paired_bootstrap, a, b)
    assert found is not None
    assert found.estimate == pytest.approx((0.25 + 0.1) / 2)  # seeds 1 and 2
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.25)
    of_dogs = compared(paired_bootstrap, a, b, ("dog",))
    assert of_dogs is not None
    assert of_dogs.estimate == pytest.approx(0.1)
    of_classes = compared(paired_bootstrap, a, [replace(b[0], ap_all=[0.4, None, 0.8])], of_classes=True)
    assert of_classes == pytest.approx((0.05, -0.1, 0.2))  # one query of each class, the seed 1
    assert compared(paired_bootstrap, a, []) is None
    assert compared(paired_bootstrap, a, [replace(b[0], labels=[1, 1, 1])]) is None  # other queries


def test_differences_are_also_told_by_seed() -> None:
    def of(row: str, values: dict[int, float]) -> list[Result]:
        metrics = {**RESULT.metrics}
        return [replace(RESULT, row=row, seed=s, metrics={**metrics, "map_all": v}) for s, v in values.items()]

    results = {"crossx": of("crossx", {0: 0.5, 1: 0.7}), "other": of("other", {1: 0.5, 0: 0.4})}
    assert ", pairs -0.200 to -0.100 |" in markdown(BENCHMARK, TABLE, results)


def shown(text: str) -> list[dict[str, str]]:
    """Heading to cell, row by row of a table."""
    head, _, *rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(["title", *head], (cell.strip() for cell in row), strict=False)) for row in rows]


def test_table_says_what_there_is_and_what_not() -> None:
    text = markdown(BENCHMARK, TABLE, RESULTS)
    assert text.startswith("## Baselines\n\nAbout.\n\n|")
    crossx, other, broken, absent = shown(text)
    assert list(crossx.values())[:7] == ["crossx", "`crossx`", "0.600", "0.500 to 0.700", "0.450", "0.250", "0.250"]
    assert other["title"] == r"Other \*"
    assert other["cats: `crossx` over this row"] == "1.67 [1.67, 1.67], classes [1.67, 1.67]"
    bounds = "[-0.100, -0.100]"
    assert other["difference to `crossx`"] == f"-0.100 {bounds}, classes {bounds}"
    assert crossx["difference to `other`"] == "+0.100 [+0.100, +0.100], classes [+0.100, +0.100]"
    assert other["difference to its counterpart"].startswith("to `elsewhere`: +0.000 [-0.100, +0.100], classes")
    assert [row["teacher pairs"] for row in (crossx, other)] == ["2, 1 failed", "1"]
    assert [row["commit"] for row in (crossx, other)] == ["1234567; 89abcde", "89abcde"]
    assert [row["validation: step 0, end"] for row in (crossx, other)] == ["0.100, 0.400", "?, 0.400"]
    assert [row["map_all"] for row in (broken, absent)] == ["failed", "not measured"]
    assert "paper" not in text  # a column without a figure
    footnotes = text.rpartition("|\n\n")[2].splitlines()[::2]
    assert footnotes == [
        r"\* not data-free: real images.",
        "`crossx`, seed 0, failed: ended with status 1",
        "`broken`, seed 0, failed: ended with status 1",
    ]
    assert not markdown(BENCHMARK, TABLE, {})


def test_table_says_when_its_teachers_were_trained() -> None:
    """Once, and for those alone that the table shows."""
    made = [
        replace(RESULT, teachers_made_with={"photo": "1111111", "sketch": commit}) for commit in ("1111111", "2222222")
    ]
    elsewhere = [replace(RESULT, row="elsewhere", teachers_made_with={"photo": "3333333"})]
    text = markdown(BENCHMARK, TABLE, {"crossx": made[:1], "elsewhere": elsewhere})
    assert text.endswith("\n\nTeachers were trained at commit 1111111.\n")
    text = markdown(BENCHMARK, TABLE, {"crossx": [made[0], replace(made[1], seed=1)]})
    assert text.endswith("\n\nTeachers were trained at commits 1111111, 2222222.\n")


def test_validation_is_of_fits_that_have_both_ends() -> None:
    late = replace(RESULT, seed=1, curve=[(10, 0.9)])
    (crossx, *_) = shown(markdown(BENCHMARK, TABLE, {"crossx": [RESULT, late]}))
    assert crossx["validation: step 0, end"] == "0.100, 0.400"
    measured = replace(TABLE, rows=(replace(ROWS[0], measured_argv=("--config", "other.yaml")), *ROWS[1:]))
    assert "validation: " not in markdown(BENCHMARK, measured, {"crossx": [RESULT]})  # that is the fit's own, of others


def test_the_paper_s_figures_stand_beside_all_rows() -> None:
    rows = [replace(row, paper={"Sketchy": 0.5, "QuickDraw": 0.25}) for row in ROWS]
    table = replace(TABLE, rows=(ROWS[0], *rows[1:]), paper=("Sketchy", "TU-Berlin", "QuickDraw"))
    crossx, *others = shown(markdown(BENCHMARK, table, RESULTS))
    assert "0.500 / 0.250" not in crossx.values()
    assert {row["paper: Sketchy / TU-Berlin / QuickDraw"] for row in others} == {"0.500 / 0.250"}


def test_posterior_matching_says_what_it_was_given() -> None:
    """Pair by pair; once where all pairs have the same."""

    def chosen(seed: int, sketches: float) -> Result:
        choice: dict[str, str | float | None] = {"form": "dot", "photo_temperature": 1.0}
        return replace(RESULT, seed=seed, posterior={**choice, "sketch_temperature": sketches})

    text = markdown(BENCHMARK, TABLE, {"crossx": [chosen(0, 1.0), chosen(1, 0.5)]})
    assert "| crossx (dot at 1 for photos and 1 for sketches; dot at 1 for photos and 0.5 for sketches) |" in text
    text = markdown(BENCHMARK, TABLE, {"crossx": [chosen(0, 0.5), chosen(1, 0.5)]})
    assert "| crossx (dot at 1 for photos and 0.5 for sketches) |" in text


FEATURES = Row("features_only", "Features", ("model/classifier_only.yaml",), trains=False, shared_start=True)


@pytest.mark.parametrize(
    ("row", "warns"),
    [
        (FEATURES, True),
        (replace(FEATURES, training_images="real images"), True),
        (Row("features_only", "Features", baseline="features", shared_start=True), True),
        (replace(FEATURES, shared_start=False), False),
        (replace(FEATURES, baseline="posterior"), False),
        (ROWS[0], False),
    ],
)
def test_what_owes_its_map_to_a_common_start_says_so(row: Row, warns: bool) -> None:
    table = replace(TABLE, rows=(*ROWS[1:], row), reference="other")
    text = markdown(BENCHMARK, table, RESULTS)
    note = (
        f"\n† `{row.name}`: both teachers start from the same weights, and that is where most of its mAP@all comes from"
    )
    assert (note in text) == warns
    [title] = [line["title"] for line in shown(text) if line["row"] == f"`{row.name}`"]
    assert title.endswith(" †") == warns


def test_ablations_show_their_pairs() -> None:
    assert "synthetic pairs agree" not in markdown(BENCHMARK, TABLE, RESULTS)
    text = markdown(BENCHMARK, replace(TABLE, shows_pairs=True), RESULTS)
    assert "| synthetic pairs agree | difference to" in text  # and no column of what was not logged
    assert "| 0.88 |" in text


def test_a_table_counts_its_own_seeds() -> None:
    results = {"crossx": [replace(RESULT, seed=s) for s in range(3)]}
    assert [len(c.measured) for c in cells(TABLE, results)] == [2, 0, 0, 0]


def test_pictures_show_what_was_measured(tmp_path: Path) -> None:
    drawn: dict[str, list[bytes]] = {}
    for number, results in enumerate((RESULTS, {"broken": [BROKEN]}, {})):
        for draw in (bars, curves, precision_recall):
            path = tmp_path / f"{draw.__name__}-{number}.png"
            draw(cells(TABLE, results), "title", path)
            with Image.open(path) as picture:
                assert picture.width == 960
                drawn.setdefault(draw.__name__, []).append(picture.tobytes())
    for measured, failed, nothing in drawn.values():
        assert measured != failed
        assert failed == nothing


def test_curve_is_of_validations(tmp_path: Path) -> None:
    """Two inside the fit, under the index of their last step, and one behind it, under the number of steps."""
    path = tmp_path / "metrics.csv"
    path.write_text("step,recon/agreement,val/map_all\n0,0.1,\n9,,0.25\n10,0.5,\n12,0.9,\n19,,0.5\n25,,0.6\n")
    assert validation_curve(path, 25) == [(10, 0.25), (20, 0.5), (25, 0.6)]
    assert validation_curve(path, 25, 0.125) == [(0, 0.125), (10, 0.25), (20, 0.5), (25, 0.6)]
    assert last_mean(path, ("recon/agreement", "recon/nothing"), 2) == {"recon/agreement": pytest.approx(0.7)}


def test_differences_stand_beside_zero(tmp_path: Path) -> None:
    """Those of rows that share a teacher pair with the reference, and of no other."""
    table = replace(TABLE, reference="crossx")
    other = replace(RESULT, row="other", ap_all=[0.0, None, 0.0])
    sizes = []
    for number, results in enumerate(({"crossx": [RESULT]}, {"crossx": [RESULT], "other": [other]})):
        differences(cells(table, results), "crossx", "title", tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as picture:
            sizes.append(picture.size)
    (width, none), (same, one) = sizes
    assert width == same == 1200
    assert one > none


def test_pairs_of_shared_generators_are_shown_once(tmp_path: Path) -> None:
    pictures = [(name, tmp_path / f"{name}.png") for name in ("head", "composite", "student")]
    for (_, path), content in zip(pictures, (b"shared", b"shared", b"own"), strict=True):
        path.write_bytes(content)
    assert [name for name, _ in distinct(pictures)] == ["head", "student"]


OURS = BENCHMARKS["tinyimagenet-tuberlin"].rows["overlap6_completed"].title


def test_the_overlap_curve_has_a_point_for_each_table(tmp_path: Path) -> None:
    benchmark = BENCHMARKS["tinyimagenet-tuberlin"]
    results: dict[str, list[Result]] = {}
    for shared, ap in ((6, 0.25), (32, 0.5)):
        groups = benchmark.rows[f"overlap{shared}_completed"].groups
        classes = [groups["shared"][0], groups.get("half-known", groups["shared"])[-1]]
        found = replace(RESULT, classes=classes, labels=[0, 1], ap_all=[ap, 0.125])
        for name in ("completed", "not_completed", "posterior_matching"):
            if f"overlap{shared}_{name}" in benchmark.rows:
                results[f"overlap{shared}_{name}"] = [found]
    points = overlap_points(benchmark, results)
    assert {group: set(rows) for group, rows in points.items()} == {
        group: {OURS, "posterior matching", f"{OURS}, measured without predictions of unknown classes"}
        for group in ("all queries", "shared", "half-known")
    }
    estimates = {group: {s: i.estimate for s, i in rows[OURS].items()} for group, rows in points.items()}
    assert estimates == {
        "all queries": {18.75: 0.1875, 100.0: 0.3125},
        "shared": {18.75: 0.25, 100.0: 0.3125},
        "half-known": {18.75: 0.125},
    }
    overlap_curve(points, {"Sketchy": (0.1,) * 10}, "title", tmp_path / "overlap.png")
    with Image.open(tmp_path / "overlap.png") as picture:
        assert picture.width == 1440
