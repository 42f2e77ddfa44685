"""Make the page of current results: `python -m benchmarks.quality.publish [--take runs/quality]`."""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.quality.frozen import FROZEN, ROOT, check_frozen
from benchmarks.quality.plan import Measurement
from benchmarks.quality.registry import BENCHMARKS
from benchmarks.quality.report import Report, draw
from benchmarks.quality.rows.overlap import ABOUT_CURVE
from benchmarks.quality.store import Result, stored
from benchmarks.quality.tables import markdown
from benchmarks.quality.types import Benchmark, Table
from benchmarks.quality.validation_choices import chosen_on_validation
from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.types import Split

SPLIT: Split = "test"
RESULTS = FROZEN / "current"
PAGE = ROOT / "docs" / "results-current.md"
PICTURES = ROOT / "docs" / "images" / "results-current"
_FROM_IMAGES = ("retrieval", "pairs")
"""Pictures that are drawn where the images are."""

_INTRODUCTION = """# Current results

Made by `python -m benchmarks.quality.publish` from the results in `benchmarks/results/current`, which
`python -m benchmarks.quality --benchmark NAME` has measured with the present code. Do not edit this page.

All figures are of the **test** split; the column on validation has the mAP@all at step 0 and at the end of a fit.
Teacher pairs are numbered by their seed, from 0. Columns:

- `map_all` is the mean over queries of the average precision over the whole gallery, and the mean over teacher pairs,
  with the smallest and the largest of these behind it; `map_all_macro` is the mean over classes, and `prec_at_N` the
  share of right photos among the first N ([metrics](metrics.md)). Means over different teacher pairs do not compare;
  differences do.
- *difference to X* is the row's `map_all` minus that of X, paired by query, over the teacher pairs that both rows have.
  The first interval covers 95 % of resampled queries, *with these teachers and these fits*. The interval behind
  *classes* covers 95 % of resampled query classes with all their queries, in the same gallery; with fewer than about
  twenty classes it is too narrow. Behind *pairs* are the smallest and the largest difference of a teacher pair. No
  interval covers the randomness of training; `head_other_seed` among the ablations shows it.
- *X over this row* is the ratio of the means over the same queries.
- Rows are named for what they are: a *learned head* is a small trained network on each frozen teacher's features and
  posterior, *posterior + head + reading* the encoder of `model/composite.yaml`, and *published* is CrossX-DFL, or its
  objective for the encoders that the row names.
- *posterior matching (dot at 1 for photos and 0.5 for sketches)* is the dot product of the teachers' class
  probabilities, at the temperatures that labelled validation images chose, pair by pair; once where all pairs have the
  same. What every row owes to such images stands under *Chosen on validation*, behind each benchmark's tables.
- *commit* has the commits of the fits, and behind a semicolon those of the measurements.

Pictures of retrieved photos leave posterior matching out: a run keeps the ranked lists of its encoders only.
"""


def main() -> int:
    """Take over new results and write the page, or check what is committed."""
    parser = argparse.ArgumentParser("python -m benchmarks.quality.publish", description=__doc__, allow_abbrev=False)
    one_of = parser.add_mutually_exclusive_group()
    one_of.add_argument(
        "--take", type=Path, default=None, metavar="FOLDER", help="output of the benchmark to take over"
    )
    one_of.add_argument(
        "--check",
        action="store_true",
        help="write nothing; status 1 unless frozen files are unchanged, and current results and their page current",
    )
    arguments = parser.parse_args()
    try:
        if arguments.take is not None:
            take(arguments.take)
        results = {benchmark.name: committed(benchmark) for benchmark in BENCHMARKS.values()}
    except InputError as error:
        print(f"benchmarks.quality.publish: error: {error}", file=sys.stderr)
        return 2
    if arguments.check:
        return max(check_frozen(FROZEN, ROOT), check(results))
    if not any(results.values()):
        print("no current results: measure some, and --take them", file=sys.stderr)
        return 1
    for benchmark in BENCHMARKS.values():
        draw_shown(benchmark, results[benchmark.name])
    write_text(PAGE, page(results))
    print(PAGE)
    return 0


def check(results: Mapping[str, Mapping[str, Sequence[Result]]]) -> int:
    """Whether all current results are of the present code and configs, and the page is made from them; 1 where not.

    Args:
        results: Benchmark -> row -> results that are of the present code and configs.
    """
    fitting = sum(len(found) for rows in results.values() for found in rows.values())
    committed = list(RESULTS.glob("*/*.json"))
    left_out = len(committed) - fitting
    for name in sorted({path.parent.name for path in committed} - results.keys()):
        print(f"left out: there is no benchmark {name}", file=sys.stderr)
    if left_out:
        print(f"{left_out} committed results are not current: measure them again, or freeze them", file=sys.stderr)
    wanted = page(results) if fitting else None
    stale = (PAGE.read_text() if PAGE.is_file() else None) != wanted
    if stale:
        print(f"{PAGE} is not made from the current results: run the command without --check", file=sys.stderr)
    return int(stale or left_out > 0)


def draw_shown(benchmark: Benchmark, results: dict[str, list[Result]]) -> None:
    """Draw the pictures of the page that are made from results."""
    with TemporaryDirectory() as folder:
        draw(benchmark, SPLIT, results, Path(folder), benchmark.name)
        shown = [table for table in benchmark.tables if _compares(table, results)]
        wanted = {f"{benchmark.name}-{t.name}-{picture}.png" for t in shown for picture in t.pictures}
        for picture in Path(folder).iterdir():
            if picture.name in {*wanted, f"{benchmark.name}-overlap.png"}:
                PICTURES.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture, PICTURES / picture.name)


def take(folder: Path) -> None:
    """Copy current results, and the pictures that need images, from the output of a benchmark.

    Committed results of other files of the same teachers are deleted: they do not compare with the new ones.

    Raises:
        InputError: When the folder holds no current result.
    """
    found = 0
    for benchmark in BENCHMARKS.values():
        report = Report(benchmark, SPLIT, folder.resolve())
        measured = report.results()
        taken = [result for results in measured.values() for result in results if not result.failed]
        files = {key: result.files[role] for result in taken for role, key in _teachers(benchmark, result).items()}
        new = {(result.row, result.seed) for result in taken}
        for earlier in [r for r in stored(RESULTS, benchmark.name) if r.split == SPLIT and r.row in benchmark.rows]:
            if (earlier.row, earlier.seed) in new:
                earlier.place(RESULTS).unlink()
            elif not _fits(files, benchmark, earlier):
                _leave_out(benchmark, earlier, "it was measured with another file of a teacher; deleted")
                earlier.place(RESULTS).unlink()
        for result in taken:
            result.write(RESULTS)
        found += len(taken)
        for table in (table for table in benchmark.tables if _compares(table, measured)):
            for picture in table.pictures:
                source = folder / "results" / f"{report.stem}-{table.name}-{picture}.png"
                if picture in _FROM_IMAGES and source.is_file():
                    PICTURES.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, PICTURES / f"{benchmark.name}-{table.name}-{picture}.png")
    if not found:
        raise InputError(f"--take: must hold current results of the {SPLIT} split, got {folder}")


def committed(benchmark: Benchmark) -> dict[str, list[Result]]:
    """Committed results of the present code and configs, all with the same teachers; prints what is left out.

    Raises:
        InputError: When a file is not one of ours.
    """
    fitting = []
    for result in stored(RESULTS, benchmark.name):
        if result.row not in benchmark.rows or result.split != SPLIT:
            _leave_out(benchmark, result, "it is of no row or split of the page")
        elif not _is_current(benchmark, result):
            _leave_out(benchmark, result, "it is of other code, another config or another gallery")
        else:
            fitting.append(result)
    kept = with_common_teachers(benchmark, fitting)
    for result in fitting:
        if result not in kept.get(result.row, []):
            _leave_out(benchmark, result, "it was measured with another file of a teacher than the rows above it")
    return kept


def _is_current(benchmark: Benchmark, result: Result) -> bool:
    """Whether a result is of the present code, config and gallery."""
    try:
        return _measurement(benchmark, result).digest() == result.config
    except InputError:  # a config that is no longer there
        return False


def _leave_out(benchmark: Benchmark, result: Result, why: str) -> None:
    print(f"left out: {benchmark.name}, {result.row}, seed {result.seed}, {result.split}: {why}", file=sys.stderr)


def with_common_teachers(benchmark: Benchmark, results: Sequence[Result]) -> dict[str, list[Result]]:
    """Leave out what was measured with another file of a teacher than the rows above it.

    Args:
        benchmark: The benchmark.
        results: Its results.

    Returns:
        Row name to results.
    """
    order = list(benchmark.rows)
    files: dict[tuple[str, int], str] = {}
    kept: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: (order.index(r.row), r.seed)):
        if _fits(files, benchmark, result):
            files |= {key: result.files[role] for role, key in _teachers(benchmark, result).items()}
            kept.setdefault(result.row, []).append(result)
    return kept


def _fits(files: Mapping[tuple[str, int], str], benchmark: Benchmark, result: Result) -> bool:
    """Whether a result was measured with these files of teachers, as far as it uses them."""
    found = {key: result.files[role] for role, key in _teachers(benchmark, result).items()}
    return all(files.get(key, file) == file for key, file in found.items())


def _teachers(benchmark: Benchmark, result: Result) -> dict[str, tuple[str, int]]:
    """Role -> name and seed of a teacher."""
    found = _measurement(benchmark, result).teachers.items()
    return {role: (teacher.name, seed) for role, (teacher, seed) in found}


def _measurement(benchmark: Benchmark, result: Result) -> Measurement:
    return Measurement(benchmark, benchmark.rows[result.row], result.seed, SPLIT, RESULTS)


def page(results: Mapping[str, Mapping[str, Sequence[Result]]]) -> str:
    """The text of the page.

    Args:
        results: Benchmark -> row -> results.
    """
    parts = [_INTRODUCTION]
    for name, found in results.items():
        benchmark = BENCHMARKS[name]
        if not any(found.values()):
            continue
        parts.append(f"## {name}\n\n```console\npython -m benchmarks.quality --benchmark {name}\n```\n")
        parts.append(_environments([result for rows in found.values() for result in rows]))
        if missing := _missing(benchmark, found):
            parts.append(f"**Not measured yet:** {', '.join(missing)}.\n")
        overlap = False
        for table in benchmark.tables:
            if not _compares(table, found):
                continue
            parts.append(f"#{markdown(benchmark, table, found)}")
            for picture in table.pictures:
                file = f"{name}-{table.name}-{picture}.png"
                if (PICTURES / file).is_file():
                    parts.append(f"![{table.title}: {picture}](images/results-current/{file})\n")
            overlap = overlap or any(row.overlap is not None for row in table.rows)
        if overlap and (PICTURES / f"{name}-overlap.png").is_file():
            picture = f"![mAP over overlap](images/results-current/{name}-overlap.png)"
            parts.append(f"### Partial overlap: all points\n\n{ABOUT_CURVE}\n\n{picture}\n")
        parts.append(f"#{chosen_on_validation(benchmark, found)}")
    return "\n".join(parts)


def _compares(table: Table, results: Mapping[str, Sequence[Result]]) -> bool:
    """Whether a table has two rows with results: its reference alone, which other tables have too, says nothing."""
    return sum(bool(results.get(row.name)) for row in table.rows) >= 2


def _missing(benchmark: Benchmark, results: Mapping[str, Sequence[Result]]) -> list[str]:
    """Rows that have fewer teacher pairs than their tables want."""
    missing = []
    for name, row in benchmark.rows.items():
        measured, wanted = len(results.get(name, ())), benchmark.seeds(row)
        if measured < wanted:
            missing.append(f"`{name}` ({measured} of {wanted} teacher pairs)")
    return missing


def _environments(results: Sequence[Result]) -> str:
    """Versions and machines, in one paragraph; commits stand in the tables, row by row."""
    found = [made for result in results for made in (result.fitted_with, result.measured_with) if made]
    keys = sorted({key for made in found for key in made} - {"commit"})
    values = {key: ", ".join(sorted({made[key] for made in found if key in made})) for key in keys}
    return f"Measured with {'; '.join(f'{key} {value}' for key, value in values.items())}.\n"


if __name__ == "__main__":
    sys.exit(main())
