"""Measure rows of fine-grained retrieval: `python -m benchmarks.finegrained --benchmark shapes-fg --rows oracle`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.finegrained import tables
from benchmarks.finegrained.plan import Measurement
from benchmarks.finegrained.rows import BENCHMARKS
from benchmarks.finegrained.store import Result, failed, outcome
from benchmarks.quality.command import exit_status, must_not_be_ours, options
from benchmarks.quality.plan import Job
from benchmarks.quality.runner import Runner, each, locked
from crossx.core.checks import must_be_in, must_be_one_of

_NAME = "benchmarks.finegrained"


def main() -> int:
    """Measure, print and write."""
    arguments, overrides = options(_NAME, __doc__, BENCHMARKS).parse_known_args()

    def run() -> int:
        wanted = chosen(arguments, tuple(overrides))
        with locked(arguments.output) as runner:
            return measure(wanted, arguments.jobs, runner)

    return exit_status(_NAME, run)


def chosen(arguments: argparse.Namespace, overrides: tuple[str, ...]) -> list[Measurement]:
    """Measurements that the command line asks for; a row without training is measured with the first seed alone.

    Raises:
        InputError: For a user's mistake.
    """
    must_be_one_of("--benchmark", arguments.benchmark, BENCHMARKS)
    must_be_in("--jobs", arguments.jobs, "[0, inf)")
    benchmark, folder = BENCHMARKS[arguments.benchmark], arguments.output.resolve()
    must_not_be_ours(overrides)
    rows = {name: row for name, row in benchmark.by_name.items() if row.shown}
    for name in arguments.rows:
        must_be_one_of("--rows", name, rows)
    for seed in arguments.seeds:
        must_be_in("--seeds", seed, f"[0, {benchmark.seeds - 1}]")
    seeds = sorted(set(arguments.seeds)) or list(range(benchmark.seeds))
    return [
        Measurement(benchmark, row, seed, arguments.split, folder, overrides)
        for seed in seeds
        for row in rows.values()
        if (not arguments.rows or row.name in arguments.rows) and (row.trains or seed == seeds[0])
    ]


def measure(wanted: Sequence[Measurement], jobs: int, runner: Runner) -> int:
    """Run what is missing, and print the table of all that is there; 1 when a row failed."""
    failures: dict[Job, str] = {}
    rounds: dict[int, list[Job]] = {}
    for m in wanted if jobs else []:
        for depth, job in enumerate(m.jobs):  # what a job takes from others stands before it
            rounds.setdefault(depth, []).append(job)

    def make(job: Job) -> tuple[Job, str]:
        before = next((failures[other] for other in failures if other.folder in _folders(job)), "")
        return job, before or runner.make(job)

    for depth in sorted(rounds):
        missing = [job for job in dict.fromkeys(rounds[depth]) if not job.is_done()]
        for job, reason in each(make, missing, max(jobs, 1)):
            print(f"{job.name}: {reason or 'done'}", flush=True)
            if reason:
                failures[job] = reason
    results = [_result(m, failures) for m in wanted]
    for result in results:
        if not result.failed:
            result.write(wanted[0].folder / "results")
    print(tables.write(wanted[0].benchmark, wanted[0].split, results, wanted[0].folder))
    return int(any(result.failed for result in results))


def _folders(job: Job) -> set[Path]:
    return {path.parent for path in job.inputs.values()}


def _result(m: Measurement, failures: dict[Job, str]) -> Result:
    reason = next((failures[job] for job in m.jobs if job in failures), "")
    if not reason and not all(job.is_done() for job in m.jobs):
        reason = "was not run"
    return failed(m, reason) if reason else outcome(m)


if __name__ == "__main__":
    sys.exit(main())
