"""What a benchmark is made of: teachers, rows, and tables of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

_FEATURES = "classifier_only.yaml"
"""Recipe whose encoders are the teachers' features as they are."""


@dataclass(frozen=True)
class Teacher:
    """A classifier that the benchmark trains.

    Attributes:
        name: Its name in messages and folders.
        config: Config that trains it.
        argv: Overrides behind the config.
    """

    name: str
    config: str
    argv: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One line of a table: a benchmark's config, recipes behind it, and overrides.

    Attributes:
        name: Its name on the command line.
        title: Its title in tables: what is measured.
        configs: Recipes behind the benchmark's own config, such as `model/head.yaml`.
        argv: Overrides behind the recipes.
        trains: Whether there is anything to fit.
        photo: Photo teacher, where it is not the benchmark's.
        sketch: Sketch teacher, where it is not the benchmark's.
        shared_start: Whether the two teachers start from the same weights; those of strangers do not.
        shared_generators: Whether the encoders learn from the generators that such rows share, of
            `model/generators.yaml`; otherwise a joint recipe trains generators of its own.
        records: Whether the row uses the recorded activations of the teachers over their training images.
        modality: Whether the row uses a classifier that tells photos from sketches.
        training_images: Which images the training opens, where it is not data-free; tables show it.
        baseline: Name of the run's baseline, such as `posterior`, whose figures the row has in place of the encoders'.
        measured_argv: Overrides of the measurement alone, such as other images; `--config`, `NAME` are two items.
        groups: Name of a group of classes -> the classes, whose queries are also averaged apart.
        against: Name of the row that differs in one thing only, where tables show the difference to that row too.
        pairs: Number of teacher pairs, where the row has fewer than its tables want.
        overlap: Share of a teacher's classes that the other teacher knows, in %, of a point of the overlap curve.
        paper: Data set -> mAP@all that the paper prints for the row, on other images and with other teachers.
        chosen: Hyper-parameter that labels of validation images chose -> its value, and out of which, such as
            `{"share": "0.99, of 0.97 and 0.99"}`. What posterior matching chooses comes from the results.
    """

    name: str
    title: str
    configs: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    trains: bool = True
    photo: Teacher | None = None
    sketch: Teacher | None = None
    shared_start: bool = False
    shared_generators: bool = False
    records: bool = False
    modality: bool = False
    training_images: str = ""
    baseline: str | None = None
    measured_argv: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    against: str = ""
    pairs: int | None = None
    overlap: float | None = None
    paper: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def owes_to_start(self) -> bool:
        """Whether the row compares the features of two teachers that start from the same weights."""
        encoders = any(PurePath(config).name == _FEATURES for config in self.configs)
        return self.shared_start and (self.baseline == "features" or (self.baseline is None and encoders))


@dataclass(frozen=True)
class Table:
    """Rows that are compared with one of them.

    Attributes:
        name: Its name on the command line and in files.
        title: Its heading.
        about: A paragraph with what a reader has to know.
        rows: The rows, from top to bottom.
        reference: Name of the row that the others are compared with.
        seeds: Number of runs of each row, each with teachers of its own: seed S is the S-th pair.
        also: Further rows that each row is compared with, in a column each.
        groups: Groups of queries with columns of their own.
        shows_pairs: Whether there are columns on how good the synthetic pairs were.
        pictures: Pictures on the page of results: bars, differences, curves, precision-recall, retrieval, pairs.
        paper: Data sets whose figures of the paper stand in a column.
    """

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    reference: str
    seeds: int
    also: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    shows_pairs: bool = False
    pictures: tuple[str, ...] = ()
    paper: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """A data set with its teachers and its tables.

    Attributes:
        name: Its name on the command line.
        configs: Config of the benchmark; a row's recipes stand behind it.
        photo: Its photo teacher.
        sketch: Its sketch teacher.
        modality: Its classifier of photos and sketches; None where no row uses one.
        metrics: Metrics in its tables, besides the mAP@all over queries and over classes.
        tables: Its tables.
    """

    name: str
    configs: tuple[str, ...]
    photo: Teacher
    sketch: Teacher
    modality: Teacher | None
    metrics: tuple[str, ...]
    tables: tuple[Table, ...]

    @property
    def rows(self) -> dict[str, Row]:
        """All rows by name, each once."""
        return {row.name: row for table in self.tables for row in table.rows}

    def seeds(self, row: Row, tables: Sequence[str] = ()) -> int:
        """Number of runs of a row: the most that a named table wants, or any where no named table has the row."""
        if row.pairs is not None:
            return row.pairs
        having = [table for table in self.tables if row.name in {r.name for r in table.rows}]
        named = [table for table in having if table.name in tables]
        return max(table.seeds for table in named or having)
