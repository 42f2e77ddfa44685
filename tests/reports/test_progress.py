"""What a run prints without a terminal, 80 columns wide."""

import re
from pathlib import Path

import pytest
from support.commands import edit, joint_config, run
from support.runs import Teachers


def test_one_counter_counts_the_steps_of_the_run(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs have 2 steps, and the run ends within one."""
    monkeypatch.setenv("COLUMNS", "80")
    content = joint_config(teachers, tmp_path)
    edit(content, "trainer.enable_progress_bar", True)
    edit(content, "trainer.max_steps", 5)
    run("fit", tmp_path / "c.yaml", content)
    out = capsys.readouterr().out
    assert re.findall(r"\d+/\d+", out.split("run folder:")[0])[:1] == ["5/5"]
    assert out.index("5/5") < out.index("map_all_macro") < out.index("run folder:")
    assert out.rstrip().splitlines()[-1].startswith("run folder:"), "nothing is printed behind it"
    assert re.search(
        r"^step 5/5  \d+\.\d\d it/s  recon/loss -?\d+\.\d{3}  encode/loss \d+\.\d{3}", out, re.MULTILINE
    ), out
    assert max(len(line) for line in out.splitlines() if not line.startswith("run folder:")) <= 80


def test_a_line_every_so_often_where_there_is_no_terminal(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossx.reports.run.progress._SECONDS", 0.0)
    content = joint_config(teachers, tmp_path)
    edit(content, "trainer.enable_progress_bar", True)
    run("fit", tmp_path / "c.yaml", content)
    out = capsys.readouterr().out
    assert re.findall(r"^step (\d+)/4 ", out, re.MULTILINE) == ["1", "2", "3", "4", "4"]
    assert "━" not in out.split("measured on")[0], "no bar"
    assert max(len(line) for line in out.splitlines() if not line.startswith("run folder:")) <= 80
