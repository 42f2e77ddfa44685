"""Write docs/performance.md with the figures of an idle machine: `python -m benchmarks.speed.document`."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import MOST_LOAD
from benchmarks.speed.beside import BARE, CROSSX, PUBLISHED_SAME
from benchmarks.speed.parts import evaluation, joint
from benchmarks.speed.parts.growth import PHOTOS
from benchmarks.speed.parts.start import FIRST_BATCH, IMPORTS
from benchmarks.speed.point import QUERIES
from benchmarks.speed.timing import Row, Times
from crossx.core.atomic import write_text
from crossx.core.errors import InputError

PAGE = Path("docs/performance.md")
FIGURES = Path("benchmarks/results/0.3.0/speed.json")
"""What the page in this checkout is made of."""
_TITLES = {
    "joint": "Joint runs",
    "classifier": "Training of a classifier, and checkpoints",
    "pairs": "Latents and replay",
    "evaluation": "Exact measures",
    "embedding": "Embedding",
    "growth": "How cost grows",
    "processes": "Several processes",
    "start": "Start",
    "ceiling": "The machine",
}
_HEAD = """# Performance

How fast crossx is beside three yardsticks: a **bare loop**, which has the same networks, terms and precision in plain
PyTorch (`benchmarks/speed/loops.py`); the **published way to run teachers** on the same networks, losses and number of
steps: twice an image, with gradients into frozen weights, and no image used twice; and the **machine's ceiling**. Steps
and measures that are compared take turns within one process, so that a slow minute of the machine meets all alike.
Times are medians, with the first and the last decile. On a GPU a step lasts until the device has done its work.

```console
python -m benchmarks.speed --out {figures}
python -m benchmarks.speed.document
```

measures and writes this page; `--parts` measures some parts anew. Figures of a run that was started on a busy machine
(load average above {most}) are refused. `--accelerator gpu` is about joint runs, the classifier and the ceiling;
everything else runs on the CPU.
"""
_PAPER = """## On paper

Not measured here, and reckoned with the formulas beside the figures above:

- **P processes, one batch each.** A step takes t(P) = t(1) + 2 (P - 1) / P x 4 N / w seconds, with N parameters of the
  player whose turn it is (only its gradients are exchanged) and w bytes a second between two processes. The generators
  of `model/joint.yaml` have 2.2 million parameters and its heads 0.4 million. With P = 8 and 100 GB/s the exchange of
  two ResNet-34 (42.6 million) takes 3 ms, and that of the generators 0.2 ms.
- **A gallery of G photos.** All measures of a query take c G seconds with c = {nanoseconds:.0f} ns on this machine,
  from the largest gallery above; 10^8 photos take {seconds:.1f} s a query. Their vectors take 4 D G bytes, 25.6 GB with
  D = 64. A search does not need all ranks ([search in large galleries](how-to/scale.md)).
"""


def page(figures: dict[str, Any]) -> str:
    """Make the page.

    Raises:
        InputError: When the figures are of a busy machine, or a part is missing.
    """
    about = figures["machine"]
    if about["busy"]:
        raise InputError(
            f"speed.json: must be of an idle machine (load average at most {MOST_LOAD}), got {about['load average']}"
        )
    missing = [name for name in _TITLES if name not in figures["parts"]]
    if missing:
        raise InputError(f"speed.json: must have all parts, got none of {', '.join(missing)}; leave out --parts")
    parts = {name: [_row(row) for row in rows] for name, rows in figures["parts"].items()}
    described = ", ".join(f"{key} {value}" for key, value in {**about, **figures["effort"]}.items() if key != "busy")
    commits: dict[str, list[str]] = {}
    for name, commit in figures["commits"].items():
        commits.setdefault(commit, []).append(name)
    made = "; ".join(f"{commit} ({', '.join(names)})" for commit, names in commits.items())
    measured = f"Measured at {made}, on: {described}.\n"
    sections = [_HEAD.format(most=MOST_LOAD, figures=FIGURES), measured, "## In short\n", *_headlines(parts), ""]
    for name, title in _TITLES.items():
        sections += [f"## {title}\n", *_table(parts[name]), ""]
    largest = max(parts["growth"], key=lambda row: row.figures.get(PHOTOS, 0))
    each = largest.seconds[CROSSX].median / QUERIES / largest.figures[PHOTOS]
    return "\n".join([*sections, _PAPER.format(nanoseconds=each * 1e9, seconds=each * 1e8)])


def _headlines(parts: dict[str, list[Row]]) -> Iterator[str]:
    for row in parts["joint"]:
        if row.what.endswith(joint.TOGETHER):
            yield (
                f"- {row.what}: {row.ratio(CROSSX, BARE):.2f} times the bare loop. With the published way to run "
                f"teachers they take {row.ratio(PUBLISHED_SAME, CROSSX):.1f} times as long, at the same precision."
            )
    (measures,) = parts["evaluation"]
    yield (
        f"- All measures of a query: {measures.ratio(evaluation.CROSSX, evaluation.NUMPY):.2f} times a numpy loop that "
        "computes mAP alone; torchmetrics takes "
        f"{measures.ratio(evaluation.TORCHMETRICS, evaluation.CROSSX):.1f} times as long for mAP alone and "
        f"{measures.ratio(evaluation.ALL_TORCHMETRICS, evaluation.CROSSX):.0f} times for six measures, a loop in "
        f"Python {measures.ratio(evaluation.PYTHON, evaluation.CROSSX):.0f} times for mAP alone."
    )
    (embedding,) = parts["embedding"]
    yield (
        "- Embedding in memory: "
        f"{embedding.ratio('onnxruntime alone', 'crossx, onnxruntime'):.2f} of the rate of onnxruntime alone, "
        f"{embedding.ratio('torch alone', 'crossx, torch'):.2f} of that of torch alone."
    )
    (start,) = parts["start"]
    yield (
        "- A run reaches its first batch in "
        f"{start.ratio(FIRST_BATCH, IMPORTS):.2f} times the CPU seconds of its imports."
    )


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| | | median | first to last decile | times | beside |"
    yield "|---|---|---:|---:|---:|---|"
    for row in rows:
        what, beside = row.what, ", ".join(f"{name} {_number(value)}" for name, value in row.figures.items())
        for way, t in row.seconds.items():
            # What is reckoned from means has no deciles.
            spread = f"{_time(t.low)} to {_time(t.high)} | {t.count}" if t.low < t.high else "|"
            yield f"| {what} | {way} | {_time(t.median)} | {spread} | {beside} |"
            what = beside = ""
    notes = dict.fromkeys(row.note for row in rows if row.note)
    if notes:
        yield f"\n{'; '.join(notes)}."


def _time(seconds: float) -> str:
    """A duration with three digits and its unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 1000 else f"{seconds * factor:,.0f} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _row(content: dict[str, Any]) -> Row:
    ways = {way: Times(**t) for way, t in content["seconds"].items()}
    return Row(content["what"], ways, content["note"], content["figures"])


def main(argv: list[str]) -> None:
    """Read the figures, and write the page."""
    parser = argparse.ArgumentParser("python -m benchmarks.speed.document", description=__doc__)
    parser.add_argument(
        "figures", type=Path, nargs="?", default=FIGURES, help="JSON of python -m benchmarks.speed (%(default)s)"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="(%(default)s)")
    arguments = parser.parse_args(argv)
    if not arguments.figures.is_file():
        raise InputError(f"figures: must be a file of python -m benchmarks.speed, got {str(arguments.figures)!r}")
    write_text(arguments.page, page(json.loads(arguments.figures.read_text())))
    print(arguments.page)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"benchmarks.speed.document: error: {error}")
