"""The benchmarks of pens compare pens on equal terms, and measure what `crossx test` measures."""

import pytest
import torch

from benchmarks.pens.bitmap_network import SIZE, BitmapNetwork
from benchmarks.pens.bitmaps import CLASSES, TEST, VALIDATION, tuberlin
from benchmarks.pens.drawings import AS_DRAWN, WITH_LABELS, WITHOUT_LABELS, Drawings
from benchmarks.pens.retrieval import BY_HAND, measure
from crossx.data.shapes.dataset import ShapesDataset
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.posterior import best_posterior
from crossx.inspection.pen_fit import predict
from crossx.pixels.pen import Pen
from crossx.teachers.teacher import load_teacher


def test_pens_are_compared_by_posterior_matching_on_test_images() -> None:
    photo, sketch = (load_teacher(f"crossx:assets/shapes_{modality}.safetensors") for modality in ("photo", "sketch"))
    data = ShapesDataset(validation=3, test=2)
    rows = {row.name: row for row in measure(photo, sketch, data)}
    assert list(rows) == [AS_DRAWN, WITHOUT_LABELS, WITH_LABELS, "by hand"]
    assert (rows[AS_DRAWN].pen, rows["by hand"].pen) == (Pen(), BY_HAND)
    logits = {}
    for split in ("validation", "test"):
        for modality, teacher in (("photo", photo), ("sketch", sketch)):
            images = data.images(modality, split)  # type: ignore[arg-type]  # of the two literals
            pixels = torch.stack([images[i].image for i in range(len(images))])
            logits[split, modality] = predict(teacher, pixels), torch.tensor(images.labels)
    (queries, labels), (gallery, classes) = logits["validation", "sketch"], logits["validation", "photo"]
    choice = best_posterior(queries, gallery, labels, classes)
    (queries, labels), (gallery, classes) = logits["test", "sketch"], logits["test", "photo"]
    expected = retrieval_scores(choice.score(queries, gallery), labels, classes).over_queries()["map_all"]
    assert rows[AS_DRAWN].score == pytest.approx(expected, abs=1e-6)


def test_some_are_spread_over_all() -> None:
    images = ShapesDataset(validation=3).images("sketch", "validation")
    drawings = Drawings.of(images)
    few = drawings.some(10)
    assert few.labels.tolist() == list(range(10))
    assert torch.equal(few.drawn[1], drawings.drawn[3])
    assert torch.equal(few.fine[1], drawings.fine[3])
    assert torch.equal(drawings.with_pen(Pen()), drawings.drawn)
    pen = Pen(darkness=0.5)
    assert torch.equal((255 * drawings.with_pen(pen)[0]).round().byte(), pen.redraw(drawings.fine[0]))


def test_network_of_bitmaps() -> None:
    network = BitmapNetwork(3)
    assert network(torch.zeros(2, 1, SIZE, SIZE)).shape == (2, 3)
    assert BitmapNetwork()(torch.zeros(2, 1, SIZE, SIZE)).shape == (2, network.num_features)
    assert not [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]


def test_sketches_that_choose_a_pen_are_not_those_that_are_measured() -> None:
    assert not set(VALIDATION) & set(TEST)
    sketches = tuberlin(range(50, 51))
    assert sketches.labels.tolist() == list(range(len(CLASSES)))
    assert sketches.drawn.shape == (len(CLASSES), 3, SIZE, SIZE)
    assert sketches.drawn.mean() > 0.8  # dark lines on white
