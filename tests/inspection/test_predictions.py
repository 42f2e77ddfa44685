"""Mutual information, spread and accuracy of predictions, on predictions whose values are known."""

from math import log

import pytest
import torch

from crossx.inspection.predictions import mutual_information, summarise


def sure(*classes: int, of: int = 4) -> torch.Tensor:
    """Logits of predictions that are certain."""
    return 1000 * torch.nn.functional.one_hot(torch.tensor(classes), of).float()


def test_different_certain_predictions_have_all_the_information() -> None:
    assert mutual_information(sure(0, 1, 2, 3)) == pytest.approx(log(4))
    assert mutual_information(sure(0, 1, 0, 1)) == pytest.approx(log(2))


def test_a_classifier_that_is_sure_of_one_class_knows_nothing() -> None:
    assert mutual_information(sure(2, 2, 2)) == pytest.approx(0)


def test_an_undecided_classifier_knows_nothing() -> None:
    assert mutual_information(torch.zeros(5, 4)) == pytest.approx(0)


def test_by_the_definition() -> None:
    logits = torch.randn(30, 7, generator=torch.Generator().manual_seed(0))
    p = torch.softmax(logits.double(), 1)
    mean = p.mean(0)
    by_sum = float((p * (p / mean).log()).sum(1).mean())  # mean Kullback-Leibler divergence from the mean
    assert mutual_information(logits) == pytest.approx(by_sum)


def test_summary_without_labels() -> None:
    summary = summarise(sure(0, 1, 0, 1))
    assert (summary.images, summary.confidence, summary.accuracy) == (4, 1.0, None)
    assert summary.spread == pytest.approx(2)


def test_accuracy_of_the_images_whose_class_is_known() -> None:
    summary = summarise(sure(0, 1, 1, 3), torch.tensor([0, 1, 0, -1]))
    assert summary.accuracy is not None
    assert (summary.accuracy.images, summary.accuracy.classes) == (3, 2)
    assert summary.accuracy.accuracy == pytest.approx(2 / 3)


def test_no_accuracy_where_no_class_is_known() -> None:
    assert summarise(sure(0, 1), torch.tensor([-1, -1])).accuracy is None
