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


_EDGES = (
    Row("edges", "+ free photos with edge maps", ("finegrained/edges.yaml",)),
    Row("traced_edges", "+ free photos with edge maps, redrawn by hand", ("finegrained/traced_edges.yaml",)),
)

_JOINT = "--model.init_args."


def _joint(name: str, title: str, steps: int, *argv: str, distilled: bool = False) -> Row:
    """A row of the joint run: `fg_joint.yaml` with parts switched off. Its encoders train 500 batches, as all do."""
    takes = {"model.init_args.teacher": Taken("supervised")}
    words = [f"{_JOINT}{word}" for word in argv]
    if distilled:
        takes["model.init_args.encoding.init_args.teacher.start"] = Taken("supervised")
    else:
        words += [f"{_JOINT}encoding.init_args.teacher=null"]
        words += [f"{_JOINT}encoding.init_args.terms.distillation.weight=0"]
    argv = (f"--trainer.max_steps={steps}", *words)
    return Row(name, title, ("fg_joint.yaml",), argv, alone=True, takes=takes)


_NO_REWARD = ("refinement=null", "schedule.generator_steps=0")
_SOFT = ("refinement.policy.weight=0", "refinement.soft.weight=0.1")
_DRAWINGS = (
    _joint(
        "synthetic",
        "+ drawings of free photos",
        500,
        *_NO_REWARD,
        "schedule.discriminator_steps=0",
        "schedule.warmup_discriminator=0",
        "weighted=false",
    ),
    _joint("certainty", "+ drawings, weighed by certainty", 725, *_NO_REWARD),
    _joint("distillation", "+ weighed drawings, distilled relations", 725, *_NO_REWARD, distilled=True),
    _joint("reward", "+ weighed drawings, generator rewarded", 850),
    _joint("soft_reward", "+ weighed drawings, generator rewarded through the rasteriser", 850, *_SOFT),
    _joint("whole", "+ weighed drawings, distilled relations, generator rewarded", 850, distilled=True),
)

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
        *_EDGES,
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
            elsewhere=True,
            shown=False,
        ),
        *_DRAWINGS,
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
    (_SUPERVISED, _GREY, *_PHOTOS_ALONE, *_EDGES, *_fractions(100)),
)

BENCHMARKS = {benchmark.name: benchmark for benchmark in (SHAPES, QMUL, SKETCHY)}
