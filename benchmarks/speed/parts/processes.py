"""A joint run in several processes on one machine, which exchange gradients over gloo, one run after another."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.speed.effort import Effort
from benchmarks.speed.runs import QUIET, SKIPPED
from benchmarks.speed.timing import Row, times
from crossx.core.cores import cores
from crossx.core.errors import WorkError

PROCESSES = (1, 2, 4)
_BATCH = 128


def measure(effort: Effort) -> list[Row]:
    """Time both steps of `quickstart.yaml` with one global batch, cut into as many parts as there are processes."""
    each = SKIPPED + effort.rounds
    found: dict[str, dict[str, list[float]]] = {}
    for count in PROCESSES:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "seconds.json"
            words = ["fit", "--config", "quickstart.yaml", f"--data.batch_size={_BATCH // count}"]
            words += [f"--model.schedule.warmup={each}", "--model.schedule.generator_steps=0"]
            words += [*QUIET, f"--trainer.max_steps={2 * each}", f"--trainer.devices={count}"]
            words += [f"--trainer.default_root_dir={folder}"]
            words += [
                "--trainer.callbacks+=benchmarks.speed.beside.WritesTimes",
                f"--trainer.callbacks.output={output}",
            ]
            command = [sys.executable, "-m", "crossx", *words]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise WorkError(f"{' '.join(words)}: must end with status 0, got {done.returncode}: {done.stderr}")
            for step, seconds in json.loads(output.read_text()).items():
                found.setdefault(step, {})[f"{count} {'process' if count == 1 else 'processes'}"] = seconds[SKIPPED:]
    note = f"quickstart.yaml, a batch of {_BATCH} in all, one thread a process, {cores()} cores; one run after another"
    return [
        Row(f"{step} in several processes", {way: times(s) for way, s in ways.items()}, note)
        for step, ways in found.items()
    ]
