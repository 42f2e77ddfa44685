"""Measure what is missing, and print the tables: `python -m benchmarks.quality --benchmark cifar-tuberlin`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TypeVar

import torch

from benchmarks.quality.clock import Clock
from benchmarks.quality.process import Processes, locked
from benchmarks.quality.progress import tell
from benchmarks.quality.registry import BENCHMARKS, chosen
from benchmarks.quality.report import Report
from benchmarks.quality.run import Measurement
from benchmarks.quality.store import Result, stored
from benchmarks.quality.teachers import Trained
from benchmarks.quality.types import Row
from crossx.core.errors import InputError
from crossx.types import MODALITIES

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")
_OURS = ("--config", "--teachers", "--seed_everything", "--ckpt_path", "--trainer.logger")
"""What the command says by itself."""


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("python -m benchmarks.quality", description=__doc__, allow_abbrev=False)
    parser.add_argument("--benchmark", required=True, help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="(default: all)")
    parser.add_argument("--tables", nargs="+", default=[], metavar="TABLE", help="all rows of a table (default: all)")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], metavar="SEED", help="(default: as many as a table wants, from 0)"
    )
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/quality"), help="(default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a thread each (default: %(default)s)")
    arguments, words = parser.parse_known_args()
    torch.set_num_threads(1)  # what is computed here, such as records, is as reproducible as what children compute
    try:
        wanted = chosen_measurements(arguments, tuple(words))
        with locked(arguments.output) as processes:
            return measure(wanted, arguments.jobs, processes)
    except InputError as error:
        print(f"benchmarks.quality: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: what has been measured is kept, the same command goes on", file=sys.stderr)
        return 130


def chosen_measurements(arguments: argparse.Namespace, overrides: tuple[str, ...]) -> list[Measurement]:
    """What the command line asks for.

    Raises:
        InputError: For a user's mistake.
    """
    if arguments.benchmark not in BENCHMARKS:
        raise InputError(f"--benchmark: {arguments.benchmark!r} is not legal; one of {', '.join(BENCHMARKS)}")
    if arguments.jobs < 1:
        raise InputError(f"--jobs: {arguments.jobs} is not legal; at least 1")
    for word in overrides:
        if word.startswith(_OURS):
            raise InputError(f"{word}: is not legal here: the command names it for each run")
    benchmark, folder = BENCHMARKS[arguments.benchmark], arguments.output.resolve()
    rows = chosen(arguments.rows, arguments.tables, benchmark)
    tables = () if arguments.rows else arguments.tables  # a table wants no more of a row than it shows
    seeds = range(max(benchmark.seeds(row, tables) for row in rows))
    for seed in arguments.seeds:
        if seed not in seeds:
            raise InputError(f"--seeds: {seed} is not legal; of these rows 0 to {max(seeds)} are measured")
    return [
        Measurement(benchmark, row, seed, arguments.split, folder, overrides)
        for seed in seeds
        for row in rows
        if seed < benchmark.seeds(row, tables) and (not arguments.seeds or seed in arguments.seeds)
    ]


def measure(wanted: Sequence[Measurement], jobs: int, processes: Processes) -> int:
    """Measure what is missing of this, and report; 1 when a row failed."""
    first = wanted[0]
    tell(f"reading the configs of {len(wanted)} run{'s' * (len(wanted) > 1)} ...")
    for m in wanted:  # before hours of training: a typing error in an override is one in all of them
        with nullcontext() if first.overrides else suppress(InputError):
            m.digest()
    failures = make_teachers(wanted, processes, jobs)
    found = {m: result for m in wanted if (result := m.stored()) is not None}
    groups = [(_kind(group), group) for group in grouped([m for m in wanted if m not in found], failures)]
    report = Report(first.benchmark, first.split, first.folder, first.overrides)
    clock = Clock(jobs, [kind for kind, _ in groups], seconds_of_fits(first))
    tell(f"{len(found)} of {len(wanted)} runs have been measured; {clock.left()}")
    done, failed = len(found), 0

    def run(job: tuple[str, list[Measurement]]) -> list[Result]:
        kind, group = job
        with clock.measure(kind):
            return [_run(m, processes, failures) for m in group]

    for results in each(run, groups, jobs):
        for result in results:
            done += 1
            failed += bool(result.failed)
            value = result.failed or f"mAP@all {result.metrics['map_all']:.3f}"
            tell(f"[{done}/{len(wanted)}] {result.row}, seed {result.seed}: {value}; {clock.left()}")
        report.write_sometimes()
    text = report.write()
    print(f"\n{text}\n{first.folder / 'results'}")
    return int(failed > 0)


def _run(m: Measurement, processes: Processes, failures: Mapping[Path, str]) -> Result:
    tell(f"    {m.name} ...")
    reason = next((failures[path] for path in m.inputs.values() if path in failures), None)
    return m.run(processes) if reason is None else m.fail(reason)


def _kind(group: Sequence[Measurement]) -> str:
    """What decides how long a job takes."""
    with suppress(InputError):  # a config that cannot be read, or a teacher that is missing: its run says so
        if group[0].has_fit():
            return "measurement"
    return _fit(group[0].row)


def _fit(row: Row) -> str:
    return " ".join(("fit", *row.configs))


def seconds_of_fits(m: Measurement) -> dict[str, list[float]]:
    """Kind of fit -> seconds, of all results of a measurement's benchmark that lie in its folder."""
    seconds: dict[str, list[float]] = {}
    with suppress(InputError):  # a file that is no result is the concern of who asks for that row
        for result in stored(m.folder / "results", m.benchmark.name):
            if result.seconds and (row := m.benchmark.rows.get(result.row)) is not None:
                seconds.setdefault(_fit(row), []).append(result.seconds)
    return seconds


def make_teachers(wanted: Sequence[Measurement], processes: Processes, jobs: int) -> dict[Path, str]:
    """Train the classifiers that are missing or older than their configs, and record what rows want of them.

    Returns:
        Each file that could not be made -> why.
    """
    teachers = {t.path: t for m in wanted for t in m.teachers.values()}
    recorded = {m.teachers[part].path for m in wanted if m.row.records for part in MODALITIES}
    failures: dict[Path, str] = {}
    missing = []
    for trained in teachers.values():
        try:
            if not trained.is_current():
                missing.append(trained)
        except InputError as error:  # its config cannot be read
            failures[trained.path] = str(error)
    clock = Clock(jobs, ["teacher"] * len(missing))

    def make(trained: Trained) -> Trained:
        tell(f"    teacher {trained.path.stem} ...")
        with clock.measure("teacher"):
            try:
                trained.make(processes)
            except (InputError, OSError) as error:
                failures[trained.path] = str(error)
        return trained

    for number, trained in enumerate(each(make, missing, jobs), start=1):
        state = failures.get(trained.path, "made")
        tell(f"[{number}/{len(missing)}] teacher {trained.path.stem}: {state}; {clock.left()}, then the rows")
    for path in sorted(recorded - failures.keys()):
        try:
            teachers[path].make_record()
        except (InputError, OSError) as error:
            failures[teachers[path].record] = str(error)
    return failures


def grouped(missing: Sequence[Measurement], failures: Mapping[Path, str]) -> list[list[Measurement]]:
    """Measurements that share a fit together, so that it is made once."""
    groups: dict[object, list[Measurement]] = {}
    for m in missing:
        key: object = m  # by itself
        if m.row.trains and not any(path in failures for path in m.inputs.values()):
            with suppress(InputError):  # its config cannot be read, which its run reports
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
