"""Places in the config of arguments that a constructor refuses."""

from pathlib import Path

import pytest
from support.commands import Refuse, edit, joint_config, part
from support.runs import Teachers


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("model.encoding.terms.sup_con.weight", -1, "model.encoding.terms.sup_con.weight: must be at least 0, got -1"),
        ("model.reconstruction.terms.entropy.ramp", [5, 3], "model.reconstruction.terms.entropy.ramp: must end"),
        ("model.reconstruction.terms", {"a": {"loss": "OneHotLoss", "weight": 0}}, "model.reconstruction.terms: must"),
        ("model.encoding.terms.sup_con.loss.temperature", -1, "model.encoding.terms.sup_con.loss.temperature: must"),
        ("model.encoding.encoder.dim", 0, "model.encoding.encoder.dim: must be at least 1, got 0"),
        ("model.encoding.temperature", 0, "model.encoding.temperature: must be above 0, got 0"),
        ("data.dataset.size", 0, "data.dataset.size: must be in [16, 2^64), got 0"),
    ],
)
def test_a_refused_argument_has_its_place_in_the_config(
    refuse: Refuse, teachers: Teachers, tmp_path: Path, place: str, value: object, message: str
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, place, value)
    assert (found := refuse(content)).startswith(message), found


def test_of_two_parts_of_one_class_the_refused_one_is_named(refuse: Refuse, teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    terms = {name: {"loss": part("SupConLoss", temperature=t)} for name, t in (("a", 0.1), ("b", -1.0), ("c", 0.3))}
    edit(content, "model.encoding.terms", terms)
    assert refuse(content) == "model.encoding.terms.b.loss.temperature: must be above 0, got -1.0"
