"""Steps of joint runs, and all training steps of one together."""

from dataclasses import replace

from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.beside import BARE, CROSSX, ENCODERS, GENERATORS, PUBLISHED, PUBLISHED_SAME, BesideJointRun
from benchmarks.speed.effort import Effort
from benchmarks.speed.loops import BareLoop
from benchmarks.speed.runs import CIFAR, QUICKSTART, RESNET34, SKIPPED, JointRun, fit
from benchmarks.speed.timing import Row, Times, times

_STEPS = {GENERATORS: 240, ENCODERS: 1200}
"""Steps of a run of `model/joint.yaml`."""
TOGETHER = "all training steps"


def measure(effort: Effort) -> list[Row]:
    """Time the runs that the machine is made for."""
    runs = (QUICKSTART, CIFAR) if effort.accelerator == "cpu" else (QUICKSTART, CIFAR, RESNET34)
    return [row for run in runs for row in of_run(run, effort)]


def of_run(run: JointRun, effort: Effort) -> list[Row]:
    """Time both steps of a run, and reckon all of its steps."""
    each = SKIPPED + effort.rounds
    callback = "benchmarks.speed.beside.BesideJointRun"
    with run.argv() as argv:
        # All steps of one kind behind each other, as in the recipe.
        words = [f"--model.schedule.warmup={each}", "--model.schedule.generator_steps=0"]
        words += [f"--trainer.callbacks+={callback}", f"--trainer.callbacks.batch={run.batch}"]
        cli = fit([*argv, *words], 2 * each, effort.accelerator)
    (beside,) = (c for c in cli.trainer.callbacks if isinstance(c, BesideJointRun))  # type: ignore[attr-defined]
    steps = {
        step: {way: times(values[SKIPPED:]) for way, values in ways.items()} for step, ways in beside.seconds.items()
    }
    rows = [Row(f"{run.name}: {step}, B = {run.batch}", steps[step]) for step in (GENERATORS, ENCODERS)]
    gflop = flops(beside.loops[BARE]) / 1e9
    figures = {"GFLOP": gflop, "GFLOP/s": gflop / steps[GENERATORS][CROSSX].median}
    return [replace(rows[0], figures=figures), rows[1], together(run, steps)]


def flops(loop: BareLoop) -> int:
    """Floating-point operations of a generator step, of its matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        loop.generator_step()
    return int(counter.get_total_flops())


def together(run: JointRun, steps: dict[str, dict[str, Times]]) -> Row:
    """Reckon all training steps of a run from the means of both."""

    def total(way: str) -> Times:
        of = {step: steps[step][way] for step in _STEPS}
        value = sum(count * of[step].mean for step, count in _STEPS.items())
        return Times(value, value, value, value, min(t.count for t in of.values()))

    note = (
        f"{_STEPS[GENERATORS]} generator steps and {_STEPS[ENCODERS]:,} encoder steps, reckoned from their means: "
        "without validation, logger and checkpoints"
    )
    ways = (CROSSX, BARE, PUBLISHED, PUBLISHED_SAME)
    return Row(f"{run.name}: {TOGETHER}", {way: total(way) for way in ways}, note)
