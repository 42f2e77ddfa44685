"""What a benchmark of fine-grained retrieval is made of: rows, and what they take from each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ENCODERS = "encoders.safetensors"


@dataclass(frozen=True)
class Taken:
    """A file of another row's fit with the same seed.

    Attributes:
        row: Name of the row.
        file: File in the folder of its fit.
    """

    row: str
    file: str = ENCODERS


@dataclass(frozen=True)
class Row:
    """One line of the table: the benchmark's config, recipes behind it, and overrides.

    Attributes:
        name: Its name on the command line.
        title: Its title in the table: what is measured.
        configs: Recipes behind the benchmark's own config, such as `finegrained/edges.yaml`.
        argv: Overrides behind the recipes.
        trains: Whether there is anything to fit.
        takes: Field of the config -> file of another row that it names.
        alone: Whether the recipes stand alone, without the benchmark's config.
        elsewhere: Whether the row is a run of another module on other data, which overrides of the command line are not
            meant for.
        shown: Whether the table has the row; otherwise others only take its files.
    """

    name: str
    title: str
    configs: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    trains: bool = True
    takes: Mapping[str, Taken] = field(default_factory=dict)
    alone: bool = False
    elsewhere: bool = False
    shown: bool = True


@dataclass(frozen=True)
class Benchmark:
    """A data set with its rows.

    Attributes:
        name: Its name on the command line.
        title: Heading of its table.
        about: A paragraph with what a reader has to know.
        configs: Config of the benchmark; a row's recipes stand behind it.
        rows: The rows, from top to bottom.
        reference: Name of the row that the others are compared with.
        baseline: Name of a second row that they are compared with.
        ceiling: Name of the row that shows what there is to gain; empty where no row can.
        seeds: Number of runs of each row that trains.
        within_class: Whether the table shows ranks among the photos of the query's class.
    """

    name: str
    title: str
    about: str
    configs: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: str = "supervised"
    baseline: str = "self_view"
    ceiling: str = ""
    seeds: int = 5
    within_class: bool = True

    @property
    def by_name(self) -> dict[str, Row]:
        """The rows by name."""
        return {row.name: row for row in self.rows}
