"""Generators that have collapsed end a run before its encoders learn from them, from the command line."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import ENCODING, Config, config, edit, generators, part, terms, write
from support.runs import SIZE, Teachers
from torch import Tensor, nn

from crossx.cli import main
from crossx.reconstruction.generators import Generator
from crossx.types import Modality

SHIPPED = Teachers("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
RUN = "run/version_0"
CHECKPOINT = f"{RUN}/checkpoints/last.ckpt"
HOW = "To go on all the same: "


class Copier(Generator):
    """A generator that makes one image."""

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality, latent_dim=8)
        self.image = nn.Parameter(torch.rand(3, SIZE, SIZE))

    def forward(self, noise: Tensor) -> Tensor:
        return self.image.sigmoid().expand(len(noise), -1, -1, -1)


def stage(generator: Config) -> Config:
    objective = terms(one_hot="OneHotLoss", statistics="BatchNormStatisticsLoss")
    return part("ReconstructionModule", generator=generator, terms=objective)


def joint(teachers: Teachers, folder: Path, generator: Config, warmup: int = 4) -> Config:
    """A warm-up that ends within an epoch, then both sides in turn, from a step of the generators on."""
    schedule = {"warmup": warmup, "generator_steps": 1, "encoder_steps": 1}
    model = part("CoTrainingModule", reconstruction=stage(generator), encoding=ENCODING, schedule=schedule)
    content = config(teachers, folder, model)
    edit(content, "trainer.max_steps", warmup + 4)
    edit(content, "data.batches_per_epoch", 3)
    return content


def quick(content: Config, *names: str, settle: int = 4, **health: Any) -> Config:  # noqa: ANN401 - any setting
    """Judge after four steps, where the default is 60."""
    detectors = [part(name, settle=settle, window=2) for name in names or ("CollapseDetector",)]
    content["reports"] = {"health": {"detectors": detectors, **health}, "pictures": False}
    return content


def collapsed(teachers: Teachers, folder: Path) -> Config:
    return quick(joint(teachers, folder, part(f"{__name__}.Copier")))


def fit(folder: Path, content: Config, *words: str) -> int:
    return main(["fit", "--config", write(folder / "c.yaml", content), *words])


def steps(folder: Path, name: str) -> list[int]:
    """Steps at which a scalar was logged."""
    with (folder / RUN / "metrics.csv").open() as file:
        return [int(row["step"]) + 1 for row in csv.DictReader(file) if row.get(name)]


def checkpoint(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)
    return loaded


def the_error(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("crossx: error: ")]
    return line


def test_a_joint_run_ends_before_its_encoders_train(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(UserWarning, match="health, step 5: over the last 2 steps of the generators two photo images"):
        assert fit(tmp_path, collapsed(teachers, tmp_path)) == 1
    said = the_error(capsys)
    assert said.startswith("crossx: error: health, step 5: over the last 2 steps of the generators two photo images of")
    assert "Usually helps: a lower weight of the one-hot term" in said
    kept = str(tmp_path / CHECKPOINT)
    assert said.endswith(
        f"training has stopped, because encoders learn little from such pairs, and {kept} keeps the weights. "
        f"{HOW}--ckpt_path {kept} --reports.health.stop_on_collapse false"
    )
    assert checkpoint(tmp_path)["global_step"] == 5, "an epoch has three steps"
    assert steps(tmp_path, "recon/loss") == [1, 2, 3, 4], "the last one is logged after it has been judged"
    assert "encode/loss" not in (tmp_path / RUN / "metrics.csv").read_text()
    assert not (tmp_path / RUN / "results.json").exists()


def test_an_imbalance_ends_it_too(teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = quick(joint(teachers, tmp_path, part(f"{__name__}.Copier")), "ImbalanceDetector")
    with pytest.warns(UserWarning, match="the entropy of the classes"):
        assert fit(tmp_path, content) == 1
    assert "100% of the images are of one class. Usually helps: raise the weight of the entropy term" in the_error(
        capsys
    )


def test_it_goes_on_from_its_checkpoint_where_that_is_wanted(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = collapsed(teachers, tmp_path)
    with pytest.warns(UserWarning, match="health, step 5"):
        assert fit(tmp_path, content) == 1
    first = the_error(capsys)
    words = first.partition(HOW)[2].split()
    assert fit(tmp_path, content, *words[:2]) == 1
    again = the_error(capsys)
    assert again.partition("; training")[0] == first.partition("; training")[0]
    assert again.endswith(f"{HOW}--reports.health.stop_on_collapse false")
    assert fit(tmp_path, content, *words) == 0
    assert checkpoint(tmp_path)["global_step"] == 8
    assert steps(tmp_path, "encode/loss") == [6, 8]
    # What may go on once may go on again.
    edit(content, "trainer.max_steps", 9)
    assert fit(tmp_path, content, *words[:2]) == 0


def test_it_does_not_end_where_that_is_not_wanted_or_the_warmup_was_too_short(
    teachers: Teachers, tmp_path: Path
) -> None:
    copier = part(f"{__name__}.Copier")
    for name, content in {
        "wanted": quick(joint(teachers, tmp_path / "wanted", copier), stop_on_collapse=False),
        "short": quick(joint(teachers, tmp_path / "short", copier, warmup=2)),
        "none": quick(joint(teachers, tmp_path / "none", copier, warmup=0), settle=1),
    }.items():
        with pytest.warns(UserWarning, match=r"health, step \d: over the last"):
            assert fit(tmp_path / name, content) == 0
        assert steps(tmp_path / name, "encode/loss")


def test_a_recipe_that_collapses_ends_with_the_usual_thresholds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A weight of the one-hot term that leaves the generators nothing else."""
    content = joint(SHIPPED, tmp_path, generators()["generator"], warmup=59)
    edit(content, "model.reconstruction.terms", {"one_hot": {"loss": part("OneHotLoss"), "weight": 100.0}})
    edit(content, "model.reconstruction.optimizer", part("torch.optim.Adam", lr=0.02))
    content["reports"] = {"pictures": False}
    with pytest.warns(UserWarning, match="health, step 60"):
        assert fit(tmp_path, content) == 1
    assert "% of the images are of one class" in the_error(capsys)
    assert checkpoint(tmp_path)["global_step"] == 60


@pytest.fixture
def saved(teachers: Teachers, tmp_path: Path) -> str:
    """Collapsed generators of an earlier run."""
    content = quick(config(teachers, tmp_path / "first", stage(part(f"{__name__}.Copier"))))
    with pytest.warns(UserWarning, match="health, step 4"):
        assert fit(tmp_path / "first", content) == 0, "no encoders learn here"
    return str(tmp_path / "first" / RUN / "generators.safetensors")


@pytest.mark.parametrize("replayed", [False, True])
def test_encoders_of_saved_generators_end_at_the_first_judgement(
    teachers: Teachers, tmp_path: Path, saved: str, replayed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.pairs", part("SavedPairs", generators=saved))
    if replayed:
        edit(content, "model.replay", part("Replay", size=40))
    edit(content, "trainer.max_steps", 30)
    edit(content, "data.batches_per_epoch", 9)
    with pytest.warns(UserWarning, match="health, step 9"):  # an epoch ends
        assert fit(tmp_path, quick(content)) == 1
    said = the_error(capsys)
    assert said.startswith("crossx: error: health, step 10: over the last 2 steps of the encoders two photo images")
    assert f"{HOW}--ckpt_path {tmp_path / CHECKPOINT} --reports" in said
    assert checkpoint(tmp_path)["global_step"] == 10
    edit(content, "trainer.max_steps", 12)
    words = said.partition(HOW)[2].split()
    with pytest.warns(UserWarning, match="health, step 12"):
        assert fit(tmp_path, quick(content, settle=2), *words) == 0
    assert checkpoint(tmp_path)["global_step"] == 12


def test_encoders_of_given_generators_end_at_the_first_judgement(
    teachers: Teachers, tmp_path: Path, saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A joint run whose generators start as others ended, and do not train."""
    model = part(
        "CoTrainingModule",
        reconstruction=stage(part(f"{__name__}.Copier")),
        encoding=ENCODING,
        schedule={"warmup": 0, "generator_steps": 0, "encoder_steps": 1},
    )
    content = config(teachers, tmp_path, model)
    edit(content, "model.reconstruction.start", saved)
    edit(content, "trainer.max_steps", 12)
    edit(content, "data.batches_per_epoch", 12)
    with pytest.warns(UserWarning, match="health, step 10"):
        assert fit(tmp_path, quick(content)) == 1
    assert the_error(capsys).startswith("crossx: error: health, step 10: over the last 2 steps of the encoders two")
    assert checkpoint(tmp_path)["global_step"] == 10


def test_real_pairs_are_no_collapse(teachers: Teachers, tmp_path: Path) -> None:
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.pairs", part("RealPairs"))
    edit(content, "trainer.max_steps", 12)
    content = quick(content)
    edit(content, "reports.health.detectors", [part("CollapseDetector", settle=4, window=2, least_spread=1e6)])
    assert fit(tmp_path, content) == 0


def test_the_noise_of_a_baseline_ends_no_run(tmp_path: Path) -> None:
    """To the shipped sketch teacher all white noise is of one class, and the baseline is measured all the same."""
    configs = ("benchmarks/shapes.yaml", "model/gaussian_prior.yaml")
    words = [word for name in configs for word in ("--config", name)]
    words += ["--trainer.max_steps", "60", "--data.batch_size", "4", "--data.batches_per_epoch", "60"]
    words += ["--trainer.limit_val_batches", "1", "--trainer.num_sanity_val_steps", "0"]
    words += ["--reports.pictures", "false", "--reports.run.baselines", "false", "--trainer.accelerator", "cpu"]
    words += ["--trainer.logger.save_dir", str(tmp_path), "--trainer.logger.name", "run"]
    with pytest.warns(UserWarning, match="100% of the images are of one class"):
        assert main(["fit", *words]) == 0
    assert checkpoint(tmp_path)["global_step"] == 60
