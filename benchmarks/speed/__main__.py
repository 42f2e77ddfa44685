"""Measure how fast crossx is: `python -m benchmarks.speed`, or `--parts joint evaluation` for some parts.

Parts of a file that is there stay, where this machine has measured them.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.machine import MOST_LOAD, commit, machine
from benchmarks.speed.effort import FULL, Effort
from benchmarks.speed.parts import (
    ceiling,
    classifier,
    embedding,
    evaluation,
    growth,
    joint,
    pairs,
    processes,
    start,
)
from benchmarks.speed.timing import Row
from crossx.core.atomic import write_text
from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError

PARTS: dict[str, Callable[[Effort], list[Row]]] = {
    "joint": joint.measure,
    "classifier": classifier.measure,
    "pairs": pairs.measure,
    "evaluation": evaluation.measure,
    "embedding": embedding.measure,
    "growth": growth.measure,
    "processes": processes.measure,
    "start": start.measure,
    "ceiling": ceiling.measure,
}

_WIDTH = 150
"""Of tables, in characters."""


def main(argv: list[str]) -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser("python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), metavar="PART", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=FULL.rounds, help="of each step (%(default)s)")
    parser.add_argument("--largest", type=int, default=FULL.largest, help="photos of the largest gallery (%(default)s)")
    parser.add_argument("--accelerator", default="cpu", help="cpu or gpu (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("speed.json"), help="(%(default)s)")
    arguments = parser.parse_args(argv)
    for name in arguments.parts:
        must_be_one_of("--parts", name, PARTS)
    must_be_one_of("--accelerator", arguments.accelerator, ("cpu", "gpu"))
    must_be_in("--rounds", arguments.rounds, "[1, inf)")
    must_be_in("--largest", arguments.largest, "[1000, inf)")
    effort = replace(FULL, rounds=arguments.rounds, largest=arguments.largest, accelerator=arguments.accelerator)
    earlier = json.loads(arguments.out.read_text()) if arguments.out.is_file() else None
    figures = measured(arguments.parts, effort, earlier)
    # At the end and at once: an interrupted benchmark leaves no half file.
    write_text(arguments.out, json.dumps(figures, indent=1) + "\n")
    print(arguments.out)


def measured(names: list[str], effort: Effort, earlier: dict[str, Any] | None = None) -> dict[str, Any]:
    """Measure parts, printing each as it is there.

    Args:
        names: The parts.
        effort: How much is measured.
        earlier: Figures that stay where they are of other parts.

    Returns:
        The figures, with the machine, whether it was busy, and the commit of each part.

    Raises:
        InputError: When earlier figures are of another machine, other versions or another effort.
    """
    about = {**machine("torch", "lightning", "numpy"), "threads": torch.get_num_threads()}
    if effort.accelerator == "gpu":
        about["gpu"] = torch.cuda.get_device_name()
    about["busy"] = about["load average"] > MOST_LOAD
    if about["busy"]:  # before the work, which is itself a load
        print(f"busy: load average {about['load average']}; these are no figures for a document", flush=True)
    kept = _kept(earlier or {}, names, about, effort)
    parts, commits = dict(kept), {name: earlier["commits"][name] for name in kept} if earlier else {}
    for name in dict.fromkeys(names):
        rows = PARTS[name](effort)
        Console(width=_WIDTH).print(table(name, rows))
        parts[name], commits[name] = [asdict(row) for row in rows], commit()
    return {"machine": about, "effort": asdict(effort), "commits": commits, "parts": parts}


def _kept(
    earlier: dict[str, Any], names: list[str], about: dict[str, Any], effort: Effort
) -> dict[str, list[dict[str, Any]]]:
    """Parts of earlier figures that are not measured anew, where they may stand beside new ones."""
    kept = {name: rows for name, rows in earlier.get("parts", {}).items() if name not in names}
    if not kept:
        return {}
    if "commits" not in earlier:
        raise InputError("--out: must be a new file, or one of this version, which has the commits of its parts")
    now, then = {**about, **asdict(effort)}, {**earlier["machine"], **earlier["effort"]}
    differing = [key for key in now if key not in ("load average", "busy") and now[key] != then.get(key)]
    if differing or then["busy"]:
        key = differing[0] if differing else "busy"
        raise InputError(f"--out: must be a new file where {key} is {now[key]!r}, got one with {then.get(key)!r}")
    return kept


def table(name: str, rows: list[Row]) -> Table:
    """Times in milliseconds."""
    made = Table(title=name)
    for column in ("", "way", "median ms", "first decile", "last decile", "times", "beside"):
        made.add_column(column, justify="left" if column in ("", "way", "beside") else "right")
    for row in rows:
        what, beside = row.what, ", ".join(f"{key} {value:.4g}" for key, value in row.figures.items())
        for way, t in row.seconds.items():
            values = (f"{1000 * value:.4g}" for value in (t.median, t.low, t.high))
            made.add_row(what, way, *values, str(t.count), beside)
            what = beside = ""
    return made


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"benchmarks.speed: error: {error}")
