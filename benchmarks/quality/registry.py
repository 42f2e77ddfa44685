"""All benchmarks, and the choice of rows by name or table."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.quality.rows.ablations import ABLATIONS
from benchmarks.quality.rows.elsewhere import QUICKDRAW, SKETCHY, UNSEEN
from benchmarks.quality.rows.full_scale import FULL_SCALE
from benchmarks.quality.rows.method import METHOD
from benchmarks.quality.rows.networks import NETWORKS
from benchmarks.quality.rows.objectives import OBJECTIVES
from benchmarks.quality.rows.overlap import OVERLAP
from benchmarks.quality.rows.parts import PARTS
from benchmarks.quality.rows.published import COMMON_START, PUBLISHED
from benchmarks.quality.types import Benchmark, Row, Teacher
from crossx.core.checks import must_be_one_of

_CIFAR = Benchmark(
    "cifar-tuberlin",
    ("benchmarks/cifar_tuberlin.yaml",),
    Teacher("photo", "teachers/cifar10_photo.yaml"),
    Teacher("sketch", "teachers/tuberlin_sketch.yaml"),
    None,
    ("prec_at_200",),
    (PUBLISHED, COMMON_START, PARTS, NETWORKS),
)
_NETWORKS_OF_45 = replace(NETWORKS, rows=tuple(row for row in NETWORKS.rows if row.name in ("student", "head")))
_TINYIMAGENET = Benchmark(
    "tinyimagenet-tuberlin",
    ("benchmarks/tinyimagenet_tuberlin.yaml",),
    Teacher("photo", "teachers/tinyimagenet_photo.yaml"),
    Teacher("sketch", "teachers/tinyimagenet_sketch.yaml"),
    Teacher("modality", "teachers/tinyimagenet_tuberlin_modality.yaml"),
    ("prec_at_50",),
    (
        PUBLISHED,
        COMMON_START,
        PARTS,
        METHOD,
        OBJECTIVES,
        ABLATIONS,
        _NETWORKS_OF_45,
        UNSEEN,
        SKETCHY,
        QUICKDRAW,
        *OVERLAP,
    ),
)

BENCHMARKS = {benchmark.name: benchmark for benchmark in (_CIFAR, _TINYIMAGENET, *FULL_SCALE)}


def chosen(names: Sequence[str], tables: Sequence[str], benchmark: Benchmark) -> list[Row]:
    """Rows with these names or in these tables; all of a benchmark where nothing is named.

    Raises:
        InputError: When a name is unknown.
    """
    known, headings = benchmark.rows, [table.name for table in benchmark.tables]
    for option, asked, legal in (("--rows", names, list(known)), ("--tables", tables, headings)):
        for name in asked:
            must_be_one_of(option, name, legal)
    if not names and not tables:
        return list(known.values())
    wanted = {*names, *(row.name for table in benchmark.tables if table.name in tables for row in table.rows)}
    return [row for name, row in known.items() if name in wanted]
