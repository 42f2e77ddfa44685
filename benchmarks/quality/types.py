"""What a benchmark is made of: teachers, rows, and tables of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Teacher:
    """A classifier that the benchmark trains by itself.

    Attributes:
        name: Stem of its file; its seed comes behind.
        config: Config that trains it.
        words: Overrides behind the config.
    """

    name: str
    config: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: Its name on the command line.
        title: What tables call it.
        configs: Configs behind the benchmark's own.
        words: Overrides behind those.
        trains: Whether there is anything to fit.
        photo: Photo teacher, where it is not the benchmark's own.
        sketch: Sketch teacher, where it is not the benchmark's own.
        shared_start: Whether the two teachers started from the same weights.
        records: Whether the teachers' activations over their training data are wanted.
        modality: Whether a classifier of photos and sketches is wanted.
        training_images: Which images training opened, or is made from, where it is not data-free; the tables say it.
        baseline: Take the figures of this baseline of the run, such as `posterior`, in place of the encoders'.
        measured: Configs and overrides of the measurement alone, such as those of other images.
        groups: Name of a group of classes to the classes: their queries are also averaged apart.
        against: Name of the row that it is but for one thing, where tables show the difference to that one, too.
        overlap: Share of a teacher's classes that the other knows, in %, of a row that is a point of the overlap curve.
        paper: Data set -> mAP@all that the paper prints for it, on other images and with other teachers.
    """

    name: str
    title: str
    configs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    trains: bool = True
    photo: Teacher | None = None
    sketch: Teacher | None = None
    shared_start: bool = True
    records: bool = False
    modality: bool = False
    training_images: str = ""
    baseline: str | None = None
    measured: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    against: str = ""
    overlap: float | None = None
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows that are compared with one of them.

    Attributes:
        name: Its name on the command line and in files.
        title: Its heading.
        about: What a reader has to know to read it, a paragraph.
        rows: The rows, from top to bottom.
        reference: Name of the row that the others are compared with.
        seeds: Number of runs a row, each with teachers of its own: seed S is the S-th pair.
        also: Further rows that each is compared with, a column each.
        groups: Groups of queries with columns of their own.
        shows_pairs: Whether there are columns on how good the synthetic pairs were.
        pictures: Pictures of it on the page of results: bars, differences, curves, precision-recall, retrieval, pairs.
        paper: Data sets whose figures of the paper it shows beside its own.
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
        configs: The joint run that everything else stands behind.
        photo: Its photo teacher.
        sketch: Its sketch teacher.
        modality: Its classifier of photos and sketches; None where no row wants one.
        metrics: What its tables show, besides the mean over queries of the average precision.
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
        """Number of runs of a row: the most that one of these tables wants, or any table where none of these has it."""
        having = [table for table in self.tables if row.name in {r.name for r in table.rows}]
        named = [table for table in having if table.name in tables]
        return max(table.seeds for table in named or having)
