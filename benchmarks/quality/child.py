"""A job in a process that ends with the benchmark: the benchmark's process id, then `crossx` arguments, or `record`."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of <sys/prctl.h>."""
_RECORDED_AT_ONCE = 256


def run(argv: Sequence[str]) -> int:
    """Run a job's command; returns the exit status."""
    if argv[0] != "record":
        from crossx.cli import main

        return main(argv)
    from crossx.core.errors import InputError

    try:
        record(Path(argv[1]), Path(argv[2]), argv[3:])
    except InputError as error:
        print(f"crossx: error: {error}", file=sys.stderr)
        return 2
    return 0


def record(teacher: Path, path: Path, argv: Sequence[str]) -> None:
    """Record a teacher's activations over its training images.

    Args:
        teacher: File of the teacher.
        path: File to write.
        argv: Command line that trained it.

    Raises:
        InputError: When the images are missing.
    """
    import torch

    from benchmarks.quality.configs import data_of, resolved_config
    from crossx.baselines.meta_data import record_activations
    from crossx.core.errors import InputError
    from crossx.data.loading import in_order
    from crossx.teachers.teacher import load_teacher

    torch.set_num_threads(1)  # sums over images have the same last digits everywhere
    loaded, data = load_teacher(teacher), data_of(resolved_config(argv))
    modality = loaded.card.modality
    if data is None or modality == "modality":
        raise InputError(f"{' '.join(argv)}: must train a photo or sketch teacher")
    images = in_order(data.images(modality, "train"), _RECORDED_AT_ONCE, workers=0)
    record_activations(loaded, (batch.image for batch in images), path)


if __name__ == "__main__":
    # Elsewhere a parent that is killed leaves its children to finish, and the folder locked.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        # The parent has ended before it could be watched. On several devices Lightning starts this module again, from
        # the first of these processes, which has another id.
        if "LOCAL_RANK" not in os.environ and os.getppid() != int(sys.argv[1]):
            sys.exit(1)
    sys.exit(run(sys.argv[2:]))
