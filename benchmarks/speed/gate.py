"""What a change must not make slower: `python -m benchmarks.speed.gate`, one to two minutes.

Ratios of what is measured side by side, with margins beyond the noise of a busy machine and what differs from one
machine to another.
"""

import sys

from benchmarks.speed.beside import BARE, CROSSX, ENCODERS, GENERATORS
from benchmarks.speed.effort import QUICK, Effort
from benchmarks.speed.parts import evaluation, joint
from benchmarks.speed.runs import QUICKSTART
from benchmarks.speed.timing import Row
from crossx.core.errors import WorkError

MOST = {GENERATORS: 1.25, ENCODERS: 2.0}
"""How many times a step of crossx may take that of the bare loop: beside other work 0.92 and 1.13 were measured. An
encoder's step is short: what surrounds it counts for more, and its noise, too."""
MOST_MEASURES = 1.5
"""How many times all measures may take a numpy loop that computes mAP alone; 0.75 was measured."""


def verdicts(steps: list[Row], measures: Row) -> list[tuple[str, float, float]]:
    """What was compared, how many times the yardstick it takes, and how many times it may take it.

    Raises:
        WorkError: When a step was not measured.
    """
    found = []
    for step, most in MOST.items():
        rows = [row for row in steps if f": {step}" in row.what]
        if len(rows) != 1:
            raise WorkError(f"gate: must have one row for the {step}, got {len(rows)}")
        found.append((f"{step}, crossx / bare loop", _least(rows[0], CROSSX, BARE), most))
    ratio = _least(measures, evaluation.CROSSX, evaluation.NUMPY)
    return [*found, ("measures, crossx / numpy loop", ratio, MOST_MEASURES)]


def _least(row: Row, ours: str, other: str) -> float:
    """The ratio of medians or of first deciles, whichever is smaller.

    Other work makes single rounds slower, so a slow tail passes here.
    """
    a, b = row.seconds[ours], row.seconds[other]
    return min(a.median / b.median, a.low / b.low)


def main(effort: Effort = QUICK) -> int:
    """Measure, once more where something seems too slow, and return 1 where it is."""
    for last in (False, True):
        found = verdicts(joint.of_run(QUICKSTART, effort), evaluation.beside_numpy(effort))
        for what, ratio, most in found:
            print(f"{what}: {ratio:.2f}, must be at most {most}{'' if ratio <= most else ': TOO SLOW'}", flush=True)
        too_slow = any(ratio > most for _, ratio, most in found)
        if last or not too_slow:
            break
    return int(too_slow)


if __name__ == "__main__":
    sys.exit(main())
