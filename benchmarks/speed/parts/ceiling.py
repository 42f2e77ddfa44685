"""What the machine can do at most."""

import torch

from benchmarks.speed.effort import Effort
from benchmarks.speed.timing import Row, in_turn
from crossx.cli.precision import computes_bfloat16

_SIDES, _COPIED = {"cpu": 1024, "cuda": 8192}, 2**26


def measure(effort: Effort) -> list[Row]:
    """Time a matrix product in both precisions, and a copy."""
    device = "cuda" if effort.accelerator == "gpu" else "cpu"
    side = _SIDES[device]
    full = torch.randn(side, side, device=device)
    half, source = full.bfloat16(), torch.randn(_COPIED, device=device)
    target = torch.empty_like(source)
    ways = {"float32": lambda: full @ full, "bfloat16": lambda: half @ half}
    if device == "cpu" and not computes_bfloat16():
        del ways["bfloat16"]  # such a processor only emulates it, and no run trains in it there
    taken = in_turn(ways, effort.rounds)
    rates = {f"GFLOP/s, {way}": 2 * side**3 / found.median / 1e9 for way, found in taken.items()}
    copied = in_turn({"float32": lambda: target.copy_(source)}, effort.rounds)
    moved = {"GB/s read and written": 2 * 4 * _COPIED / copied["float32"].median / 1e9}
    return [
        Row(
            f"matrix product, {side} x {side}",
            taken,
            f"TF32 {'on' if torch.backends.cuda.matmul.allow_tf32 else 'off'}",
            rates,
        ),
        Row("copy of 256 MiB", copied, figures=moved),
    ]
