"""How long a training step takes, by phase: `python -m benchmarks.speed --config cifar_tuberlin.yaml`.

Times the steps of a real fit through the command line, after a few steps of warm-up, and writes `speed.json`.
"""

import argparse
import json
import platform
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import crossx
from benchmarks.timer import PhaseTimer
from crossx.cli.training import train
from crossx.core.atomic import write_text

SKIPPED = 3
"""First steps of a phase that do not count: memory is allocated and kernels are chosen in them."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--config", required=True, help="config of a joint run, a file or a shipped one")
    parser.add_argument("--steps", type=int, default=40, help="training steps (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("speed.json"), help="(default: %(default)s)")
    arguments, overrides = parser.parse_known_args()
    argv = ["fit", "--config", arguments.config, f"--trainer.max_steps={arguments.steps}"]
    argv += ["--trainer.limit_val_batches=0", "--trainer.num_sanity_val_steps=0", "--trainer.logger=false"]
    argv += ["--trainer.enable_progress_bar=false", "--model.schedule.warmup=0", "--model.schedule.generator_steps=1"]
    argv += ["--model.schedule.encoder_steps=1", "--trainer.callbacks+=benchmarks.timer.PhaseTimer", *overrides]
    with tempfile.TemporaryDirectory() as folder:  # what a run leaves behind must not land in the current folder
        cli = train([*argv, f"--trainer.default_root_dir={folder}"])
    timer = next(c for c in cli.trainer.callbacks if isinstance(c, PhaseTimer))  # type: ignore[attr-defined]
    rows = {phase: torch.tensor(seconds[SKIPPED:]) * 1000 for phase, seconds in timer.seconds.items()}
    table = Table(title=f"{arguments.config}: milliseconds a step")
    for column in ("", "median", "95 %", "steps"):
        table.add_column(column, justify="right")
    result: dict[str, dict[str, float]] = {}
    for phase, ms in rows.items():
        if len(ms):
            result[phase] = {"median_ms": float(ms.median()), "p95_ms": float(ms.quantile(0.95)), "steps": len(ms)}
            table.add_row(phase, *(f"{value:.0f}" for value in result[phase].values()))
    Console().print(table)
    machine = {"processor": platform.machine(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    content = {"config": arguments.config, "version": crossx.__version__, "machine": machine, "phases": result}
    write_text(arguments.output, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
