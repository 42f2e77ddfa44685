"""The published method, CrossX-DFL (arXiv 2303.07775), from random starts and from the teachers."""

import json
from dataclasses import replace

from benchmarks.quality.rows.published import ENCODERS, HEAD, PAPER, PAPER_METHOD
from benchmarks.quality.types import Row, Table

DISCRIMINATED_IMAGES = "a classifier of training photos and sketches"


def _encoder(class_path: str, **arguments: object) -> str:
    return f"{ENCODERS[0]}={json.dumps({'class_path': class_path, 'init_args': arguments})}"


# The published critic applies the teachers' last layers to the embeddings, which are as long as the teachers' features.
PUBLISHED_HEAD = Row(
    "published_head",
    "published objective (CrossX-DFL), learned head",
    ("model/published.yaml",),
    (_encoder("TeacherHeadEncoder", dim=256, hidden=512),),
    modality=True,
    training_images=DISCRIMINATED_IMAGES,
)
_PUBLISHED = Row(
    "published",
    "published (CrossX-DFL), small networks from random starts",
    ("model/published.yaml",),
    modality=True,
    training_images=DISCRIMINATED_IMAGES,
    paper=PAPER_METHOD,
)
_FROM_TEACHERS = replace(
    _PUBLISHED,
    name="published_from_teachers",
    title="published (CrossX-DFL), networks that start from the teachers",
    argv=(_encoder("TeacherEncoder", dim=256, hidden=0, frozen_statistics=True, network_rate=0.2),),
    against=_PUBLISHED.name,
    paper={},
)

_DEPARTURES = (
    "*Teachers* are residual networks of 1.6 million parameters for 32 px that start at random and are trained on "
    "augmented images, in place of ResNet-34 from ImageNet's weights at 224 px. As in the slides there are two of "
    "one modality each; the published script with an adversary has one teacher of both.",
    "*Generators* are upsampling ones of 32 px with 32 channels, latents of 256 numbers and images in [0, 1], where "
    "sketches have one channel; published are DCGANs of 64 px and about 62 million parameters with latents of 1,000 "
    "numbers and images in [-1, 1].",
    "*Input* is resized and normalised as each network expects it; the published code shows the teachers images in "
    "[-1, 1], and the encoders images that are normalised twice, once by statistics that mix samples and channels.",
    "*Encoders* are residual networks of four stages (16 to 128 channels), and in `published_from_teachers` copies "
    "of the teachers' networks; published are two ResNet-34 from random starts. The raw embedding is a LayerNorm "
    "and a linear map of the network's features to the 256 numbers of the teachers' features; published are the 512 "
    "features themselves. In `published_from_teachers` this map starts at random, too.",
    "*Optimisers* are Adam at 0.002 (betas 0.5 and 0.999) for generators and Adam at 0.003 with a cosine for "
    "encoders; published is SGD at 0.00001 with momentum 0.9 for both, with a cosine for the encoders. The batch is "
    "128 and not 512, and training is in bfloat16 where the machine computes it.",
    "*Steps*: a quarter of the run trains generators alone, then one step of theirs takes turns with five of both "
    "encoders, each on a batch of its own; published are 2,000 times 500 steps of the generators and one of the "
    "encoders on the last batch.",
    "*Weights* are the published ones. Terms are means over the modalities where the published code has sums, so "
    "those on single images count double; the entropy is in nats (10 units of log10 are 4.34) and finite for all "
    "probabilities.",
    "*Alignment* compares classes of one name that both teachers know; published are classes of one position in two "
    "equal lists. As published, it moves the photo generator alone.",
    "*The discriminator* is a residual network of three stages and 120 steps on the benchmark's training images, in "
    "place of a ResNet-34 at 224 px.",
    "*The adversary* takes each teacher's own last layer, with encoders whose BatchNorm layers use their running "
    "statistics and do not change; published is the last layer of the teacher of both modalities, with encoders in "
    "training mode.",
    "*InfoNCE* has a queue of 128 keys that is fed, the other pairs of the batch as negatives, too, and none of the "
    "query's own class, and is the mean of both directions; the published queue keeps its random vectors, and its "
    "script with an adversary has proxies of the classes (ProxyAnchor) in place of InfoNCE.",
    "*Measured* are the last weights, over the whole gallery; the published code stops an average precision at ten "
    "hits.",
)
"""What is not as published, of slides, poster and code (commit 7e775a9)."""

METHOD = Table(
    "method",
    "The published method from two starts",
    "`published` and `published_from_teachers` have one recipe and one number of steps (2,860, as many as `student`), "
    "and differ in their encoders' networks and start. In `published_from_teachers` the teachers' networks learn at a "
    "fifth of the encoders' rate, and their BatchNorm layers keep the statistics of real images, as in `fine_tuned`. "
    "`published_head` has the objective with heads on the frozen teachers, which see their features and posteriors, "
    "for as many steps; `head` is our recipe. The rate falls to 0 by a cosine, which ends in a plateau by itself. "
    "Curves count the steps of generators and encoders together, "
    "except those of `head`, which count the encoders' alone. Departures from the published method, of which slides, "
    "poster and code (7e775a9) tell; no published script has all parts of the slides:\n\n"
    + "\n".join(f"- {departure}" for departure in _DEPARTURES),
    (_PUBLISHED, _FROM_TEACHERS, PUBLISHED_HEAD, HEAD),
    reference="head",
    seeds=1,
    pictures=("curves",),
    paper=PAPER,
)
