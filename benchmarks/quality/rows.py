"""Which rows there are: each is a config behind a benchmark's own, measured with some seeds."""

from dataclasses import dataclass
from typing import Literal

from crossx.errors import InputError

Table = Literal["published", "objectives", "ablations"]


@dataclass(frozen=True)
class Benchmark:
    """A data set with its teachers.

    Attributes:
        name: Its name on the command line.
        config: The joint run that everything else is compared with; rows stand behind it.
        photo_teacher: Config that trains the photo teacher.
        sketch_teacher: Config that trains the sketch teacher.
        metrics: What its tables show, besides the mean over queries of the average precision.
    """

    name: str
    config: str
    photo_teacher: str
    sketch_teacher: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: Its name on the command line.
        title: What the table calls it.
        table: Which table.
        configs: Configs behind the benchmark's own.
        words: Overrides behind those.
        trains: Whether there is anything to fit.
        seeds: Runs, each with teachers of its own: seed S is the S-th pair.
        shared_start: Whether the two teachers started from the same weights.
        records: Whether the teachers' activations over their training data are wanted.
        data_free: Whether no real image is opened for training.
        baseline: Take the figures of this baseline of the run, such as `posterior`, in place of the encoders'.
    """

    name: str
    title: str
    table: Table
    configs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    trains: bool = True
    seeds: int = 3
    shared_start: bool = True
    records: bool = False
    data_free: bool = True
    baseline: str | None = None


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "cifar-tuberlin",
            "cifar_tuberlin.yaml",
            "teachers/cifar10_photo.yaml",
            "teachers/tuberlin_sketch.yaml",
            ("prec_at_200",),
        ),
        Benchmark(
            "tinyimagenet-tuberlin",
            "tinyimagenet_tuberlin.yaml",
            "teachers/tinyimagenet_photo.yaml",
            "teachers/tinyimagenet_sketch.yaml",
            ("prec_at_50",),
        ),
    )
}


def _published(name: str, title: str, trains: bool = True, records: bool = False, data_free: bool = True) -> Row:
    configs = (f"baselines/{name}.yaml",)
    return Row(name, title, "published", configs, trains=trains, records=records, data_free=data_free)


_CLASSIFIER_ONLY = ("baselines/classifier_only.yaml",)

ROWS = {
    row.name: row
    for row in (
        _published("classifier_only", "Classifier Only", trains=False),
        Row(
            "classifier_only_own_starts",
            "Classifier Only, teachers with different starts",
            "published",
            _CLASSIFIER_ONLY,
            trains=False,
            shared_start=False,
        ),
        _published("uni_modal_distillation", "Uni-Modal Distillation"),
        _published("gaussian_prior", "Gaussian Prior"),
        _published("averaging_weights", "Averaging Weights", trains=False),
        _published("meta_data", "Meta-Data", records=True),
        _published("alternative_data", "Alternative Data", data_free=False),
        Row(
            "posterior_matching",
            "posterior matching",
            "published",
            _CLASSIFIER_ONLY,
            trains=False,
            baseline="posterior",
        ),
        Row("crossx", "crossx", "published"),
    )
}


def chosen(names: list[str], known: dict[str, Row]) -> list[Row]:
    """Rows by their names; all where none is named.

    Raises:
        InputError: When a name is unknown, with the known ones.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"--rows: {unknown[0]!r} is not legal; one of {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())
