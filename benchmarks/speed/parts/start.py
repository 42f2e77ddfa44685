"""How long commands take until they do what they are for, in CPU seconds."""

import resource
import subprocess
import sys
import tempfile

from benchmarks.speed.effort import Effort
from benchmarks.speed.runs import QUIET
from benchmarks.speed.timing import Row, times
from crossx.core.errors import WorkError

IMPORTS, MISTYPED, FIRST_BATCH = "imports alone", "crossx fit with a mistyped option", "crossx fit, to the first batch"

_IMPORTED = "import torch, lightning.pytorch, timm, torchmetrics, jsonargparse"


def measure(effort: Effort) -> list[Row]:
    """Time commands of a user beside the imports that a run cannot do without."""
    crossx = ["-m", "crossx"]
    first = ["fit", "--config", "quickstart.yaml", *QUIET]
    first += ["--trainer.callbacks+=benchmarks.speed.first_batch.LeaveAtFirstBatch"]
    ways = {
        IMPORTS: ["-c", _IMPORTED],
        "crossx --help": [*crossx, "--help"],
        MISTYPED: [*crossx, "fit", "--confg", "quickstart.yaml"],
        "crossx fit --print_config": [*crossx, "fit", "--config", "quickstart.yaml", "--print_config"],
        FIRST_BATCH: [*crossx, *first],
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(effort.rounds // 6, 1)):
        for name, words in ways.items():
            found[name].append(_cpu_seconds(words, status=2 if name == MISTYPED else 0))
    return [Row("start, CPU seconds", {name: times(values) for name, values in found.items()})]


def _cpu_seconds(words: list[str], status: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        if "fit" in words and "--print_config" not in words:
            words = [*words, f"--trainer.default_root_dir={folder}"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
        if done.returncode != status:  # a crash would pass for a fast start
            raise WorkError(f"{' '.join(words)}: must end with status {status}, got {done.returncode}: {done.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
