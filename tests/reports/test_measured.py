"""What a result says of the images that it was measured on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from support.commands import RECONSTRUCTION, config, edit, folder_dataset, joint_config, part, run
from support.runs import CLASSES, SIZE, Teachers, data, joint, save_teachers, trainer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from crossx.cli import main
from crossx.data.shapes.dataset import ShapesDataset
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.run.report import RunReport
from crossx.types import Split

WHOLE = ShapesDataset(size=SIZE, train=2, validation=2, test=2).split_hash


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def measure(verb: str, teachers: Teachers, folder: Path, **limits: Any) -> dict[str, Any]:  # noqa: ANN401
    """Results of 20 photos and 20 sketches in batches of 8."""
    quiet = trainer(folder, 5, [TeacherBaselines(), RunReport()], **limits)
    getattr(quiet, verb)(joint(teachers), datamodule=data(teachers, evaluated=True, eval_batch_size=8))
    return read(folder)


def counts(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {name: (i["measured"], i["there"]) for name, i in found["measured"]["images"].items()}


@pytest.mark.parametrize(("verb", "stage"), [("validate", "val"), ("test", "test")])
@pytest.mark.parametrize(("limit", "images"), [(1, 8), (2, 16), (0.34, 8), (0.99, 16)])
def test_a_part_of_a_split_is_called_partial(
    teachers: Teachers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    stage: str,
    limit: float,
    images: int,
) -> None:
    found = measure(verb, teachers, tmp_path, **{f"limit_{stage}_batches": limit})
    assert found["measured"]["partial"]
    assert counts(found) == {"photo": (images, 20), "sketch": (images, 20)}
    assert len(found["ap_all"]) == images
    assert found["split_hash"] != WHOLE
    out = capsys.readouterr().out
    assert f"measured on a part of the {found['split']} split" in out
    assert f"partial: {images} of 20 photos and {images} of 20 sketches" in out


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
@pytest.mark.parametrize("limits", [{}, {"limit_val_batches": 3, "limit_test_batches": 7}])
def test_a_whole_split_is_not(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, limits: dict[str, int]
) -> None:
    """Also after a sanity check of two batches, and under limits that cut nothing."""
    found = measure(verb, teachers, tmp_path, num_sanity_val_steps=2, **limits)
    assert not found["measured"]["partial"]
    assert counts(found) == {"photo": (20, 20), "sketch": (20, 20)}
    assert found["split_hash"] == WHOLE
    assert "part" not in capsys.readouterr().out


def test_parts_are_told_apart_by_their_hashes(teachers: Teachers, tmp_path: Path) -> None:
    limits: list[dict[str, Any]] = [{}, {"limit_val_batches": 1}, {"limit_val_batches": 2}]
    found = [measure("validate", teachers, tmp_path / str(i), **limit) for i, limit in enumerate(limits)]
    again = measure("validate", teachers, tmp_path / "again", limit_val_batches=0.34)
    tested = measure("test", teachers, tmp_path / "test", limit_test_batches=1)
    hashes = [results["split_hash"] for results in found]
    assert again["split_hash"] == hashes[1], "the same images"
    assert len({*hashes, tested["split_hash"]}) == 4


def test_a_fit_with_a_cut_validation_compares_with_its_own_start_only(teachers: Teachers, tmp_path: Path) -> None:
    found = measure("fit", teachers, tmp_path / "cut", limit_val_batches=1, num_sanity_val_steps=-1)
    assert counts(found) == {"photo": (8, 20), "sketch": (8, 20)}
    assert set(found["differences"]) == {"features", "posterior", "at_start"}


def test_baselines_of_a_part_are_not_those_of_the_whole(teachers: Teachers, tmp_path: Path) -> None:
    """The same report serves two measurements of one process."""
    baselines = TeacherBaselines()
    found = []
    for limit in (1, 1.0):
        quiet = trainer(tmp_path, 5, [baselines], limit_val_batches=limit)
        module, images = joint(teachers), data(teachers, evaluated=True, eval_batch_size=8)
        quiet.validate(module, datamodule=images, verbose=False)
        found.append((len(baselines.scores["validation"]["posterior"].label), baselines.chosen_on))
    assert found == [(8, "a part of validation"), (20, "validation")]


def test_a_try_out_shows_a_partial_result_and_writes_none(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "data.eval_batch_size", 4)
    run("fit", tmp_path / "c.yaml", content, "--trainer.fast_dev_run", "2")
    out = capsys.readouterr().out
    assert "measured on a part of the validation split" in out
    assert "partial: 8 of 20 photos and 8 of 20 sketches" in out
    assert "run folder" not in out
    assert not (tmp_path / "runs").exists()


def test_a_classifier_that_is_measured_on_a_part_is_partial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = {"network": "SmallResNet", "arguments": {"widths": [8, 8]}, "input_size": SIZE}
    dataset = part("ShapesDataset", size=SIZE, train=4, validation=4, test=2)
    content = config(
        Teachers("", ""), tmp_path, part("ClassifierModule", output=str(tmp_path / "t.safetensors"), **network)
    )
    del content["teachers"]
    content["data"] = part("LabelledImagesDataModule", dataset=dataset, modality="photo", batch_size=8)
    edit(content, "trainer.limit_val_batches", 2)
    edit(content, "trainer.max_steps", 5)
    run("fit", tmp_path / "c.yaml", content)
    found = read(tmp_path / "run/version_0")
    assert found["measured"]["partial"]
    assert counts(found) == {"batches": (2, 5)}
    assert "partial: 2 of 5 batches" in capsys.readouterr().out


def test_a_run_that_measures_nothing_says_nothing(teachers: Teachers, tmp_path: Path) -> None:
    content = config(teachers, tmp_path, RECONSTRUCTION)
    run("fit", tmp_path / "c.yaml", content)
    assert read(tmp_path / "run/version_0")["measured"] is None


class Unpaired(ShapesDataset):
    """Photos of half the classes are missing from what is measured."""

    def images(self, modality: Any, split: Split) -> Any:  # noqa: ANN401
        found = super().images(modality, split)
        if modality == "photo":
            kept = [i for i, label in enumerate(found.labels) if label < 5]
            found.labels, found.names = found.labels[kept], [found.names[i] for i in kept]
        return found


def test_queries_without_a_relevant_photo_and_a_small_gallery_are_said(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = SyntheticPairsDataModule(Unpaired(size=SIZE, train=2, validation=2, test=2), 4, 5)
    quiet = trainer(tmp_path, 5, [TeacherBaselines(), RunReport()])
    logged = quiet.validate(joint(teachers), datamodule=images, verbose=False)[0]
    found = read(tmp_path)
    assert logged["val/queries_without_relevant"] == found["metrics"]["queries_without_relevant"] == 10
    assert found["measured"]["queries_without_relevant"] == 10
    assert found["measured"]["gallery_too_small_for"] == ["prec_at_50", "prec_at_100", "prec_at_200"]
    assert sum(value is None for value in found["ap_all"]) == 10
    out = capsys.readouterr().out
    assert "10 of 20 queries have no relevant photo and are left out of the means" in out
    assert "prec_at_50, prec_at_100, prec_at_200: the gallery has only 10 photos" in out
    assert "queries_without_relevant" not in out, "a count is no measure"


def test_all_queries_count_is_not_said(teachers: Teachers, tmp_path: Path) -> None:
    found = measure("validate", teachers, tmp_path)
    assert "queries_without_relevant" not in found["metrics"]
    assert found["measured"]["queries_without_relevant"] == 0


def test_the_test_split_needs_no_validation_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = CLASSES[:2]
    teachers = save_teachers(tmp_path, classes={"photo": names, "sketch": names})
    content = joint_config(teachers, tmp_path)
    edit(content, "data.dataset", folder_dataset(tmp_path))
    run("test", tmp_path / "c.yaml", content)
    chosen = read(tmp_path / "run/version_0")["posterior_origin"]
    assert (chosen["chosen_on"], chosen["fixed_because"]) == ("validation", None)
    assert "fixed" not in capsys.readouterr().out
    table = tmp_path / "split.tsv"
    table.write_text(table.read_text().replace("2:4", "-"))
    edit(content, "trainer.logger.version", 1)
    run("test", tmp_path / "c.yaml", content)
    found = read(tmp_path / "run/version_1")
    assert found["posterior_origin"]["chosen_on"] is None
    assert found["posterior"] == {"form": "dot", "photo_temperature": 1.0, "sketch_temperature": 1.0}
    assert "the validation part has no photo" in found["posterior_origin"]["fixed_because"]
    assert set(found["baselines"]) == {"features", "posterior"}
    assert not found["measured"]["partial"]
    told = " ".join(capsys.readouterr().out.split())  # the line is folded
    assert "posterior matching: dot at 1 for photos and 1 for sketches, fixed and not chosen" in told


def test_embeddings_of_a_part_are_called_partial(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = joint_config(teachers, tmp_path)
    edit(content, "data.eval_batch_size", 8)
    run("predict", tmp_path / "c.yaml", content, "--trainer.limit_predict_batches", "1")
    assert "partial: 8 of 20 photo images and 8 of 20 sketch images" in capsys.readouterr().out


class Endless(pl.LightningModule):
    """A module that is validated on a stream."""

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/mean", batch.mean())


class Stream(IterableDataset[Tensor]):
    def __iter__(self) -> Iterator[Tensor]:
        return iter(torch.ones(6, 1))


def test_a_stream_without_a_length_is_no_part(tmp_path: Path) -> None:
    quiet = trainer(tmp_path, 5, [RunReport()], limit_val_batches=2)
    quiet.validate(Endless(), DataLoader(Stream(), batch_size=2), verbose=False)
    found = read(tmp_path)
    assert found["metrics"] == {"mean": 1.0}
    assert not found["measured"]["partial"]


START = "at step 0"


@pytest.fixture(scope="module")
def fitted(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was measured at step 0."""
    folder = tmp_path_factory.mktemp("fitted")
    run("fit", folder / "c.yaml", joint_config(teachers, folder))
    return folder / "run/version_0"


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ([], True),
        (["--data.pen", "{}"], True),  # changes nothing
        (["--data.pen", "{white_on_black: true}"], False),
        (["--dataset.init_args.size", "32"], False),
        (["--dataset.init_args.seed", "1"], False),
    ],
)
def test_step_0_stands_beside_the_same_images_only(
    fitted: Path, capsys: pytest.CaptureFixture[str], words: list[str], same: bool
) -> None:
    checkpoint = str(fitted / "checkpoints/last.ckpt")
    capsys.readouterr()
    assert main(["validate", "--ckpt_path", checkpoint, "--trainer.accelerator", "cpu", *words]) == 0
    written = max((fitted / "validate").glob("version_*"), key=lambda path: path.stat().st_mtime_ns)
    found = read(written)
    assert bool(found["at_start"]) == same
    assert ("at_start" in found["differences"]) == same
    assert (START in capsys.readouterr().out) == same
    assert found["measured"]["size"] == (32 if "32" in words else SIZE)
    assert found["measured"]["pen"] == ({"white_on_black": True} if "{white_on_black: true}" in words else None)


def test_a_resumed_run_on_other_images_says_so_and_leaves_step_0_out(teachers: Teachers, tmp_path: Path) -> None:
    run("fit", tmp_path / "c.yaml", joint_config(teachers, tmp_path))
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    content = joint_config(teachers, tmp_path / "again")
    edit(content, "trainer.max_steps", 6)
    edit(content, "data.pen", {"white_on_black": True})
    with pytest.warns(UserWarning, match="not those of step 0"):
        run("fit", tmp_path / "d.yaml", content, "--ckpt_path", str(last))
    again = tmp_path / "again/run/version_0"
    assert read(again)["at_start"] == {}
    assert torch.load(again / "checkpoints/last.ckpt", weights_only=True)["callbacks"]["RunReport"]["at_start"] == {}


def test_another_module_has_another_step_0(teachers: Teachers, tmp_path: Path) -> None:
    """The same report serves two modules of one process."""
    quiet = trainer(tmp_path, 5, [RunReport()], num_sanity_val_steps=-1)
    first, images = joint(teachers), data(teachers, evaluated=True)
    quiet.fit(first, datamodule=images)
    assert read(tmp_path)["at_start"]
    quiet.validate(first, datamodule=images, verbose=False)
    assert read(tmp_path)["at_start"]
    quiet.validate(joint(teachers), datamodule=images, verbose=False)
    assert read(tmp_path)["at_start"] == {}
