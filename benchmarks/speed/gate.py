"""What a change must not make slower: `python -m benchmarks.speed.gate`, about two minutes.

Ratios of what is measured side by side, which hold on any machine and beside other work, with margins beyond the noise.
"""

import sys

from benchmarks.speed.beside import BARE, CROSSX, ENCODERS, GENERATORS
from benchmarks.speed.effort import QUICK, Effort
from benchmarks.speed.parts import evaluation, joint
from benchmarks.speed.runs import QUICKSTART
from benchmarks.speed.timing import Row

MOST = {GENERATORS: 1.25, ENCODERS: 2.0}
"""How many times a step of crossx may take that of the bare loop. An encoder's step is short: what surrounds it counts
for more, and its noise, too."""
MOST_MEASURES = 1.5
"""How many times all measures may take a numpy loop that computes mAP alone."""


def verdicts(steps: list[Row], measures: Row) -> list[tuple[str, float, float]]:
    """What was compared, how many times the yardstick it takes, and how many times it may take it."""
    found = [
        (f"{step}, crossx / bare loop", _least(row, CROSSX, BARE), most)
        for step, most in MOST.items()
        for row in steps
        if step in row.what
    ]
    ratio = _least(measures, evaluation.CROSSX, evaluation.NUMPY)
    return [*found, ("measures, crossx / numpy loop", ratio, MOST_MEASURES)]


def _least(row: Row, ours: str, other: str) -> float:
    """The ratio of medians or of first deciles, whichever is smaller: other work makes single rounds slower."""
    a, b = row.seconds[ours], row.seconds[other]
    return min(a.median / b.median, a.low / b.low)


def main(effort: Effort = QUICK) -> int:
    """Measure, and return 1 where something is too slow."""
    (measures,) = evaluation.measure(effort)
    too_slow = 0
    for what, ratio, most in verdicts(joint.of_run(QUICKSTART, effort), measures):
        too_slow += ratio > most
        print(f"{what}: {ratio:.2f}, must be at most {most}{'' if ratio <= most else ': TOO SLOW'}", flush=True)
    return int(too_slow > 0)


if __name__ == "__main__":
    sys.exit(main())
