"""Rows of the quality benchmark, measured for real on the embedded data set, in this process."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from small_benchmark import Measure, measurements, result, results, without_pictures
from support.runs import CLASSES

from benchmarks.quality.curve import last_mean
from benchmarks.quality.identity import file_digest, run_digest
from benchmarks.quality.runner import Runner
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.reports.run.remarks import matching

pytest_plugins = ["benchmark_fixtures"]
pytestmark = pytest.mark.usefixtures("few_pictures")


def test_measures_what_is_missing_and_shows_it_in_pictures(
    measure: Measure,
    tmp_path: Path,
    calls: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = ("--rows", "classifier_only", "posterior_matching", "crossx")
    assert measure(*rows, "--seeds", "0") == 0
    assert calls == ["validate", "validate", "fit", "validate"]
    found = result(tmp_path, "crossx")
    assert (found.split, found.failed, len(found.ap_all), len(found.labels)) == ("validation", "", 20, 20)
    assert found.classes == list(CLASSES)
    assert [step for step, _ in found.curve] == [0, 4]
    assert found.curve[-1][1] == pytest.approx(found.metrics["map_all"], abs=1e-6)
    assert found.seconds > 0
    assert found.fitted_with == found.measured_with
    assert {"commit", "torch", "cpu"} <= found.fitted_with.keys()
    assert 0 <= found.pairs["recon/agreement"] <= 1
    assert found.precision_at_recall[0] >= found.precision_at_recall[-1] > 0
    features, posterior = (result(tmp_path, row) for row in ("classifier_only", "posterior_matching"))
    temperatures = {"photo_temperature", "sketch_temperature"}
    assert posterior.posterior.keys() == {"form", *temperatures, "chosen_on", "fixed_because"}
    assert posterior.posterior["chosen_on"] == "validation"
    assert not features.posterior
    assert features.ap_all != posterior.ap_all
    assert features.precision_at_recall != posterior.precision_at_recall
    assert not features.curve
    assert not features.fitted_with
    shown = capsys.readouterr().out
    assert f"| crossx | `crossx` | {found.metrics['map_all']:.3f} |" in shown
    choice = matching(posterior.posterior)
    assert f"| posterior matching ({choice}) | `posterior_matching` |" in shown
    assert "| `posterior_matching` | form and temperatures (" in shown
    assert f"logit_cosine): pair 0 {choice} |" in shown
    assert "| Classifier Only † | `classifier_only` |" in shown
    assert "† `classifier_only`: both teachers start from the same weights" in shown
    assert "[3/3] crossx, seed 0: mAP@all" in shown
    written = tmp_path / "out/results"
    assert (written / "shapes-validation.md").read_text() in shown
    for picture in ("bars", "curves", "precision-recall", "retrieval", "pairs"):
        assert (written / f"shapes-validation-published-{picture}.png").stat().st_size > 1000

    without_pictures(monkeypatch)
    calls.clear()
    assert measure(*rows, "--seeds", "0") == 0
    assert not calls
    assert measure("--rows", "crossx") == 0  # its second seed, with teachers of its own
    assert calls == ["fit", "fit", "fit", "validate"]
    first, second = results(tmp_path, "crossx")
    assert first == found
    assert second.ap_all != found.ap_all
    assert second.files.keys() == {"photo", "sketch"}


def test_one_fit_is_measured_in_many_ways(
    measure: Measure, tmp_path: Path, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Other images, and the test split. With two jobs it is one of them, beside others."""
    assert measure("--rows", "classifier_only", "crossx", "more", "--seeds", "0", "--jobs", "2") == 0
    assert sorted(calls) == ["fit", *["validate"] * 3]
    told = capsys.readouterr().out
    for number in range(1, 4):
        assert f"[{number}/3] " in told
    assert result(tmp_path, "classifier_only").metrics
    crossx, more = result(tmp_path, "crossx"), result(tmp_path, "more")
    assert len(more.ap_all) == 30 > len(crossx.ap_all)
    assert more.curve == crossx.curve
    text = (tmp_path / "out/results/shapes-validation.md").read_text()
    first = [ap for ap, label in zip(more.ap_all, more.labels, strict=True) if more.classes[label] == CLASSES[0]]
    assert f"| {sum(ap for ap in first if ap is not None) / len(first):.3f} | 1 |" in text.split("| other images |")[1]
    calls.clear()
    assert measure("--rows", "crossx", "--seeds", "0", "--split", "test") == 0
    assert calls == ["test"]
    assert result(tmp_path, "crossx", split="test").split == "test"
    assert (tmp_path / "out/results/shapes-test.md").is_file()
    assert measure("--rows", "classifier_only", "crossx", "more", "--seeds", "0", output="straight") == 0  # one job
    for row in ("classifier_only", "crossx", "more"):
        assert result(tmp_path, row).ap_all == result(tmp_path, row, "straight").ap_all


def test_a_config_that_is_changed_meanwhile_is_told(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its figures would be those of one config, and their hash that of another."""
    run, config = Runner.crossx, tmp_path / "config.yaml"

    def crossx(self: Runner, words: Sequence[str], log: Path) -> int:
        status = run(self, words, log)
        config.write_text(config.read_text().replace("batches_per_epoch: 4", "batches_per_epoch: 3"))
        return status

    monkeypatch.setattr(Runner, "crossx", crossx)
    assert measure("--rows", "classifier_only", "--seeds", "0") == 1
    found = result(tmp_path, "classifier_only")
    assert found.failed == "a config or the code has been changed during a run that uses it; run the command again"
    run_digest.cache_clear()
    assert measure("--rows", "classifier_only", "--seeds", "0") == 0


def test_a_failure_leaves_an_earlier_figure(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    rows = ("--rows", "classifier_only", "--seeds", "1")
    assert measure(*rows) == 0
    first = result(tmp_path, "classifier_only")
    (teacher,) = (tmp_path / "out/runs/shapes").glob("photo-1-*/done.json")
    teacher.unlink()
    with monkeypatch.context() as broken:
        broken.setattr(Runner, "crossx", lambda *_: 1)
        assert measure(*rows) == 1
    assert result(tmp_path, "classifier_only").failed.startswith("teacher photo, seed 1 ended with status 1; see ")
    assert len(measurements(tmp_path, "classifier_only")) == 1
    calls.clear()
    assert measure(*rows) == 0
    assert calls == ["fit"]  # the teacher, which is as it was: its figures hold
    assert result(tmp_path, "classifier_only") == first


def test_a_result_holds_for_what_gave_it(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    rows = ("--rows", "crossx", "--seeds", "0")
    measure(*rows)
    first = result(tmp_path, "crossx")
    calls.clear()
    assert measure(*rows, "--data.batches_per_epoch=2") == 0
    assert calls == ["fit", "validate"]
    assert len(measurements(tmp_path, "crossx")) == 2  # the first one is still there
    calls.clear()
    assert measure(*rows) == 0
    assert not calls
    assert result(tmp_path, "crossx") == first


def test_teachers_older_than_their_config_are_trained_again(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    rows = ("--rows", "crossx", "--seeds", "0")
    measure(*rows)
    first = result(tmp_path, "crossx")
    config = tmp_path / "sketch.yaml"
    config.write_text(config.read_text().replace("max_steps: 2", "max_steps: 3"))
    run_digest.cache_clear()
    calls.clear()
    assert measure(*rows) == 0
    assert calls == ["fit", "fit", "validate"]  # the sketch teacher and the row
    again = result(tmp_path, "crossx")
    assert again.files["sketch"] != first.files["sketch"]
    assert again.files["photo"] == first.files["photo"]


def changed(path: Path) -> None:
    """Write the file again with other weights."""
    tensors, metadata = read_safetensors(path, "file")
    write_safetensors(path, {name: tensor * 0.5 for name, tensor in tensors.items()}, metadata)


def test_a_row_of_an_earlier_file_of_a_teacher_is_not_done(measure: Measure, tmp_path: Path, calls: list[str]) -> None:
    """The teacher's config tells nothing of who trained it: its file does."""
    rows = ("--rows", "classifier_only", "--seeds", "0")
    assert measure(*rows) == 0
    first = result(tmp_path, "classifier_only")
    assert first.teachers_made_with == {"photo": "1234567", "sketch": "1234567"}
    assert "\nTeachers were trained at commit 1234567.\n" in (tmp_path / "out/results/shapes-validation.md").read_text()
    (teacher,) = (tmp_path / "out/runs/shapes").glob("photo-0-*/teacher.safetensors")
    changed(teacher)
    assert not results(tmp_path, "classifier_only")
    calls.clear()
    assert measure(*rows) == 0
    assert calls == ["validate"]
    again = result(tmp_path, "classifier_only")
    assert again.files == {**first.files, "photo": file_digest(teacher)} != first.files
    assert again.ap_all != first.ap_all
    assert again.place(tmp_path) == first.place(tmp_path)  # it takes the earlier one's place


def test_generators_are_trained_once_for_the_rows_that_share_them(
    measure: Measure, tmp_path: Path, calls: list[str]
) -> None:
    rows = ("--rows", "given", "longer", "--seeds", "0")
    assert measure(*rows) == 0
    assert calls == ["fit", *["fit", "validate"] * 2]
    given, longer = result(tmp_path, "given"), result(tmp_path, "longer")
    (generators,) = (path.parent for path in (tmp_path / "out/runs/shapes").glob("generators-0-*/done.json"))
    assert given.files["generators"] == longer.files["generators"] == file_digest(generators / "generators.safetensors")
    assert given.ap_all != longer.ap_all
    assert [step for step, _ in given.curve] == [0, 4], "steps of the encoders alone"
    logged = last_mean(generators / "metrics.csv", ["recon/agreement"])
    assert logged
    assert logged.items() <= given.pairs.items()
    assert {"recon/photo_diversity", "recon/sketch_diversity"} <= given.pairs.keys()
    fits = list((tmp_path / "out/runs/shapes").glob("fit-0-*/pairs"))
    assert len(fits) == 2
    assert len({max(pairs.glob("*.png")).read_bytes() for pairs in fits}) == 1, "their sheet is shown once"
    calls.clear()
    assert measure(*rows) == 0
    assert not calls
    changed(generators / "generators.safetensors")
    assert not results(tmp_path, "given")
    assert measure(*rows) == 0
    assert calls == ["fit", "validate"] * 2
    again = result(tmp_path, "given")
    assert again.files["generators"] != given.files["generators"]
    assert again.pairs["recon/photo_diversity"] != given.pairs["recon/photo_diversity"]


def test_generators_that_cannot_be_trained_fail_the_rows_that_share_them(
    measure: Measure, tmp_path: Path, calls: list[str]
) -> None:
    recipe = tmp_path / "model/generators.yaml"
    recipe.write_text(recipe.read_text().replace("size: ", "size: 9 # "))
    assert measure("--rows", "given", "crossx", "--seeds", "0") == 1
    reason = result(tmp_path, "given").failed
    assert reason.startswith("generators, seed 0 ended with status 2: model.generator.size: must be")
    assert result(tmp_path, "crossx").metrics
    assert calls == ["fit", "fit", "validate"]
