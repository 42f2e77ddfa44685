"""A config beside `--ckpt_path`: which values count, value by value, as docs/how-to/running.md says."""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import edit, joint_config, write
from support.runs import Teachers

from crossx.cli.training import parse, train

LAST = "run/version_0/checkpoints/last.ckpt"
OPTIONS = (
    "--data.batch_size=6",
    "--data.dataset.init_args.validation=3",
    "--model.encoding.terms.sup_con.weight=3",
    "--model.encoding.optimizer.class_path=torch.optim.Adam",
    "--model.encoding.optimizer.lr=0.004",
    "--seed_everything=5",
)


@pytest.fixture(scope="module")
def project(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config `c.yaml`, and a run of it whose command line had options."""
    folder = tmp_path_factory.mktemp("project")
    content = joint_config(teachers, folder)
    content["trainer"]["logger"]["init_args"]["version"] = None
    edit(content, "data.dataset.validation", 2)
    train(["fit", "--config", write(folder / "c.yaml", content), *OPTIONS])
    return folder


def values(verb: str, *words: str) -> list[Any]:
    """Batch size, images for validation, weight of the term, seed, and steps."""
    found = parse([verb, *words])
    data, model = found["data"]["init_args"], found["model"]["init_args"]
    weight = model["encoding"]["init_args"]["terms"]["sup_con"]["weight"]
    images = data["dataset"]["init_args"]["validation"]
    return [data["batch_size"], images, weight, found["seed_everything"], found["trainer"]["max_steps"]]


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_what_a_config_names_wins_and_what_it_does_not_name_stays(project: Path, verb: str) -> None:
    checkpoint = ("--ckpt_path", str(project / LAST))
    assert values(verb, *checkpoint) == [6, 3, 3, 5, -1], "model, data and seed, and no trainer"
    config = ("--config", str(project / "c.yaml"))
    # The config names the batch size and the data set, and neither weight nor seed.
    assert values(verb, *config, *checkpoint) == [8, 2, 3, 5, 4]
    assert values(verb, *config, *checkpoint, "--data.batch_size=7", "--seed_everything=1") == [7, 2, 3, 1, 4]
    own = ("--config", str(project / "run/version_0/config.yaml"))
    assert values(verb, *own, *checkpoint) == [6, 3, 3, 5, 4], "as the run was"


def test_numbers_of_optimisers_come_from_the_checkpoint(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = ["--model.encoding.optimizer.lr=0.5", "--model.encoding.terms.sup_con.weight=7"]
    words = ["--config", str(project / "run/version_0/config.yaml"), "--ckpt_path", str(project / LAST), *rates]
    where = [f"--trainer.logger.init_args.save_dir={tmp_path}", "--trainer.max_steps=6"]
    told = r"^model\.encoding\.optimizer\.lr: the fit goes on with 0\.004 of its checkpoint, .* the 0\.5 of"
    with pytest.warns(UserWarning, match=told):
        cli = train(["fit", *words, *where])
    assert "resumed at step 4" in capsys.readouterr().out
    assert [group["lr"] for optimizer in cli.trainer.optimizers[1:] for group in optimizer.param_groups] == [0.004]
    assert cli.model.encoding.objective.terms["sup_con"].weight == 7


def test_the_run_s_own_config_goes_on_in_its_folder(project: Path) -> None:
    config = project / "run/version_0/config.yaml"
    train(["fit", "--config", str(config), "--ckpt_path", str(project / LAST), "--trainer.max_steps=6"])
    assert torch.load(project / LAST, weights_only=True)["global_step"] == 6
    assert [run.name for run in (project / "run").glob("version_*")] == ["version_0"]
