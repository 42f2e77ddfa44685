"""Results of rows, read from the run folders of their jobs."""

import json
import sys
from typing import Any

from benchmarks.quality.curve import last_mean, validation_curve
from benchmarks.quality.plan import Job, Measurement
from benchmarks.quality.store import Result
from crossx.core.atomic import write_text
from crossx.core.errors import InputError

_PAIRS = ("recon/agreement", "recon/photo_diversity", "recon/sketch_diversity")
"""Columns of `metrics.csv` that say how good the synthetic pairs were."""


def outcome(m: Measurement) -> Result | None:
    """The current result of a row, or its last failure; None where neither is there.

    Raises:
        InputError: When a run folder does not hold what a run writes.
    """
    if not m.was_tried():
        return None
    try:
        jobs = [*m.shared_jobs.values(), *([m.fit_job] if m.fit_job else []), m.job]
    except InputError as error:  # a config that cannot be read
        return failed(m, str(error))
    if all(job.is_done() for job in jobs):
        return read(m)
    note = m.job.beside(".failed")
    return failed(m, note.read_text().strip()) if note.is_file() else None


def failed(m: Measurement, reason: str) -> Result:
    """The result of a row that could not be measured."""
    return Result(m.benchmark.name, m.row.name, m.seed, m.split, "", failed=reason)


def note_failure(m: Measurement, reason: str) -> None:
    """Keep why a row failed, beside its run folder; an earlier success of other code or configs stays."""
    try:
        note = m.job.beside(".failed")
    except InputError:  # no digest where the config cannot be read
        note = m.unreadable
    try:
        write_text(note, f"{reason}\n")
    except OSError as error:  # a full disk
        print(f"{note}: {error}", file=sys.stderr)


def read(m: Measurement) -> Result:
    """The figures of a measurement that is done.

    Raises:
        InputError: When its folders do not hold what a run writes.
    """
    try:
        return _read(m)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{m.job.folder}: is not the folder of a measurement ({error!r}); delete it") from error


def _read(m: Measurement) -> Result:
    found = json.loads((m.job.folder / "results.json").read_text())
    metrics, ap_all, at_recall = found["metrics"], found["ap_all"], found["precision_at_recall"]
    if (baseline := m.row.baseline) is not None:
        metrics, ap_all = found["baselines"][baseline], found["baselines_ap_all"][baseline]
        at_recall = found["baselines_precision_at_recall"][baseline]
    trained: dict[str, Any] = {}
    if (fit := m.fit_job) is not None:
        about, log = json.loads((fit.folder / "results.json").read_text()), fit.folder / "metrics.csv"
        earlier = [job.folder / "metrics.csv" for job in m.generator_jobs.values()]
        trained = {
            "seconds": about["seconds"],
            "curve": validation_curve(log, about["step"], about["at_start"].get("map_all")),
            "pairs": {name: value for file in (*earlier, log) for name, value in last_mean(file, _PAIRS).items()},
            "fitted_with": json.loads(fit.done.read_text())["made_with"],
        }
    done = json.loads(m.job.done.read_text())
    return Result(
        m.benchmark.name,
        m.row.name,
        m.seed,
        m.split,
        m.digest(),
        files={role: found for role, found in done["files"].items() if role != "fit"},
        metrics=metrics,
        ap_all=ap_all,
        labels=found["labels"],
        classes=found["classes"],
        precision_at_recall=at_recall,
        posterior={**found["posterior"], **found["posterior_origin"]} if baseline == "posterior" else {},
        teachers_made_with={role: _commit(job) for role, job in m.teacher_jobs.items()},
        measured_with=done["made_with"],
        **trained,
    )


def _commit(teacher: Job) -> str:
    """Commit that a classifier was trained at, as far as its folder tells: a teacher may come from elsewhere."""
    return str(json.loads(teacher.done.read_text()).get("made_with", {}).get("commit", "unknown"))
