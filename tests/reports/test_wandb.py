"""A W&B run for real, offline, read back from its file."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from support.commands import ENCODING, config, edit, joint_config, part
from support.runs import Teachers
from support.wandb_records import WrittenRun, fit_with_wandb

from crossx.teachers.teacher import load_teacher

pytestmark = pytest.mark.usefixtures("offline_wandb")
MEDIA = {"pairs", "classes", "hardest", "filmstrip", "retrieval_validation"}


@pytest.fixture(scope="module")
def folder(
    teachers: Teachers,
    offline_wandb: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The joint run of the other tests, with W&B."""
    folder = tmp_path_factory.mktemp("run")
    fit_with_wandb(folder, joint_config(teachers, folder))
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> WrittenRun:
    return WrittenRun(folder)


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "run/version_0/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_scalars_are_those_of_the_table(folder: Path, written: WrittenRun) -> None:
    rows = metrics(folder)
    names = {name for name in rows[0] if "/" in name}
    assert {name.partition("/")[0] for name in names} == {"recon", "encode", "val"}
    assert {"encode/pair_agreement", "encode/loss", "recon/agreement", "val/map_all"} <= names
    for name in names:
        expected = {int(row["step"]): float(row[name]) for row in rows if row[name]}
        assert expected
        assert written.logged(name) == pytest.approx(expected)


def test_one_step_axis(written: WrittenRun) -> None:
    assert {f"{group}/*" for group in ("recon", "encode", "val", "test", "media", "classes")} < set(written.axes)
    axes = {axis for name, axis in written.axes.items() if name != "trainer/global_step"}
    assert axes == {"trainer/global_step"}
    assert all("trainer/global_step" in row for row in written.history)


def test_config_is_the_resolved_one(folder: Path, written: WrittenRun) -> None:
    expected = json.loads((folder / "run/version_0/results.json").read_text())["config"]
    assert expected["model"]["init_args"]["schedule"]["warmup"] == 1
    found = dict(written.config)
    assert found.pop("run_folder") == str((folder / "run/version_0").resolve())
    assert {name: value for name, value in found.items() if not name.startswith("_")} == expected


def test_pictures_are_those_of_the_run_folder_at_validations_only(folder: Path, written: WrittenRun) -> None:
    own = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(folder / "run/version_0")
        for path in (folder / "run/version_0").rglob("*.png")
    }
    names = {key for row in written.history for key in row if key.startswith("media/")}
    assert names == {f"media/{name}" for name in MEDIA}
    for name in names:
        for step, picture in written.logged(name).items():
            assert step in (0, 2, 4)
            sent = hashlib.sha256((written.files / picture["path"]).read_bytes()).hexdigest()
            assert sent == picture["sha256"]
            if name == "media/filmstrip" and step < 4:
                continue  # written anew since then
            assert own[sent].with_suffix("").as_posix().replace("/", "_").startswith(name.removeprefix("media/"))
            if name != "media/filmstrip":
                assert own[sent].stem.endswith(f"step_{step:07d}")
    assert set(written.logged("media/filmstrip")) == {0, 2, 4}
    assert set(written.logged("media/retrieval_validation")) == {2, 4}


def test_histograms_are_the_counts_of_the_tables(folder: Path, written: WrittenRun) -> None:
    for side in ("photo", "sketch"):
        logged = written.logged(f"classes/{side}")
        assert set(logged) == {2, 4}
        for step, histogram in logged.items():
            with (folder / f"run/version_0/classes/step_{step:07d}.csv").open(newline="") as file:
                counts = [int(row[side]) for row in csv.DictReader(file)]
            assert histogram["values"] == counts
            assert histogram["bins"] == list(range(len(counts) + 1))


def test_lineage_from_teachers_to_encoders(folder: Path, written: WrittenRun, teachers: Teachers) -> None:
    used = [artifact for artifact in written.artifacts if artifact.use_after_commit]
    logged = [artifact for artifact in written.artifacts if not artifact.use_after_commit]
    hashes = {side: load_teacher(path).hash for side, path in teachers._asdict().items()}
    assert [(a.type, a.name) for a in used] == [("teacher", f"teacher-{side}-{hashes[side][:12]}") for side in hashes]
    assert [(a.type, a.name.partition("-")[0]) for a in logged] == [("encoders", "encoders")]
    assert {"best", "last"} <= set(logged[0].aliases)
    about = json.loads(logged[0].metadata)
    assert about == {"step": 4, "weights": "last", "data_free": True, "teachers": hashes}
    assert json.loads(used[0].metadata)["classes"] == list(load_teacher(teachers.photo).card.classes)
    files = {entry.path: entry.size for artifact in written.artifacts for entry in artifact.manifest.contents}
    assert files == {
        "photo.safetensors": Path(teachers.photo).stat().st_size,
        "sketch.safetensors": Path(teachers.sketch).stat().st_size,
        "encoders.safetensors": (folder / "run/version_0/encoders.safetensors").stat().st_size,
    }


def test_run_with_data_without_media(teachers: Teachers, tmp_path: Path) -> None:
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.pairs", part("RealPairs"))
    fit_with_wandb(tmp_path, content, "--reports.wandb.media", "false")
    written = WrittenRun(tmp_path)
    assert not [key for row in written.history for key in row if key.startswith(("media/", "classes/"))]
    about = json.loads(written.artifacts[-1].metadata)
    assert (about["weights"], about["data_free"]) == ("last", False)
