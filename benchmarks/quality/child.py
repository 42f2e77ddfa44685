"""The command `crossx`, in a process that does not outlive the one that started it: its number, then the words."""

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of <sys/prctl.h>."""

if __name__ == "__main__":
    # Elsewhere a parent that is killed leaves its children to finish, and the folder locked.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        # It has ended before it could be watched. On several devices Lightning starts this module again, from the first
        # of these processes, whose number that is not.
        if "LOCAL_RANK" not in os.environ and os.getppid() != int(sys.argv[1]):
            sys.exit(1)
    from crossx.cli import main

    sys.exit(main(sys.argv[2:]))
