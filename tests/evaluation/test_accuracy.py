"""Accuracy of a classifier, and when it is called chance."""

import pytest
import torch
from torch import Tensor

from crossx.evaluation.accuracy import ClassifierAccuracy, classifier_accuracy

CLASSES = 10


def labels(each: int, classes: int = CLASSES) -> Tensor:
    return torch.arange(classes).repeat_interleave(each)


def answers(truth: Tensor, right: float, seed: int = 0) -> Tensor:
    """Right answers for a share of the images, and any other class for the rest."""
    g = torch.Generator().manual_seed(seed)
    others = (truth + torch.randint(1, CLASSES, truth.shape, generator=g)) % CLASSES
    return torch.where(torch.rand(truth.shape, generator=g) < right, truth, others)


def measured(predicted: Tensor, truth: Tensor, classes: int = CLASSES) -> ClassifierAccuracy:
    found = classifier_accuracy(predicted, truth, classes)
    assert found is not None
    return found


@pytest.mark.parametrize(("right", "images"), [(0, 20), (3, 30), (55, 100), (400, 400)])
def test_interval_holds_the_accuracies_that_explain_what_was_seen(right: int, images: int) -> None:
    """At each bound, what was seen is 2.576 standard deviations away: Wilson's interval of 99 %."""
    found = ClassifierAccuracy(right / images, images, CLASSES, 0.1)
    for bound in found.interval:
        deviation = (bound * (1 - bound) / images) ** 0.5
        assert abs(found.accuracy - bound) == pytest.approx(2.5758 * deviation, abs=1e-6)


def test_accuracy_and_chance_of_given_answers() -> None:
    truth, predicted = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 2, 1])
    found = measured(predicted, truth, 3)
    assert (found.accuracy, found.images, found.classes) == (0.75, 4, 3)
    assert found.chance == pytest.approx(0.5 * 0.75 + 0.25 * 0.25)


def test_nothing_is_said_without_images_or_a_choice() -> None:
    empty = torch.empty(0, dtype=torch.long)
    assert classifier_accuracy(empty, empty, CLASSES) is None
    assert classifier_accuracy(torch.zeros(5).long(), torch.zeros(5).long(), 1) is None


@pytest.mark.parametrize("each", [2, 10, 40, 300])
@pytest.mark.parametrize("kind", ["reversed", "shuffled", "one class for everything", "random"])
def test_a_teacher_that_knows_nothing_is_at_chance(kind: str, each: int) -> None:
    truth = labels(each)
    g = torch.Generator().manual_seed(3)
    predicted = {
        "reversed": CLASSES - 1 - answers(truth, 0.9),
        "shuffled": (answers(truth, 0.9) + 3) % CLASSES,
        "one class for everything": torch.full_like(truth, 4),
        "random": torch.randint(CLASSES, truth.shape, generator=g),
    }[kind]
    assert measured(predicted, truth).at_chance


def test_an_odd_list_that_is_reversed_keeps_its_middle_class() -> None:
    truth = labels(40, 9)
    found = measured(8 - truth, truth, 9)
    assert found.accuracy == pytest.approx(1 / 9)
    assert found.at_chance


@pytest.mark.parametrize("each", [1, 2, 10, 40, 300])
@pytest.mark.parametrize("right", [0.6, 0.87, 1.0])
def test_a_teacher_that_knows_something_is_not(right: float, each: int) -> None:
    truth = labels(each)
    assert not any(measured(answers(truth, right, seed), truth).at_chance for seed in range(20))


def test_two_classes_leave_room_above_chance() -> None:
    """Twice the chance is 1 there."""
    truth = labels(100, 2)
    wrong = torch.arange(200) % 5 == 0
    assert not measured(torch.where(wrong, 1 - truth, truth), truth, 2).at_chance
    assert measured(torch.where(torch.arange(200) % 2 == 0, 1 - truth, truth), truth, 2).at_chance


def test_few_images_are_no_evidence() -> None:
    assert not measured(torch.tensor([1, 2, 3]), torch.tensor([0, 0, 1])).at_chance


def test_images_of_one_class_do_not_make_every_teacher_look_ignorant() -> None:
    truth = torch.zeros(100, dtype=torch.long)
    assert not measured(answers(truth, 0.8), truth).at_chance
    assert measured(truth + 1, truth).at_chance


def test_unequal_classes_count() -> None:
    """Always naming the largest class is right for most images, and is no knowledge."""
    truth = torch.tensor([0] * 400 + [1] * 50 + [2] * 50)
    assert measured(torch.zeros_like(truth), truth, 3).at_chance
    assert not measured(truth, truth, 3).at_chance
