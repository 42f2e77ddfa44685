"""Settings of a config that a checkpoint overrules."""

from typing import Any

import pytest

from crossx.training.resumption import overruled


def model(optimizer: dict[str, Any], scheduler: object = "Cosine") -> dict[str, Any]:
    parts = {"optimizer": {"class_path": "Adam", "init_args": optimizer}, "scheduler": scheduler, "temperature": 1.0}
    return {"class_path": "CoTrainingModule", "init_args": {"encoding": {"class_path": "E", "init_args": parts}}}


@pytest.mark.parametrize("given", [model({"lr": 0.1}), model({"lr": 0.1, "eps": 1.0}), model({"lr": 0.1}, None), None])
def test_nothing_is_said_where_nothing_differs(given: object) -> None:
    assert list(overruled(model({"lr": 0.1}), given)) == []


def test_each_number_is_named_with_its_place() -> None:
    cosine, cycle = ({"class_path": name, "init_args": {"eta_min": 0.0, "pct_start": 0.3}} for name in ("C", "O"))
    cycle["init_args"] = {"eta_min": 0.2, "pct_start": 0.5}
    found = list(overruled(model({"lr": 0.1}, cosine), model({"lr": 0.5}, cycle)))
    starts = ("model.encoding.optimizer.lr: the fit goes on with 0.1 ", "model.encoding.scheduler.eta_min: ")
    assert len(found) == 2, "the cycle is laid out by the config's pct_start"
    assert all(any(text.startswith(start) for text in found) for start in starts)
