"""The command `crossx`, in a process that does not outlive the one that started it."""

import ctypes
import signal
import sys

from crossx.cli import main

_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of <sys/prctl.h>."""

if sys.platform == "linux":  # elsewhere a parent that is killed leaves its children to finish, and the folder locked
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)

if __name__ == "__main__":
    sys.exit(main())
