"""Results and pages of earlier versions, which are kept as they were: their code and configs are in git."""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FROZEN = ROOT / "benchmarks" / "results"
"""A folder for each version, with a `SHA256SUMS` of its results, its page and the page's pictures."""


def check_frozen(folder: Path, root: Path) -> int:
    """Whether all files are as they were when they were frozen; 1 where not.

    Args:
        folder: Folders with a `SHA256SUMS` each, as `sha256sum` writes it.
        root: Folder that the names in `SHA256SUMS` are relative to.
    """
    changed = []
    for sums in sorted(folder.glob("*/SHA256SUMS")):
        listed = {name: digest for digest, _, name in (s.partition("  ") for s in sums.read_text().splitlines())}
        present = [path.relative_to(root).as_posix() for path in sums.parent.rglob("*.json")]
        for name in sorted({*listed, *present}):
            path = root / name
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
            if found != listed.get(name):
                changed.append(name)
                print(f"{name}: is not as {sums.relative_to(root)} lists it; restore it with git", file=sys.stderr)
    return int(bool(changed))
