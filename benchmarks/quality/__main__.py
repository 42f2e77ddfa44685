"""Measure what is missing, and print the table: `python -m benchmarks.quality --benchmark cifar-tuberlin`."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.quality.plots import bars, curves
from benchmarks.quality.rows import BENCHMARKS, ROWS, Row, chosen
from benchmarks.quality.run import Measurement
from benchmarks.quality.store import Result
from benchmarks.quality.tables import markdown
from crossx.errors import InputError
from crossx.files import write_text


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("python -m benchmarks.quality", description=__doc__, allow_abbrev=False)
    parser.add_argument("--benchmark", required=True, help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rows", nargs="*", default=[], metavar="ROW", help="(default: all)")
    parser.add_argument("--seeds", type=int, default=None, help="at most so many seeds a row (default: the row's own)")
    parser.add_argument("--split", choices=["validation", "test"], default="validation", help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/quality"), help="(default: %(default)s)")
    arguments, words = parser.parse_known_args()
    try:
        return measure(arguments, tuple(words))
    except InputError as error:
        print(f"benchmarks.quality: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: what has been measured is kept, the same command goes on", file=sys.stderr)
        return 130


def measure(arguments: argparse.Namespace, words: tuple[str, ...]) -> int:
    """Measure the rows that are asked for; 1 when one of them failed."""
    if arguments.benchmark not in BENCHMARKS:
        raise InputError(f"--benchmark: {arguments.benchmark!r} is not legal; one of {', '.join(BENCHMARKS)}")
    if arguments.seeds is not None and arguments.seeds < 1:
        raise InputError(f"--seeds: {arguments.seeds} is not legal; at least 1")
    rows = chosen(arguments.rows, ROWS)
    measurement = Measurement(BENCHMARKS[arguments.benchmark], arguments.split, arguments.output, words)
    jobs = [(row, seed) for row in rows for seed in range(min(row.seeds, arguments.seeds or row.seeds))]
    results: dict[str, list[Result]] = {row.name: [] for row in rows}
    started, fresh = time.monotonic(), 0
    for done, (row, seed) in enumerate(jobs):
        print(f"[{done + 1}/{len(jobs)}] {row.name}, seed {seed} ...", end="\r", flush=True)
        before = time.monotonic()
        result = measurement.measure(row, seed)
        results[row.name].append(result)
        fresh += time.monotonic() - before > 1
        value = result.failed or f"mAP@all {result.metrics['map_all']:.3f}"
        left = (time.monotonic() - started) / max(fresh, 1) * (len(jobs) - done - 1) / 60
        print(f"[{done + 1}/{len(jobs)}] {row.name}, seed {seed}: {value}; about {left:.0f} minutes left", flush=True)
        table = write_table(measurement, rows, results)
    print(f"\n{arguments.benchmark}, {arguments.split} split\n\n{table}")
    return int(any(result.failed for found in results.values() for result in found))


def write_table(measurement: Measurement, rows: list[Row], results: dict[str, list[Result]]) -> str:
    """Write the table and the pictures of what has been measured so far, and return the table."""
    name, folder = measurement.benchmark.name, measurement.results
    table = markdown(measurement.benchmark, rows, results, "posterior_matching")
    title = f"{name}, {measurement.split} split"
    write_text(folder / f"{name}.md", table)
    bars(rows, results, title, folder / f"{name}-bars.png")
    curves(rows, results, title, folder / f"{name}-curves.png")
    return table


if __name__ == "__main__":
    sys.exit(main())
