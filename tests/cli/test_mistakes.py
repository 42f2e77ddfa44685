"""A user's mistake: exit code 2, one message that names what is wrong, no traceback, nothing half-written."""

import re
from pathlib import Path

import pytest
from support.commands import Refuse, config, edit, folder_dataset, joint_config, part, write
from support.runs import CLASSES, Teachers, save_teachers

from crossx.cli import main
from crossx.cli.mistakes import explain
from crossx.cli.training import train
from crossx.core.errors import InputError


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            "model.schedule.warmp",
            3,
            r"^model: 'schedule\.warmp' is not an option; legal for Schedule: warmup, generator_steps, encoder_steps "
            r"\(did you mean 'warmup'\?\)$",
        ),
        ("model.schedule.warmup", "x", r"^model\.schedule\.warmup: must be int or float, got x$"),
        ("model.schedule.warmup", -1, r"^model\.schedule\.warmup: must be at least 0, got -1$"),
        (
            "model.reconstruction.generator.widht",
            8,
            r"^model\.reconstruction\.generator: .*'widht'.*; legal for UpsamplingGenerator: .*size, .*width,",
        ),
        (
            "model.reconstruction.generator.width",
            7,
            r"^model\.reconstruction\.generator\.width: must be a multiple of 8",
        ),
        (
            "model.encoding.terms.sup_con.wieght",
            1,
            r"^model\.encoding\.terms\.sup_con: 'wieght' .*loss, weight, ramp \(did you mean 'weight'\?\)$",
        ),
        (
            "model.encoding.terms.sup_con.loss",
            {"class_path": "SupConn"},
            r"^model\.encoding\.terms\.sup_con\.loss: class 'SupConn' is not known; must be one of .*, InfoNCELoss, .*"
            r"TripletLoss, .*, or the full path of another \(did you mean 'SupConLoss'\?\)$",
        ),
        (
            "model.encoding.terms.sup_con.loss",
            {"class_path": "crossx.encoding.losses.SupConn"},
            r"^model\.encoding\.terms\.sup_con\.loss: class 'SupConn' is not known; must be one of ",
        ),
        (
            "model.encoding.terms.sup_con.loss",
            part("SupConLoss", sharpnes=1),
            r"^model\.encoding\.terms\.sup_con\.loss: 'sharpnes' is not an option; legal for SupConLoss: "
            r"temperature, soft, sharpness \(did",
        ),
        (
            "model.encoding.terms.sup_con.loss",
            {"class_path": "OneHotLoss"},
            r"^model\.encoding\.terms\.sup_con\.loss: class 'OneHotLoss' does not fit here, because it is a "
            r"ReconstructionLoss; must be one of .*SupConLoss",
        ),
        (
            "model.encoding.terms.sup_con.loss",
            {"class_path": "my_lab.losses.GapLoss"},
            r"^model\.encoding\.terms\.sup_con\.loss: the package of the class cannot be imported: No module named "
            r"'my_lab'; must be installed, or in the working directory and named under imports",
        ),
        (
            "model.encoding.terms.mine",
            {"weight": 2},
            r"^model\.encoding\.terms\.mine: the following arguments are required: loss$",
        ),
        (
            "model.encoding.optimizer",
            part("torch.optim.Adam", lrr=1),
            r"^model\.encoding\.optimizer: 'lrr' is not an option; legal for Adam: lr, betas, .*"
            r"\(did you mean 'lr'\?\)$",
        ),
        (
            "model.encoding.scheduler",
            part("Cosine", etamin=1),
            r"^model\.encoding\.scheduler: 'etamin' is not an option; legal for Cosine: eta_min "
            r"\(did you mean 'eta_min'\?\)$",
        ),
        (
            "model.replay",
            part("Replay", size=3),
            r"^(model\.)?replay\.size: must be at least 10, one pair a class, got 3$",
        ),
        (
            "trainer.max_step",
            3,
            r"^'trainer\.max_step' is not an option; `crossx fit --help` .*\(did you mean 'trainer\.max_steps'\?\)$",
        ),
        (
            "trainer.max_epochs",
            3,
            r"^trainer\.max_epochs: must be -1 where trainer\.max_steps is set, got 3 and trainer\.max_steps: 4",
        ),
        ("trainer.accelerator", "gpuu", r"^trainer\.accelerator: .*gpuu"),
        (
            "trainer.strategy",
            "fsdp",
            r"^trainer\.strategy: must be auto, ddp or .*PlayersDDP in a joint run, got fsdp",
        ),
        (
            "trainer.strategy",
            "deepspeed",
            r"^trainer\.strategy: must be auto, ddp or .*PlayersDDP in a joint run, got deepspeed",
        ),
        ("trainer.sync_batchnorm", True, r"^trainer\.sync_batchnorm: must be false in a run with teachers: .*; use"),
        (
            "trainer.gradient_clip_val",
            1,
            r"^trainer\.gradient_clip_val: must be unset in a joint run, .*; use clip_norm",
        ),
        ("trainer.accumulate_grad_batches", 2, r"^trainer\.accumulate_grad_batches: must be 1 in a joint run, .*; use"),
        (
            "trainer.precision",
            "bf16-true",
            r"^trainer\.precision: must be one of 32-true, bf16-mixed in a joint run, got bf16-true",
        ),
        ("data.batch_size", 0, r"^data\.batch_size: must be at least 1, got 0"),
        ("data.dataset.validation", 0, r"^photo: must have at least one image, got an empty list"),
        ("teachers.photo", "nowhere.safetensors", r"^teachers\.photo: 'nowhere\.safetensors' does not exist"),
        ("trainr", {"max_steps": 3}, r"'trainr"),
    ],
)
def test_one_clear_message(
    refuse: Refuse, teachers: Teachers, tmp_path: Path, place: str, value: object, message: str
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, place, value)
    assert re.search(message, found := refuse(content)), found


def test_unknown_option(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    legal = "is not an option; legal for CoTrainingModule: reconstruction, encoding, schedule, replay"
    found = refuse(content, "--model.schedul.warmup", "3")
    assert found == f"model: 'schedul.warmup' {legal} (did you mean 'schedule'?)"
    legal = "is not an option; legal for Schedule: warmup, generator_steps, encoder_steps"
    assert refuse(content, "--model.schedule.warmp=3") == f"model: 'schedule.warmp' {legal} (did you mean 'warmup'?)"
    listed = "`crossx fit --help` lists the legal ones"
    assert refuse(content, "--foo", "3", "--bar=4") == f"'foo' and 'bar' are not options; {listed}"
    edit(content, "model.schedule", {"warm": {"up": 3}})
    assert refuse(content) == f"model: 'schedule.warm.up' {legal} (did you mean 'warmup'?)"


def test_an_unknown_option_of_another_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--config", "quickstart.yaml", "--trainer.max_step=3"]) == 2
    message = "'trainer.max_step' is not an option; `crossx test --help` lists the legal ones"
    assert message in capsys.readouterr().err


def test_config_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["fit", "--config", "sketchi.yaml"]) == 2
    err = capsys.readouterr().err
    assert re.search(r"--config: 'sketchi\.yaml' is neither .*; did you mean sketchy\.yaml", err)
    assert "quickstart" not in err, "the nearest ones, not all"
    (tmp_path / "broken.yaml").write_text("a: [1")
    assert main(["fit", "--config", str(tmp_path / "broken.yaml")]) == 2
    assert re.search(r"crossx: error: \S+/broken\.yaml: line 1, column 6: not YAML", capsys.readouterr().err)


def test_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit"]) == 2
    assert "model" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "named"), [([], "''"), (["fitt", "--config", "a.yaml"], "'fitt'")])
def test_no_such_command(words: list[str], named: str) -> None:
    with pytest.raises(InputError, match=f"^command: must be one of fit, validate, test, predict; got {named}"):
        train(words)


def test_class_that_one_teacher_does_not_know(refuse: Refuse, tmp_path: Path) -> None:
    few = save_teachers(tmp_path, classes={"photo": CLASSES, "sketch": CLASSES[1:]})
    message = refuse(joint_config(few, tmp_path / "runs"))
    assert message.startswith(f"data.dataset: the sketch teacher does not know {CLASSES[0]!r}; its classes are ")


def test_missing_class_folder(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "data.dataset", folder_dataset(tmp_path))
    (tmp_path / "data/sketch" / CLASSES[1]).rename(tmp_path / "data/sketch/other")
    message = refuse(content)
    assert f"{CLASSES[1]} does not exist" in message
    assert "'other'" in message


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_image(refuse: Refuse, teachers: Teachers, tmp_path: Path, workers: int) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "data.dataset", folder_dataset(tmp_path))
    edit(content, "data.workers", workers)
    (tmp_path / f"data/photo/{CLASSES[0]}/3.jpg").write_bytes(b"this is no image")
    message = refuse(content)
    assert f"{CLASSES[0]}/3.jpg: cannot be read as an image" in message


def test_run_that_is_not_evaluated_has_nothing_to_test(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "data.dataset", None)
    assert main(["test", "--config", write(tmp_path / "c.yaml", content)]) == 2
    assert "data.dataset: must be named in a run that is evaluated, got null" in capsys.readouterr().err


def test_encoders_alone_need_pairs(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    model = joint_config(teachers, tmp_path)["model"]["init_args"]["encoding"]
    assert refuse(config(teachers, tmp_path / "runs", model)).startswith("model.pairs: must be named; SavedPairs")
    model["init_args"]["pairs"] = part("LivePairs")
    assert refuse(config(teachers, tmp_path / "runs", model)) == (
        "model.pairs: the following arguments are required: num_classes"
    )
    model["init_args"]["pairs"] = part("SavedPairs", generators=teachers.photo)
    assert "does not hold two generators saved by crossx" in refuse(config(teachers, tmp_path / "runs", model))


def test_a_run_that_fails_before_its_first_step_leaves_no_folder(
    refuse: Refuse, teachers: Teachers, tmp_path: Path
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "model.encoding.optimizer", part("torch.optim.Adam", lr=-1))
    assert refuse(content).startswith("model.encoding.optimizer.lr: Invalid learning rate")
    assert not list(tmp_path.rglob("version_*"))


def test_explanation_of_a_plain_error() -> None:
    assert explain(ValueError("x: <class 'float'>")) == "x: float"


@pytest.mark.parametrize(
    ("place", "value", "near"),
    [
        ("model", {"class_path": "CoTraningModule"}, "CoTrainingModule"),
        ("model", {"class_path": "crossx.cotraning.module.CoTrainingModule"}, "CoTrainingModule"),
        ("model.encoding", {"class_path": "crossx.encoding.EncoderModule"}, "EncoderModule"),
        ("data", {"class_path": "SyntheticPairDataModule"}, "SyntheticPairsDataModule"),
        ("data.dataset", {"class_path": "ShapeDataset"}, "ShapesDataset"),
        ("model.replay", {"class_path": "Replai"}, "Replay"),
        ("trainer.logger", {"class_path": "lightning.pytorch.loggers.CSVLoger"}, "CSVLogger"),
        ("trainer.callbacks", [{"class_path": "EarlyStoping"}], "EarlyStopping"),
        ("trainer.callbacks", "EarlyStoping", "EarlyStopping"),
        ("trainer.callbacks", [{"class_path": "lightning.pytorch.callback.EarlyStopping"}], "EarlyStopping"),
        ("trainer.profiler", {"class_path": "SimplProfiler"}, "SimpleProfiler"),
        ("trainer.strategy", {"class_path": "DDPStrateg"}, "DDPStrategy"),
        ("model.encoding.terms.sup_con.loss", part("TripletLoss", mining="hrd"), "hard"),
        ("trainer.precision", "16-tru", "16-true"),
    ],
)
def test_class_typos_have_the_nearest_name(
    refuse: Refuse, teachers: Teachers, tmp_path: Path, place: str, value: object, near: str
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, place, value)
    found = refuse(content)
    assert found.startswith(f"{place}"), found
    assert found.endswith(f"(did you mean {near!r}?)"), found
    assert len(found) < 400
