import os
import subprocess
import sys

import pytest

from crossx.cli.memory import keep_freed_memory

PROBE = """
import resource, sys
import torch
from crossx.cli.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for turn in range(12):
    if turn == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(2**22) for _ in range(3)]  # 16 MB each, as activations are
    del held
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def probe(word: str, **environ: str) -> tuple[bool, int]:
    """Whether the settings were taken, and pages that were fetched in ten rounds of 48 MB."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", PROBE, word]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**environment, **environ})
    kept, faults = done.stdout.split()
    return kept == "1", int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_memory_is_used_again() -> None:
    kept, faults = probe("keep")
    assert kept
    _, faults_before = probe("leave")
    assert faults < 0.3 * faults_before


def test_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    assert not keep_freed_memory()
