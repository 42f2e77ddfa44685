"""The published table: baselines, posterior matching and our recipes; the published method is in `method.py`.

CrossX-DFL, arXiv 2303.07775, figures 'main results'; the paper names its baselines and does not define them.
"""

from dataclasses import replace

from benchmarks.quality.types import Row, Table

ALTERNATIVE_IMAGES = "real images of other classes"
RECORDED_IMAGES = "statistics of the training images"
TRAINING_DATA = "the training images and their labels"

PAPER = ("Sketchy", "TU-Berlin", "QuickDraw")
"""The data sets of the paper."""
TERMS = "--model.reconstruction.init_args.terms"
"""Terms of the generators' objective."""
ENCODERS = ("--model.encoding.init_args.encoder", "--model.encoding.init_args.sketch_encoder")
"""Encoder of both modalities or of photos, and of sketches."""


def _printed(*figures: float) -> dict[str, float]:
    return dict(zip(PAPER, figures, strict=True))


_CLASSIFIER_ONLY = ("model/classifier_only.yaml",)

CLASSIFIER_ONLY = Row(
    "classifier_only", "Classifier Only", _CLASSIFIER_ONLY, trains=False, paper=_printed(0.530, 0.330, 0.160)
)
POSTERIOR = Row("posterior_matching", "posterior matching", _CLASSIFIER_ONLY, trains=False, baseline="posterior")
# The mean of networks that start from different weights is no network that computes anything.
AVERAGING = Row(
    "averaging_weights",
    "Averaging Weights, teachers with a common start",
    ("model/averaging_weights.yaml",),
    trains=False,
    shared_start=True,
    paper=_printed(0.625, 0.450, 0.300),
)
GAUSSIAN = Row(
    "gaussian_prior", "Gaussian Prior", ("model/gaussian_prior.yaml",), pairs=1, paper=_printed(0.365, 0.110, 0.080)
)
HEAD = Row("head", "learned head", ("model/head.yaml",), shared_generators=True)
HEAD_WITH_DATA = Row(
    "head_with_data",
    "learned head, with data",
    ("model/head_with_data.yaml",),
    training_images=TRAINING_DATA,
    against="head",
)
COMPOSITE = Row(
    "composite",
    "posterior + head + reading",
    ("model/composite.yaml",),
    shared_generators=True,
    chosen={
        "sketches' temperature": "0.5, of 0.5, 1, 2 and 4",
        "weights of posterior, soft and reading": "1, 10 and 0.1 for photos, 1, 1 and 0.01 for sketches; soft of 0 to "
        "100, reading of 0 to 0.3, their share in sketches of 1, 0.3, 0.1 and 0.03; also by labels of images of the "
        "unseen classes that neither validation nor test has",
    },
)
PAPER_METHOD = _printed(0.827, 0.680, 0.400)

PUBLISHED = Table(
    "published",
    "Baselines",
    "The rows of the published table, in our reading of their names. On the test split of cifar-tuberlin 340 sketches "
    "are the queries and 9,000 photos of 9 classes the gallery (chance 0.11); on that of tinyimagenet-tuberlin 900 "
    "sketches and 2,258 photos of 45 classes (0.02). The photo teacher and the sketch teacher of a pair start from "
    "different weights, as classifiers of strangers do; a sixth baseline, Averaging Weights, needs a common start and "
    "stands in the table `common_start`. Unless a row's name says otherwise, encoders, objective, learning rates and "
    "the number of encoder steps are those of `head`. `composite` is the encoder to use, whose parts have a table of "
    "their own: it also embeds the mirror image of each image, which posterior matching does not, and "
    "`composite_posterior_alone` shows what that is worth. The published method stands in the table `method` of "
    "tinyimagenet-tuberlin. "
    "Posterior matching picks its form on labelled validation images, and a temperature for each modality. The "
    "paper's teachers all started from ImageNet's weights and knew the classes of other data: its column shows an "
    "order, and its figures do not compare with ours. Baselines of the paper that train have one teacher pair, the "
    "other rows three.",
    (
        CLASSIFIER_ONLY,
        Row(
            "uni_modal_distillation",
            "Uni-Modal Distillation",
            ("model/uni_modal_distillation.yaml",),
            shared_generators=True,
            pairs=1,
            paper=_printed(0.529, 0.291, 0.130),
        ),
        GAUSSIAN,
        Row(
            "meta_data",
            "Meta-Data",
            ("model/meta_data.yaml",),
            records=True,
            training_images=RECORDED_IMAGES,
            pairs=1,
            paper=_printed(0.573, 0.380, 0.200),
        ),
        Row(
            "alternative_data",
            "Alternative Data",
            ("model/alternative_data.yaml",),
            training_images=ALTERNATIVE_IMAGES,
            pairs=1,
            paper=_printed(0.656, 0.510, 0.290),
        ),
        POSTERIOR,
        HEAD_WITH_DATA,
        HEAD,
        COMPOSITE,
    ),
    reference="composite",
    seeds=3,
    also=("head",),
    pictures=("bars", "precision-recall", "retrieval", "pairs"),
    paper=PAPER,
)

COMMON_START = Table(
    "common_start",
    "What a common start is worth",
    "The sketch teacher of `classifier_only_common_start` and `averaging_weights` starts from the photo teacher's "
    "first weights, as the paper's teachers all start from ImageNet's: their features are then alike without any "
    "training (docs/experiments.md, 'What teachers' common start is worth'). Averaging Weights needs it, because the "
    "mean of two networks that do not start alike is no working network. The other rows are those of the table "
    "`published`.",
    (
        CLASSIFIER_ONLY,
        replace(
            CLASSIFIER_ONLY,
            name="classifier_only_common_start",
            title="Classifier Only, teachers with a common start",
            shared_start=True,
        ),
        AVERAGING,
        HEAD,
    ),
    reference="head",
    seeds=1,
    paper=PAPER,
)
