"""The training precision of a CPU: bfloat16 where the processor computes in it, float32 where it only emulates it."""

from collections.abc import Sequence

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only

_OPTION = "--trainer.precision"


def computes_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 (AVX-512 or AMX); others emulate it, about ten times slower."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def precision_for_cpu(precision: object, on_cpu: bool, argv: Sequence[str]) -> object:
    """Return the precision to train with.

    Args:
        precision: What the configs say.
        on_cpu: Whether the run is on the CPU.
        argv: The command line; a precision named there is kept.
    """
    named = any(word.partition("=")[0] == _OPTION for word in argv)
    if precision != "bf16-mixed" or not on_cpu or named or computes_bfloat16():
        return precision
    rank_zero_only(print)(  # the run is not what its config says
        f"precision: 32-true in place of bf16-mixed, which this CPU only emulates, about ten times slower "
        f"({_OPTION} bf16-mixed forces it)",
        flush=True,
    )
    return "32-true"
