"""Which rows there are: each is a config behind a benchmark's own, measured with some seeds."""

import json
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
        discriminator: Config that trains the classifier of photos and sketches.
        metrics: What its tables show, besides the mean over queries of the average precision.
    """

    name: str
    config: str
    photo_teacher: str
    sketch_teacher: str
    discriminator: str
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
        discriminator: Whether a classifier of photos and sketches is wanted.
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
    discriminator: bool = False
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
            "teachers/cifar_tuberlin_modality.yaml",
            ("prec_at_200",),
        ),
        Benchmark(
            "tinyimagenet-tuberlin",
            "tinyimagenet_tuberlin.yaml",
            "teachers/tinyimagenet_photo.yaml",
            "teachers/tinyimagenet_sketch.yaml",
            "teachers/tinyimagenet_tuberlin_modality.yaml",
            ("prec_at_50",),
        ),
    )
}


def _baseline(name: str, title: str, trains: bool = True, data_free: bool = True) -> Row:
    return Row(name, title, "published", (f"baselines/{name}.yaml",), trains=trains, data_free=data_free)


def _objective(name: str, title: str, data_free: bool) -> Row:
    """The heads of the other rows with an objective of their own."""
    kind, place = ("free", "model.encoding") if data_free else ("with_data", "model")
    config = "baselines/heads.yaml" if data_free else "baselines/heads_with_data.yaml"
    loss = {"loss": {"class_path": f"{title}Loss"}}
    words = (f"--{place}.init_args.terms={json.dumps({name: loss})}",)
    return Row(f"{name}_{kind}", title, "objectives", (config,), words, data_free=data_free)


def _ablation(name: str, title: str, *words: str) -> Row:
    return Row(f"without_{name}", f"without {title}", "ablations", _HEADS, words, seeds=2)


def _weightless(*terms: str) -> tuple[str, ...]:
    return tuple(f"--model.reconstruction.init_args.terms.{term}.weight=0" for term in terms)


_CLASSIFIER_ONLY = ("baselines/classifier_only.yaml",)
_HEADS = ("baselines/heads.yaml",)

_PUBLISHED = (
    _baseline("classifier_only", "Classifier Only", trains=False),
    Row(
        "classifier_only_own_starts",
        "Classifier Only, teachers with different starts",
        "published",
        _CLASSIFIER_ONLY,
        trains=False,
        shared_start=False,
    ),
    _baseline("uni_modal_distillation", "Uni-Modal Distillation"),
    _baseline("gaussian_prior", "Gaussian Prior"),
    _baseline("averaging_weights", "Averaging Weights", trains=False),
    Row("meta_data", "Meta-Data", "published", ("baselines/meta_data.yaml",), records=True),
    _baseline("alternative_data", "Alternative Data", data_free=False),
    Row("crossx_dfl", "CrossX-DFL, as published", "published", ("baselines/crossx_dfl.yaml",), discriminator=True),
    Row("posterior_matching", "posterior matching", "published", _CLASSIFIER_ONLY, trains=False, baseline="posterior"),
    Row("heads", "crossx, heads alone", "published", _HEADS),
    Row("crossx", "crossx", "published"),
)
_OBJECTIVES = (
    *(
        _objective(name, title, data_free)
        for name, title in (("siamese", "Siamese"), ("triplet", "Triplet"), ("mib", "MIB"))
        for data_free in (True, False)
    ),
    # Data-free, crossx's objective is the row `heads`.
    Row("heads_with_data", "crossx, heads alone", "objectives", ("baselines/heads_with_data.yaml",), data_free=False),
)
_ABLATIONS = (
    _ablation("semantics", "semantic consistency", *_weightless("one_hot", "entropy", "activation")),
    # Pairs that agree are also what `labels: agreed` asks for.
    _ablation(
        "alignment",
        "class alignment",
        *_weightless("alignment"),
        "--model.reconstruction.init_args.terms.one_hot.loss.init_args.labels=predicted",
    ),
    _ablation("guidance", "modality guidance", *_weightless("modality")),
    _ablation("adversary", "adversary", *_weightless("adversarial")),
    # The guidance reads the same statistics.
    _ablation("statistics", "BatchNorm statistics and guidance", *_weightless("statistics", "modality")),
    _ablation("replay", "replay", "--model.pairs=LivePairs"),
)

ROWS = {row.name: row for row in (*_PUBLISHED, *_OBJECTIVES, *_ABLATIONS)}


def chosen(names: list[str], known: dict[str, Row]) -> list[Row]:
    """Rows by their names; all where none is named.

    Raises:
        InputError: When a name is unknown, with the known ones.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"--rows: {unknown[0]!r} is not legal; one of {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())
