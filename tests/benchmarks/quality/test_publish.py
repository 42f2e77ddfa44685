"""The page of results is made from the committed files, and from those alone that belong together."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_tables import BENCHMARK, RESULT

from benchmarks.quality import identity, publish
from benchmarks.quality.frozen import FROZEN, ROOT, check_frozen
from benchmarks.quality.identity import file_digest
from benchmarks.quality.plan import Measurement
from benchmarks.quality.publish import with_common_teachers
from benchmarks.quality.report import Report
from benchmarks.quality.store import Result, stored


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of committed results, and a place for the page."""
    monkeypatch.setattr(publish, "BENCHMARKS", {"shapes": BENCHMARK})
    monkeypatch.setattr(publish, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(publish, "PAGE", tmp_path / "docs" / "results.md")
    monkeypatch.setattr(publish, "PICTURES", tmp_path / "docs" / "images" / "results-current")
    monkeypatch.setattr(Measurement, "digest", lambda self: f"{self.row.name}-{self.seed}")
    for row, seed in (("crossx", 0), ("crossx", 1), ("other", 0)):
        made = replace(
            RESULT, row=row, seed=seed, split="test", config=f"{row}-{seed}", files={"photo": "1", "sketch": "1"}
        )
        made.write(tmp_path / "results")
    return tmp_path


def test_the_page_shows_what_fits(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = results / "results"
    stale = replace(RESULT, row="absent", split="test", config="of an earlier config")
    stale.write(folder)
    replace(RESULT, row="gone", split="test", config="gone-0").write(folder)  # a row that there is no more
    replace(RESULT, row="broken", split="validation", config="broken-0").write(folder)
    monkeypatch.setattr(sys, "argv", ["publish"])
    assert publish.main() == 0
    text = (results / "docs" / "results.md").read_text()
    assert text.startswith("# Current results\n\nMade by `python -m benchmarks.quality.publish`")
    assert "## shapes" in text
    assert "| crossx | `crossx` | 0.500 | 0.500 to 0.500 |" in text
    assert "| Absent | `absent` | not measured |" in text
    assert "| Broken | `broken` | not measured |" in text
    assert "Measured with torch 2.15." in text
    assert "| 1234567; 89abcde |" in text
    assert "![Baselines: bars](images/results-current/shapes-published-bars.png)" in text
    assert (results / "docs/images/results-current/shapes-published-bars.png").stat().st_size > 1000


def test_a_table_with_one_measured_row_is_left_out(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["publish"])
    for other in [result for result in stored(results / "results", "shapes") if result.row == "other"]:
        other.place(results / "results").unlink()
    assert publish.main() == 0
    text = (results / "docs" / "results.md").read_text()
    assert "## shapes" in text
    assert "### Baselines" not in text
    assert not (results / "docs/images/results-current/shapes-published-bars.png").exists()


def test_rows_of_other_teachers_are_left_out() -> None:
    def of(row: str, seed: int, photo: str) -> Result:
        return replace(RESULT, row=row, seed=seed, files={"photo": photo, "sketch": photo})

    found = [of("other", 0, "a"), of("other", 1, "c"), of("crossx", 0, "a"), of("crossx", 1, "b")]
    kept = with_common_teachers(BENCHMARK, found)
    assert [r.seed for r in kept["crossx"]] == [0, 1]  # the row that stands first says what the teachers are
    assert [r.seed for r in kept["other"]] == [0]


def test_what_is_left_out_is_told(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(RESULT, row="absent", split="test", config="of an earlier config").write(results / "results")
    replace(RESULT, row="gone", split="test", config="gone-0").write(results / "results")
    replace(RESULT, row="broken", split="test", config="broken-0", files={"photo": "2", "sketch": "2"}).write(
        results / "results"
    )
    kept = publish.committed(BENCHMARK)
    assert sorted((r.row, r.seed) for found in kept.values() for r in found) == [
        ("crossx", 0),
        ("crossx", 1),
        ("other", 0),
    ]
    assert capsys.readouterr().err.splitlines() == [
        "left out: shapes, absent, seed 0, test: it is of other code, another config or another gallery",
        "left out: shapes, gone, seed 0, test: it is of no row or split of the page",
        "left out: shapes, broken, seed 0, test: it was measured with another file of a teacher than the rows above it",
    ]


def test_nothing_to_take_over_is_an_error(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["publish", "--take", str(results / "nothing")])
    assert publish.main() == 2
    assert "--take: " in capsys.readouterr().err
    assert not (results / "docs").exists()


def test_what_holds_is_taken_over(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pictures that need images; an earlier result of the same row and seed goes, a failure stays behind."""
    files = {"photo": "1", "sketch": "1"}
    good = replace(RESULT, split="test", config="crossx-0", files=files, metrics={**RESULT.metrics, "map_all": 0.9})
    failed = replace(good, row="broken", config="broken-0", failed="ended with status 1")
    monkeypatch.setattr(Report, "results", lambda self: {"crossx": [good], "broken": [failed]})  # noqa: ARG005
    earlier = replace(good, config="an earlier config")
    earlier.write(results / "results")
    measured = results / "measured"
    picture = measured / "results" / "shapes-test-published-retrieval.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    monkeypatch.setattr(sys, "argv", ["publish", "--take", str(measured)])
    assert publish.main() == 0
    found = list(stored(results / "results", "shapes"))
    assert [r for r in found if (r.row, r.seed) == ("crossx", 0)] == [good]
    assert {(r.row, r.seed) for r in found} == {("crossx", 0), ("crossx", 1), ("other", 0)}
    assert (results / "docs/images/results-current/shapes-published-retrieval.png").read_bytes() == b"a picture"
    text = (results / "docs" / "results.md").read_text()
    assert "| crossx | `crossx` | 0.700 | 0.500 to 0.900 |" in text
    assert "images/results-current/shapes-published-retrieval.png" in text


def test_rows_of_teachers_that_were_trained_again_go(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever row is taken over first: it is of the teachers that there are."""
    again = replace(RESULT, split="test", config="crossx-0", files={"photo": "2", "sketch": "2"})
    monkeypatch.setattr(Report, "results", lambda self: {"crossx": [again]})  # noqa: ARG005
    publish.take(results / "measured")
    found = {(r.row, r.seed): r.files["photo"] for r in stored(results / "results", "shapes")}
    assert found == {("crossx", 0): "2", ("crossx", 1): "1"}
    assert "left out: shapes, other, seed 0, test: it was measured with another file" in capsys.readouterr().err


def test_a_stale_page_and_a_result_that_does_not_fit_are_told(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def publishing(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["publish", *words])
        return publish.main()

    assert publishing("--check") == 1
    assert "results.md is not made from the current results" in capsys.readouterr().err
    assert not (results / "docs").exists()
    assert publishing() == 0
    assert publishing("--check") == 0
    replace(RESULT, row="absent", split="test", config="of an earlier config").write(results / "results")
    assert publishing("--check") == 1
    assert "1 committed results are not current" in capsys.readouterr().err
    (results / "results" / "others").mkdir()
    (results / "results" / "others" / "r.json").write_text("{}")
    assert publishing("--check") == 1
    assert "left out: there is no benchmark others" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        publishing("--check", "--take", str(results))
    assert "not allowed with argument --check" in capsys.readouterr().err


def test_a_result_of_other_code_is_not_current(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The digest of a real config and of the code as it is; then the code changes."""
    argv = ("fit", "--config", "teachers/shapes_photo.yaml")
    monkeypatch.setattr(Measurement, "digest", lambda _: identity.run_digest.__wrapped__(argv, with_code=True))
    files = {"photo": "1", "sketch": "1"}
    known = identity.run_digest.__wrapped__(argv, with_code=True)
    replace(RESULT, split="test", config=known, files=files).write(results / "other")
    monkeypatch.setattr(publish, "RESULTS", results / "other")
    assert [r.row for found in publish.committed(BENCHMARK).values() for r in found] == ["crossx"]
    monkeypatch.setattr(identity, "known_code_digest", lambda: "other code")
    monkeypatch.setattr(sys, "argv", ["publish", "--check"])
    assert publish.main() == 1
    assert "left out: shapes, crossx, seed 0, test: it is of other code" in capsys.readouterr().err


def test_frozen_files_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "benchmarks/results"
    result, page = folder / "1.0" / "shapes" / "row.json", tmp_path / "page.md"
    result.parent.mkdir(parents=True)
    result.write_text("{}")
    page.write_text("a page")
    sums = [f"{file_digest(path)}  {path.relative_to(tmp_path).as_posix()}\n" for path in (result, page)]
    (folder / "1.0" / "SHA256SUMS").write_text("".join(sums))
    assert check_frozen(folder, tmp_path) == 0
    added = result.with_name("added.json")
    added.write_text("{}")
    page.write_text("another page")
    assert check_frozen(folder, tmp_path) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in told] == ["benchmarks/results/1.0/shapes/added.json", "page.md"]
    result.unlink()
    assert check_frozen(folder, tmp_path) == 1
    assert "row.json: is not as " in capsys.readouterr().err


def test_the_page_of_0_1_0_is_frozen(capsys: pytest.CaptureFixture[str]) -> None:
    listed = (FROZEN / "0.1.0" / "SHA256SUMS").read_text()
    assert "  docs/results.md\n" in listed
    assert listed.count(".json\n") == 199
    assert check_frozen(FROZEN, ROOT) == 0, capsys.readouterr().err
