"""The shipped sweep: what W&B's agent would start, started."""

from pathlib import Path

import pytest
import yaml

from crossx.cli.training import train

SWEEP = Path(__file__).parents[2] / "benchmarks/sweeps/quickstart.yaml"


def test_sweep_runs_what_its_agent_would_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = yaml.safe_load(SWEEP.read_text())
    arguments = [f"--{name}={choice['values'][-1]}" for name, choice in sweep["parameters"].items()]
    env, program, *words, last = sweep["command"]
    assert (env, program, sweep["program"], last) == ("${env}", "${program}", "crossx", "${args}")
    small = ["--data.batch_size", "4", "--trainer.enable_progress_bar", "false", "--data.dataset.validation", "2"]
    cli = train([*words, *arguments, *small, "--trainer.fast_dev_run", "true"])
    assert cli.trainer.global_step == 2
    assert cli.model.reconstruction.objective.terms["entropy"].weight == 30.0
    assert sweep["metric"]["name"] in cli.trainer.callback_metrics
