"""The pen with which sketches are most legible, for teachers that learned another pen, and legibility by itself."""

from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.inspection.pen_fit import LEAST, fit_pen, legibility, predict
from crossx.inspection.predictions import mutual_information, summarise
from crossx.networks.base import Network
from crossx.pixels.pen import FINER, Pen
from crossx.teachers.teacher import FrozenTeacher, load_teacher

SKETCHES = ShapesDataset(validation=4).images("sketch", "validation")
LABELS = torch.tensor(SKETCHES.labels)


class Inverting(Network):
    """A classifier of light lines on black: the shipped one behind an inversion of its normalised images."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.num_features, self.num_classes = network.num_features, network.num_classes

    def pooled(self, x: Tensor) -> Tensor:
        return self.network.pooled(-x)  # mean and std are 0.5: 1 - image

    def classify(self, features: Tensor) -> Tensor:
        return self.network.classify(features)


def shipped() -> FrozenTeacher:
    return load_teacher("crossx:assets/shapes_sketch.safetensors")


def as_drawn() -> Tensor:
    return torch.stack([SKETCHES.image(i) for i in range(len(SKETCHES))]) / 255


def fine(thin: int = 0) -> list[Tensor]:
    """The sketches at the resolution at which they are redrawn, with lines that are thinner on each side."""
    images = [SKETCHES.read(i, FINER) for i in range(len(SKETCHES))]
    if thin:
        window = 2 * thin + 1
        images = [torch.nn.functional.max_pool2d(i.float(), window, 1, thin).byte() for i in images]
    return images


def accuracy(teacher: FrozenTeacher, images: Tensor) -> float:
    found = summarise(predict(teacher, images), LABELS).accuracy
    assert found is not None
    return found.accuracy


def redrawn(pen: Pen, sketches: list[Tensor]) -> Tensor:
    return torch.stack([pen.redraw(sketch) for sketch in sketches]) / 255


def test_a_teacher_of_these_very_sketches_keeps_them_as_they_are() -> None:
    fit = fit_pen(shipped(), fine(), as_drawn())
    assert fit.pen == Pen()
    assert fit.fitted == fit.as_drawn > 1


@pytest.mark.parametrize("first", [0, 2, 4])
def test_sketches_of_some_classes_alone_are_no_reason_for_a_pen(first: int) -> None:
    some = torch.isin(LABELS, torch.arange(first, first + 6)).nonzero().flatten().tolist()
    sketches = fine()
    fit = fit_pen(shipped(), [sketches[i] for i in some], as_drawn()[some])
    assert fit.pen == Pen()
    assert fit.fitted == fit.as_drawn > 1


def test_a_teacher_of_light_lines_on_black() -> None:
    teacher = shipped()
    inverting = FrozenTeacher(Inverting(teacher.network), replace(teacher.card, network="tests.Inverting"))
    assert accuracy(inverting, as_drawn()) < 0.4
    fit = fit_pen(inverting, fine(), as_drawn())
    assert fit.pen.white_on_black
    assert accuracy(inverting, redrawn(fit.pen, fine())) > 0.95 * accuracy(teacher, as_drawn())


def test_lines_too_thin_for_the_teacher() -> None:
    thin = fine(thin=2)
    before = torch.stack([torch.nn.functional.interpolate(i[None].float(), (32, 32), mode="area")[0] for i in thin])
    teacher = shipped()
    fit = fit_pen(teacher, thin, before / 255)
    assert fit.pen.line_width > 0
    assert not fit.pen.white_on_black
    assert fit.fitted > fit.as_drawn + 0.2
    assert accuracy(teacher, redrawn(fit.pen, thin)) > accuracy(teacher, before / 255) + 0.15


def logits_of(*posteriors: list[float]) -> Tensor:
    """Logits whose softmax at temperature 0.5 gives these posteriors."""
    return torch.tensor(posteriors, dtype=torch.float64).clamp_min(1e-300).log() / 2


def test_legibility_by_hand() -> None:
    sure = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    assert legibility(logits_of(*sure)) == pytest.approx(2 * log(2))
    assert legibility(logits_of(sure[0], sure[0])) == pytest.approx(0, abs=1e-12)
    # Unsure of everything: the mean is as wide as each one.
    assert legibility(torch.zeros(3, 4)) == pytest.approx(2 * log(4) - log(4))
    # Mean (1/2, 1/4, 1/4); entropies log 2 and log 2.
    half = [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]
    assert legibility(logits_of(*half)) == pytest.approx(2 * (0.5 * log(2) + 0.5 * log(4)) - log(2))
    # Odds of 2 become odds of 4 at temperature 0.5; the mean of both is even.
    odds = torch.tensor([[log(2), 0.0], [0.0, log(2)]])
    assert legibility(odds) == pytest.approx(2 * log(2) + 0.8 * log(0.8) + 0.2 * log(0.2), abs=1e-6)


def test_collapsed_predictions_are_less_legible_however_confident() -> None:
    """A teacher that is certain of two classes, and one that is less certain of eight."""
    certain = 20 * torch.eye(8)[torch.arange(64) % 2]
    spread = 1.5 * torch.eye(8)[torch.arange(64) % 8]
    assert legibility(certain) < legibility(spread)
    assert mutual_information(certain) > mutual_information(spread), "which plain mutual information has the other way"
    assert 0 <= legibility(certain) <= legibility(20 * torch.eye(8)) <= 2 * log(8) + 1e-9


def test_too_few_sketches() -> None:
    with pytest.raises(InputError, match=rf"^number of sketches: must be at least {LEAST}, got 3"):
        fit_pen(shipped(), fine()[:3], as_drawn()[:3])
