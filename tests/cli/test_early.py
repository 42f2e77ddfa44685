"""Mistyped names are answered at once: before torch is imported, with the nearest legal names."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.commands import edit, folder_dataset, joint_config, part, write
from support.runs import Teachers

from crossx.cli.composing import compose
from crossx.cli.early import GROUPS, OPTIONS, check
from crossx.cli.training import CrossxCLI
from crossx.core.errors import InputError

Refused = Callable[..., str]


@pytest.fixture
def refused(teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Look at a joint run with edits and further words; returns the message."""
    monkeypatch.chdir(tmp_path)

    def refused(*words: str, edits: dict[str, Any] | None = None) -> str:
        content = joint_config(teachers, tmp_path / "runs")
        for place, value in (edits or {}).items():
            edit(content, place, value)
        with pytest.raises(InputError) as error:
            check(["fit", "--config", write(tmp_path / "config.yaml", content), *words])
        assert "\n" not in str(error.value)
        return str(error.value)

    return refused


def seconds_of(*words: str) -> tuple[float, str, set[str]]:
    """Processor's seconds of a command, what it prints, and the modules that it loads."""
    code = f"import sys, json; from crossx.cli import main; status = main({list(words)!r})\n"
    code += "print(json.dumps([status, sorted(sys.modules)]))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status == 2
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr, set(modules)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--config", "quickstat.yaml"], "did you mean quickstart.yaml"),
        (["fit", "--config", "quickstart.yaml", "--trainer.max_step=3"], "did you mean 'trainer.max_steps'?"),
        (["fit", "--config", "quickstart.yaml", "--trainr.max_steps", "3"], "did you mean 'trainer'?"),
        (["fit", "--config", "quickstart.yaml", "--model.encoding.clip_nrom=3"], "did you mean 'clip_norm'?"),
        (["fit", "--config", "quickstart.yaml", "--teachers.photo", "no.safetensors"], "teachers.photo: 'no.safet"),
        (["test", "--ckpt_path", "no.ckpt"], "--ckpt_path: 'no.ckpt' is not a file"),
    ],
)
def test_a_typing_mistake_costs_no_second(words: list[str], message: str) -> None:
    seconds, err, modules = seconds_of(*words)
    assert message in err
    assert not {"torch", "lightning", "numpy", "jsonargparse"} & modules
    assert seconds < 1


def test_a_typing_mistake_behind_a_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "runs/mine/version_0"
    checkpoint = run / "checkpoints/last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    words = ["test", "--ckpt_path", str(checkpoint), "--model.encoding.clip_nrom=3"]
    check(words)  # nothing tells what the model is
    content = {"model": part("CoTrainingModule", encoding=part("EncoderModule", clip_norm=1.0))}
    write(run / "config.yaml", content)
    seconds, err, modules = seconds_of(*words)
    assert "did you mean 'clip_norm'?" in err
    assert "torch" not in modules
    assert seconds < 1
    write(run / "config.yaml", {**content, "trainr": {}})  # of another version, say
    check(words)


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_options_are_those_of_the_parser(group: str) -> None:
    parser = CrossxCLI(compose(["fit", "--config", "quickstart.yaml"]), parse_only=True).parser
    names = {action.dest for action in parser._actions} | set(parser.get_defaults(skip_validation=True).keys())
    if not group:
        assert {name.partition(".")[0] for name in names} <= {*OPTIONS, "print_shtab"}
        return
    with pytest.raises(InputError, match=f"'{group}.zzz' is not an option"):
        check(["fit", "--config", "quickstart.yaml", f"--{group}.zzz", "1"])
    inner = {name.split(".")[1] for name in names if name.startswith(f"{group}.") and not name.endswith(".help")}
    assert inner
    for name in inner:
        check(["fit", "--config", "quickstart.yaml", "--print_config", f"--{group}.{name}", "null"])


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"model.schedule.warmp": 3}, "model: 'schedule.warmp' is not an option; legal for Schedule: warmup, "),
        (
            {"model.encoding.terms.sup_con.wieght": 1},
            "model.encoding.terms.sup_con: 'wieght' is not an option; legal for EncodingTerm: loss, weight, ramp (did",
        ),
        ({"data.batchsize": 3}, "data: 'batchsize' is not an option; legal for SyntheticPairsDataModule: dataset, b"),
        (
            {"data.pen": "thick"},
            "data.pen: must be a mapping with keys of margin, line_width, darkness, white_on",
        ),
        ({"data.dataset.siz": 3}, "data.dataset: 'siz' is not an option; legal for ShapesDataset: size, "),
        ({"trainr": {"max_steps": 1}}, "'trainr.max_steps' is not an option; `crossx fit --help` lists the legal ones"),
        ({"teachers.foto": "x"}, "'teachers.foto' is not an option; `crossx fit --help` lists the legal ones"),
        ({"teachers.sketch": "sketch.safetensor"}, "teachers.sketch: 'sketch.safetensor' does not exist (tried "),
    ],
)
def test_a_name_in_a_config(refused: Refused, edits: dict[str, Any], message: str) -> None:
    assert refused(edits=edits).startswith(message)


def test_files_of_a_data_set(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSX_DATA", raising=False)
    dataset = folder_dataset(tmp_path)
    found = refused("--dataset.photos.root", str(tmp_path / "data/photos"), edits={"data.dataset": dataset})
    assert found.startswith(f"data.dataset.photos.root: '{tmp_path}/data/photos' does not exist")
    assert found.endswith("(did you mean 'photo'?)")
    found = refused("--dataset.split=split.csv", edits={"data.dataset": dataset})
    assert found == (
        "data.dataset.split: 'split.csv' does not exist (tried split.csv; CROSSX_DATA is not set) "
        "(did you mean 'split.tsv'?)"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--model.encoding.encoder", "StudentEncoder", "--model.encoding.encoder.network", "SmallResNet"],
        ["--model.encoding.terms.sup_con.loss=TripletLoss", "--model.encoding.terms.sup_con.loss.margin=0.3"],
        ["--model.encoding.terms.sup_con.loss", "mylab.MyLoss", "--model.encoding.terms.sup_con.loss.mine", "0.3"],
        ["--trainer.callbacks+", "lightning.pytorch.callbacks.Timer", "--trainer.callbacks.duration", "00:01:00:00"],
        ["--trainer.logger.init_args.name=mine", "--trainer.logger.version", "3"],
        ["--reports", "{health: {diversity: false}}", "--reports.pictures=false"],
        ["--data", "mylab.MyData", "--data.mine", "-3"],
        ["--model.reconstruction.terms.mine", "{loss: OneHotLoss, weight: -0.5}"],
    ],
)
def test_what_cannot_be_known_passes(teachers: Teachers, tmp_path: Path, words: list[str]) -> None:
    check(["fit", "--config", write(tmp_path / "config.yaml", joint_config(teachers, tmp_path / "runs")), *words])


def test_classes_of_others_pass(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "data.dataset", part("mylab.MyData", root="nowhere", split="train"))
    edit(content, "model.encoding.optimizer", part("mylab.MyAdam", rate=3))
    content["imports"] = ["mylab"]
    check(["fit", "--config", write(tmp_path / "config.yaml", content)])


def test_a_config_is_printed_wherever_its_files_are(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "teachers.photo", "on_the_cluster.safetensors")
    check(["fit", "--config", write(tmp_path / "config.yaml", content), "--print_config"])


def test_all_shipped_configs_pass() -> None:
    folder = Path(__file__).parents[2] / "configs"
    for path in folder.rglob("*.yaml"):
        name = path.relative_to(folder).as_posix()
        whole = [] if path.parent.name != "finegrained" else ["--config", "fg_retrieval.yaml"]  # what they stand behind
        check(["fit", *whole, "--config", name, "--print_config"])


def test_a_run_needs_a_model() -> None:
    with pytest.raises(InputError, match=r"^model: must be named; `crossx validate --config quickstart.yaml` has one"):
        check(["validate"])
