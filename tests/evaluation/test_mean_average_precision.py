"""mAP@all alone against the value of all measures, to the last bit."""

import math

import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.mean_average_precision import mean_average_precision
from crossx.evaluation.ranking import ScoreFunction, rank, right_places


def table(scores: Tensor) -> ScoreFunction:
    return lambda rows: scores[rows]


def random_problem(seed: int, levels: int) -> tuple[ScoreFunction, Tensor, Tensor]:
    """Scores of few levels, and so with many ties; class 5 has no photo, and classes are of unlike size."""
    g = torch.Generator().manual_seed(seed)
    scores = (torch.rand(31, 83, generator=g, dtype=torch.float64) * levels).floor() - levels / 2
    return table(scores), torch.randint(6, (31,), generator=g), torch.randint(5, (83,), generator=g) ** 2 // 4


@pytest.mark.parametrize("levels", [1, 3, 20, 10**9])
@pytest.mark.parametrize("chunk_size", [1, 7, 128])
def test_equals_all_measures_to_the_last_bit(levels: int, chunk_size: int) -> None:
    for seed in range(5):
        problem = random_problem(seed, levels)
        expected = retrieval_scores(*problem).over_queries()["map_all"]
        assert mean_average_precision(*problem, chunk_size=chunk_size) == expected


def test_places_are_those_of_the_ranking() -> None:
    problem = random_problem(0, 4)
    expected = torch.cat([chunk.right for chunk in rank(*problem)])
    [(relevant, places)] = right_places(*problem)
    assert relevant.tolist() == expected.sum(1).tolist()
    assert places.shape == (31, int(relevant.max()))
    for right, count, found in zip(expected, relevant.tolist(), places, strict=True):
        assert found[:count].tolist() == (right.nonzero()[:, 0] + 1).tolist()


def test_infinite_scores_are_scores() -> None:
    # Wrong photos first among equals: the right one of minus infinity is the last of all.
    scores = torch.tensor([[-math.inf, 0.5, -math.inf, math.inf], [-math.inf, -math.inf, -math.inf, -math.inf]])
    labels, gallery = torch.tensor([0, 0]), torch.tensor([0, 0, 1, 1])
    expected = retrieval_scores(table(scores), labels, gallery)
    assert expected.ap_all.tolist() == [(1 / 2 + 2 / 4) / 2, pytest.approx((1 / 3 + 2 / 4) / 2)]
    assert mean_average_precision(table(scores), labels, gallery) == expected.over_queries()["map_all"]


def test_nothing_relevant_is_no_number() -> None:
    assert math.isnan(mean_average_precision(table(torch.rand(2, 3)), torch.tensor([3, 4]), torch.arange(3)))


def test_mistakes_are_named() -> None:
    labels = torch.arange(3)
    with pytest.raises(InputError, match="scores: must be numbers, got NaN for a query among 0 to 2"):
        mean_average_precision(table(torch.full((3, 3), torch.nan)), labels, labels)
    with pytest.raises(InputError, match=r"scores: must have the shape \(3, 3\)"):
        mean_average_precision(table(torch.rand(3, 2)), labels, labels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_bits() -> None:
    scores, labels, gallery = random_problem(0, 20)
    on_gpu = mean_average_precision(lambda rows: scores(rows).cuda(), labels.cuda(), gallery.cuda())
    assert on_gpu == mean_average_precision(scores, labels, gallery)
