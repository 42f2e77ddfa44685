import json
import sys
from pathlib import Path

import pytest
import torch
from support.commands import joint_config, write
from support.runs import Teachers

import crossx
from benchmarks.speed import SKIPPED, main


def test_times_both_phases_and_leaves_one_file(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    words = ["--config", config, "--steps", "12", "--output", "out.json", "--data.batch_size", "4"]
    monkeypatch.setattr(sys, "argv", ["speed", *words])
    main()
    found = json.loads(Path("out.json").read_text())
    assert [path.name for path in Path().iterdir()] == ["out.json"]
    assert set(found["phases"]) == {"generator step", "encoder step", "before an encoder step"}
    for times in found["phases"].values():
        assert times["steps"] == 12 / 2 - SKIPPED
        assert 0 < times["median_ms"] <= times["p95_ms"] < 60_000
    assert (found["config"], found["version"]) == (config, crossx.__version__)
    assert found["machine"]["torch"] == torch.__version__
    out = capsys.readouterr().out
    assert all(phase in out for phase in found["phases"])
