"""Options that set a value to null or empty it."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from support.commands import joint_config, write
from support.runs import Teachers

from crossx.cli.resets import take_resets
from crossx.cli.training import parse
from crossx.pixels.pen import Pen


@pytest.mark.parametrize(
    ("place", "way"),
    [
        ("model.encoding.clip_norm", ("encoding", "init_args", "clip_norm")),
        ("model.encoding.init_args.scheduler", ("encoding", "init_args", "scheduler")),
        ("model.reconstruction.terms.one_hot.ramp", ("reconstruction", "init_args", "terms", "one_hot", "ramp")),
    ],
)
@pytest.mark.parametrize("form", [lambda place: [f"--{place}=null"], lambda place: [f"--{place}", "null"]])
def test_null_on_the_command_line(
    teachers: Teachers, tmp_path: Path, place: str, way: tuple[str, ...], form: Callable[[str], list[str]]
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    found: Any = parse(["fit", "--config", write(tmp_path / "c.yaml", content), *form(place)])["model"]["init_args"]
    for key in way:
        found = found[key]
    assert found is None


def test_null_of_a_term_takes_the_term_away(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    words = ["fit", "--config", write(tmp_path / "c.yaml", content)]
    before = parse(words)["model"]["init_args"]["reconstruction"]["init_args"]["terms"]
    after = parse([*words, "--model.reconstruction.terms.one_hot=null"])
    assert after["model"]["init_args"]["reconstruction"]["init_args"]["terms"].keys() == before.keys() - {"one_hot"}


def test_the_last_option_counts_and_others_stay() -> None:
    config: dict[str, Any] = {"model": {"class_path": "M", "init_args": {"a": {"class_path": "A"}}}}
    words = ["--model.a.x", "3", "--trainer.logger", "null", "--model.a.x=null", "--model.b.c", "null"]
    assert take_resets(config, words) == ["--trainer.logger", "null", "--model.b.c", "null"]
    assert config["model"]["init_args"]["a"]["init_args"] == {"x": None}
    assert take_resets(config, ["--model.a.x=null", "--model.a.x", "4"]) == ["--model.a.x", "4"]


@pytest.mark.parametrize("by", ["config", "command line"])
def test_an_empty_pen_takes_the_place_of_another(teachers: Teachers, tmp_path: Path, by: str) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    words = ["fit", "--config", write(tmp_path / "c.yaml", content)]
    words += ["--config", write(tmp_path / "pen.yaml", {"data": {"pen": {"darkness": 0.5, "margin": 0.1}}})]
    assert parse(words)["data"]["init_args"]["pen"]["darkness"] == 0.5
    words += ["--config", write(tmp_path / "as_drawn.yaml", {"data": {"pen": {}}})] if by == "config" else []
    words += ["--data.pen={}"] if by == "command line" else []
    assert Pen(**parse(words)["data"]["init_args"]["pen"]) == Pen()
    assert parse([*words, "--data.pen.margin=0.2"])["data"]["init_args"]["pen"] == {**asdict(Pen()), "margin": 0.2}
