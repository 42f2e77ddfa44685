"""How long commands take until they do what they are for, in CPU seconds."""

import resource
import subprocess
import sys
import tempfile

from benchmarks.speed.effort import Effort
from benchmarks.speed.timing import Row, times

_IMPORTS = "import torch, lightning.pytorch, timm, torchmetrics, jsonargparse"


def measure(effort: Effort) -> list[Row]:
    """Time commands of a user beside the imports that a run cannot do without."""
    crossx = ["-m", "crossx"]
    first = ["fit", "--config", "quickstart.yaml", "--trainer.limit_val_batches=0", "--trainer.num_sanity_val_steps=0"]
    first += ["--trainer.logger=false", "--trainer.enable_progress_bar=false"]
    ways = {
        "imports alone": ["-c", _IMPORTS],
        "crossx --help": [*crossx, "--help"],
        "crossx fit with a mistyped option": [*crossx, "fit", "--confg", "quickstart.yaml"],
        "crossx fit --print_config": [*crossx, "fit", "--config", "quickstart.yaml", "--print_config"],
        "crossx fit, to the first batch": [
            *crossx,
            *first,
            "--trainer.callbacks+=benchmarks.speed.first_batch.LeaveAtFirstBatch",
        ],
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(effort.rounds // 6, 1)):
        for name, words in ways.items():
            found[name].append(_cpu_seconds(words))
    return [Row("start, CPU seconds", {name: times(values) for name, values in found.items()})]


def _cpu_seconds(words: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        if "fit" in words and "--print_config" not in words:
            words = [*words, f"--trainer.default_root_dir={folder}"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=False, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
