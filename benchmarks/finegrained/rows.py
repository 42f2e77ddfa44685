"""The benchmarks of fine-grained retrieval and their rows."""

from benchmarks.finegrained.types import Benchmark, Row, Taken

START = "model.init_args.start"
TEACHER = "model.init_args.teacher.start"
_FRACTION = "--data.init_args.fraction"

_SUPERVISED = Row("supervised", "labelled pairs alone")
_GREY = Row("self_view", "+ free photos with their own other view in grey", ("finegrained/self_view.yaml",))
_OWN = Row("self_view", "+ free photos with their own other view", ("finegrained/own_views.yaml",))
_CONTRAST_ALONE = Row(
    "contrast_alone", "two views of free photos alone", ("finegrained/photo_contrast.yaml",), shown=False
)
_PHOTO_CONTRAST = Row("photo_contrast", "start: two views of free photos", takes={START: Taken("contrast_alone")})
_PHOTO_RELATION = Row(
    "photo_relation",
    "+ relations of free photos, distilled from that start (arXiv 2303.13779)",
    ("finegrained/photo_relation.yaml",),
    takes={TEACHER: Taken("contrast_alone")},
)
_PHOTOS_ALONE = (_PHOTO_CONTRAST, _CONTRAST_ALONE, _PHOTO_RELATION)


def _fractions(*percents: int) -> tuple[Row, ...]:
    return tuple(
        Row(f"supervised_{p}", f"labelled pairs alone, {p} % labelled", argv=(f"{_FRACTION}={p / 100}",))
        for p in percents
    )


_EDGES = Row("edges", "+ free photos with edge maps", ("finegrained/edges.yaml",))

SHAPES = Benchmark(
    "shapes-fg",
    "Shapes, fine",
    "Ten classes, 2,000 training photos with two sketches each; 10 % are labelled unless a row says otherwise.",
    ("fg_retrieval.yaml",),
    (
        Row("start", "the classifiers' features, untrained", ("finegrained/start.yaml",), trains=False),
        _SUPERVISED,
        _GREY,
        *_PHOTOS_ALONE,
        _EDGES,
        Row(
            "data_free",
            "start: encoders of a data-free run",
            ("fg_data_free.yaml",),
            takes={START: Taken("data_free_run")},
        ),
        Row(
            "data_free_run",
            "the data-free run itself",
            ("benchmarks/shapes.yaml", "model/fine_tuned.yaml"),
            alone=True,
            shown=False,
        ),
        *_fractions(25, 50, 100),
        Row("oracle", "+ free photos with their true sketches", ("finegrained/oracle.yaml",)),
    ),
    ceiling="oracle",
)
QMUL = Benchmark(
    "qmul-v1",
    "QMUL V1, pooled over shoes, chairs and handbags",
    "Each test set is its own gallery; 25 % of the training pairs are labelled unless a row says otherwise.",
    ("fg_qmul.yaml",),
    (_SUPERVISED, _OWN, *_PHOTOS_ALONE, *_fractions(100)),
    within_class=False,
)
SKETCHY = Benchmark(
    "sketchy-fg",
    "Sketchy",
    "625 photos and 833 sketches; 25 % of the training photos are labelled unless a row says otherwise.",
    ("fg_sketchy.yaml",),
    (_SUPERVISED, _GREY, *_PHOTOS_ALONE, _EDGES, *_fractions(100)),
)

BENCHMARKS = {benchmark.name: benchmark for benchmark in (SHAPES, QMUL, SKETCHY)}
