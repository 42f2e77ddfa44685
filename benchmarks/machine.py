"""The machine that a benchmark ran on, and whether it was idle."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crossx.core.cores import cores
from crossx.core.errors import InputError
from crossx.core.version import __version__

MOST_LOAD = 0.5
"""Load average above which times are no figures for a document."""


def load() -> float:
    """Load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def machine(*packages: str) -> dict[str, Any]:
    """Describe the machine, with its load average now and the versions of packages."""
    return {
        "load average": load(),
        "cores": cores(),
        "machine": platform.machine(),
        "processor": processor(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "crossx": __version__,
    }


def refuse_busy(document: object) -> None:
    """Refuse to measure for a document on a busy machine.

    Args:
        document: What `--out` names; None where it names nothing.

    Raises:
        InputError: When there is a document and the load average is too high.
    """
    now = load()
    if document is not None and now > MOST_LOAD:
        raise InputError(f"--out: must be written on an idle machine (load average at most {MOST_LOAD}), got {now:.2f}")


def processor() -> str:
    """Name of the processor; where /proc does not say it, what Python knows."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def commit() -> str:
    """Commit of this checkout, and whether files differ from it; `unknown` outside of a checkout."""
    found, changed = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "-uno")
    return f"{found or 'unknown'}{' with changes' if changed else ''}"


def _git(*arguments: str) -> str:
    """Output of git in this checkout; nothing outside of one."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
