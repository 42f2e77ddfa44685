"""Measure what is missing, and print the tables: `python -m benchmarks.quality --benchmark cifar-tuberlin`."""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence

from benchmarks.quality.command import exit_status, must_not_be_ours, options
from benchmarks.quality.outcome import failed, note_failure, read
from benchmarks.quality.plan import Job, Measurement
from benchmarks.quality.registry import BENCHMARKS, chosen
from benchmarks.quality.report import Report
from benchmarks.quality.runner import Runner, each, locked
from benchmarks.quality.store import Result
from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError

_NAME = "benchmarks.quality"


def main() -> int:
    """Measure, print and write."""
    parser = options(_NAME, __doc__, BENCHMARKS)
    parser.add_argument("--tables", nargs="+", default=[], metavar="TABLE", help="all rows of a table (default: all)")
    arguments, overrides = parser.parse_known_args()

    def run() -> int:
        wanted = chosen_measurements(arguments, tuple(overrides))
        if arguments.jobs == 0:
            return show(wanted[0])
        with locked(arguments.output) as runner:
            return measure(wanted, arguments.jobs, runner)

    return exit_status(_NAME, run)


def chosen_measurements(arguments: argparse.Namespace, overrides: tuple[str, ...]) -> list[Measurement]:
    """Measurements that the command line asks for.

    Raises:
        InputError: For a user's mistake.
    """
    must_be_one_of("--benchmark", arguments.benchmark, BENCHMARKS)
    must_be_in("--jobs", arguments.jobs, "[0, inf)")
    must_not_be_ours(overrides)
    benchmark, folder = BENCHMARKS[arguments.benchmark], arguments.output.resolve()
    rows = chosen(arguments.rows, arguments.tables, benchmark)
    tables = () if arguments.rows else arguments.tables  # a table wants no more seeds of a row than it shows
    seeds = range(max(benchmark.seeds(row, tables) for row in rows))
    for seed in arguments.seeds:
        must_be_in("--seeds", seed, f"[0, {max(seeds)}]")
    return [
        Measurement(benchmark, row, seed, arguments.split, folder, overrides)
        for seed in seeds
        for row in rows
        if seed < benchmark.seeds(row, tables) and (not arguments.seeds or seed in arguments.seeds)
    ]


def measure(wanted: Sequence[Measurement], jobs: int, runner: Runner) -> int:
    """Run what is missing of the measurements, and print the tables; 1 when a row failed."""
    print(f"reading the configs of {len(wanted)} measurement{'s' * (len(wanted) > 1)} ...", flush=True)
    failures: dict[Job | Measurement, str] = {}
    for m in wanted:
        try:
            m.digest()
        except InputError as error:
            if m.overrides:  # a typing error in an override is one in all rows
                raise
            failures[m] = str(error)
    planned = [m for m in wanted if m not in failures]

    def make(job: Job) -> tuple[Job, str]:
        return job, runner.make(job)

    for made in zip(*(m.rounds for m in planned), strict=True):
        missing = dict.fromkeys(job for found in made for job in found.values() if not job.is_done())
        for job, reason in each(make, list(missing), jobs):
            print(f"{job.name}: {reason or 'made'}", flush=True)
            if reason:
                failures[job] = reason

    def run(group: Sequence[Measurement]) -> list[Result]:
        return [measured(m, runner, failures) for m in group]

    results: list[Result] = []
    for found in each(run, grouped(wanted, failures), jobs):
        for result in found:
            results.append(result)
            value = result.failed or f"mAP@all {result.metrics['map_all']:.3f}"
            print(f"[{len(results)}/{len(wanted)}] {result.row}, seed {result.seed}: {value}", flush=True)
    return max(show(wanted[0]), int(any(result.failed for result in results)))


def measured(m: Measurement, runner: Runner, failures: Mapping[Job | Measurement, str]) -> Result:
    """Fit and measure a row, as far as that has not been done; its result, or its failure."""
    reason = failures.get(m, "")
    if not reason:
        reason = next((failures[job] for job in m.shared_jobs.values() if job in failures), "")
        for job in (m.fit_job, m.job):
            if job is not None and not reason:
                reason = runner.make(job)
    if not reason:
        try:
            return read(m)
        except InputError as error:
            reason = str(error)
    note_failure(m, reason)
    return failed(m, reason)


def grouped(wanted: Sequence[Measurement], failures: Collection[Job | Measurement]) -> list[list[Measurement]]:
    """Measurements of one fit together, because two processes must not fill its folder."""
    groups: dict[Job | Measurement, list[Measurement]] = {}
    for m in wanted:
        fit = None if m in failures else m.fit_job
        groups.setdefault(m if fit is None else fit, []).append(m)
    return list(groups.values())


def show(m: Measurement) -> int:
    """Write and print all tables of a measurement's benchmark; 1 when they cannot be written."""
    report = Report(m.benchmark, m.split, m.folder, m.overrides)
    try:
        print(f"\n{report.write()}\n{m.folder / 'results'}")
    except OSError as error:
        print(f"tables cannot be written: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
