"""Writing tables beside pictures."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossx.core.atomic import atomic_path


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, atomically; its folder is made."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
