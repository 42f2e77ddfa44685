"""Training precision on a CPU without bfloat16."""

import pytest

from crossx.cli import precision
from crossx.cli.precision import precision_for_cpu


@pytest.mark.parametrize("fast", [True, False])
def test_emulated_bfloat16_is_replaced_and_said(
    fast: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision, "computes_bfloat16", lambda: fast)
    assert precision_for_cpu("bf16-mixed", True, ["fit"]) == ("bf16-mixed" if fast else "32-true")
    assert ("32-true in place of bf16-mixed" in capsys.readouterr().out) != fast


def test_everything_else_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(precision, "computes_bfloat16", lambda: False)
    assert precision_for_cpu("bf16-mixed", False, ["fit"]) == "bf16-mixed"
    assert precision_for_cpu("bf16-mixed", True, ["fit", "--trainer.precision=bf16-mixed"]) == "bf16-mixed"
    assert precision_for_cpu("bf16-mixed", True, ["fit", "--trainer.precision", "bf16-mixed"]) == "bf16-mixed"
    assert precision_for_cpu("64-true", True, ["fit"]) == "64-true"
    assert capsys.readouterr().out == ""
