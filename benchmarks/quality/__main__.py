"""Measure what is missing, and print the tables: `python -m benchmarks.quality --benchmark cifar-tuberlin`."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from benchmarks.quality.process import Processes, locked
from benchmarks.quality.registry import BENCHMARKS, chosen
from benchmarks.quality.report import Report
from benchmarks.quality.run import Clock, Measurement
from benchmarks.quality.store import Result
from benchmarks.quality.teachers import Trained
from crossx.errors import InputError

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")
_OURS = ("--config", "--teachers", "--seed_everything", "--ckpt_path", "--trainer.logger")
"""What the command says by itself."""


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("python -m benchmarks.quality", description=__doc__, allow_abbrev=False)
    parser.add_argument("--benchmark", required=True, help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rows", nargs="*", default=[], metavar="ROW", help="(default: all)")
    parser.add_argument("--tables", nargs="*", default=[], metavar="TABLE", help="all rows of a table (default: all)")
    parser.add_argument(
        "--seeds", type=int, default=None, help="at most so many seeds a row (default: its tables' own)"
    )
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/quality"), help="(default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a thread each (default: %(default)s)")
    arguments, words = parser.parse_known_args()
    try:
        with locked(arguments.output) as processes:
            return measure(arguments, tuple(words), processes)
    except InputError as error:
        print(f"benchmarks.quality: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: what has been measured is kept, the same command goes on", file=sys.stderr)
        return 130


def measure(arguments: argparse.Namespace, overrides: tuple[str, ...], processes: Processes) -> int:
    """Measure the rows that are asked for; 1 when one of them failed."""
    if arguments.benchmark not in BENCHMARKS:
        raise InputError(f"--benchmark: {arguments.benchmark!r} is not legal; one of {', '.join(BENCHMARKS)}")
    for name in ("seeds", "jobs"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise InputError(f"--{name}: {value} is not legal; at least 1")
    for word in overrides:
        if word.startswith(_OURS):
            raise InputError(f"{word}: is not legal here: the command names it for each run")
    benchmark = BENCHMARKS[arguments.benchmark]
    rows = chosen(arguments.rows, arguments.tables, benchmark)
    wanted = [
        Measurement(benchmark, row, seed, arguments.split, arguments.output, overrides)
        for seed in range(max(benchmark.seeds(row) for row in rows))
        for row in rows
        if seed < min(benchmark.seeds(row), arguments.seeds or benchmark.seeds(row))
    ]
    failures = make_teachers(wanted, processes, arguments.jobs)
    report = Report(benchmark, arguments.split, arguments.output, overrides)
    found = {m: result for m in wanted if (result := _stored(m)) is not None}
    print(f"{len(found)} of {len(wanted)} runs have been measured", flush=True)
    groups = grouped([m for m in wanted if m not in found], failures)
    clock, done, pending = Clock(arguments.jobs), len(found), [_kind(group) for group in groups]

    def run(group: list[Measurement]) -> list[Result]:
        started = time.monotonic()
        results = []
        for m in group:
            print(f"    {m.name} ...", flush=True)
            reason = next((failures[t.path] for t in m.teachers.values() if t.path in failures), None)
            results.append(m.run(processes) if reason is None else m.fail(reason))
        clock.add(_kind(group), started)
        pending.remove(_kind(group))
        return results

    failed = sum(bool(result.failed) for result in found.values())
    for results in each(run, groups, arguments.jobs):
        for result in results:
            done += 1
            failed += bool(result.failed)
            value = result.failed or f"mAP@all {result.metrics['map_all']:.3f}"
            print(
                f"[{done}/{len(wanted)}] {result.row}, seed {result.seed}: {value}; {clock.left(pending)}", flush=True
            )
        report.write_sometimes()
    text = report.write()
    print(f"\n{text}\n{arguments.output / 'results'}")
    return int(failed > 0)


def _kind(group: Sequence[Measurement]) -> str:
    """What decides how long a job takes."""
    return "fit" if group[0].row.trains else "measurement"


def _stored(m: Measurement) -> Result | None:
    """The earlier result that holds; None also where a config cannot be read, which the run then reports."""
    try:
        return m.stored()
    except InputError:
        return None


def make_teachers(wanted: Sequence[Measurement], processes: Processes, jobs: int) -> dict[Path, str]:
    """Train the classifiers that are missing or older than their configs, and record what rows want of them.

    Returns:
        File of each classifier that could not be made -> why.
    """
    all_of_them = {t.path: t for m in wanted for t in m.teachers.values()}
    missing = [t for t in all_of_them.values() if not t.is_current()]
    failures: dict[Path, str] = {}
    clock = Clock(jobs)

    def make(trained: Trained) -> Trained:
        started = time.monotonic()
        print(f"    teacher {trained.path.stem} ...", flush=True)
        try:
            trained.make(processes)
        except InputError as error:
            failures[trained.path] = str(error)
        clock.add("teacher", started)
        return trained

    for finished, trained in enumerate(each(make, missing, jobs), start=1):
        left = clock.left(["teacher"] * (len(missing) - finished))
        print(f"[{finished}/{len(missing)}] teacher {trained.path.stem}: {failures.get(trained.path, 'made')}; {left}")
    for m in wanted:
        for trained in m.teachers.values() if m.row.records else ():
            if trained.path not in failures:
                trained.make_record()
    return failures


def grouped(missing: Sequence[Measurement], failures: Mapping[Path, str]) -> list[list[Measurement]]:
    """Measurements that share a fit together, so that it is made once.

    All configs are read here, one after another: reading one touches what a process has only one of.
    """
    groups: dict[object, list[Measurement]] = {}
    for m in missing:
        key: object = m  # by itself
        with suppress(InputError):  # its config cannot be read, which its run reports
            m.digest()
            if m.row.trains and not any(t.path in failures for t in m.teachers.values()):
                key = m.fit_folder()
        groups.setdefault(key, []).append(m)
    return list(groups.values())


def each(function: Callable[[_Item], _Done], items: Sequence[_Item], jobs: int) -> Iterator[_Done]:
    """Apply a function to all items, several at a time, in the order in which they end."""
    if jobs == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(function, item) for item in items]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
