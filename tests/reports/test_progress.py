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
    assert max(len(line) for line in out.splitlines() if not line.startswith("run folder:")) <= 80
