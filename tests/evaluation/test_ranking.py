"""Places and first photos against a ranking by Python's sort."""

import math

import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import instance_accuracy, instance_ranks, retrieval_scores
from crossx.evaluation.ranking import ScoredChunk, ScoreFunction, first_photos, right_places, scored_chunks


def table(scores: Tensor) -> ScoreFunction:
    return lambda rows: scores[rows]


def random_problem(seed: int, levels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of few levels, and so with many ties; class 5 has no photo, and classes are of unlike size."""
    g = torch.Generator().manual_seed(seed)
    scores = (torch.rand(31, 83, generator=g, dtype=torch.float64) * levels).floor() - levels / 2
    return scores, torch.randint(6, (31,), generator=g), torch.randint(5, (83,), generator=g) ** 2 // 4


def by_sorting(scores: list[float], right: list[bool]) -> list[int]:
    """Gallery positions, best first: higher scores, then wrong photos, then smaller positions."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], right[i], i))


@pytest.mark.parametrize("levels", [1, 3, 20, 10**9])
@pytest.mark.parametrize("chunk_size", [1, 7, 128])
@pytest.mark.parametrize("k", [1, 10, 83, 200])
def test_places_and_first_photos_are_those_of_the_whole_ranking(levels: int, chunk_size: int, k: int) -> None:
    scores, labels, gallery = random_problem(levels % 97, levels)
    row = 0
    for chunk in scored_chunks(table(scores), labels, gallery, chunk_size):
        found, first = right_places(chunk), first_photos(chunk, k)
        assert found.places.shape == (len(chunk.scores), int(found.relevant.max()))
        for i in range(len(chunk.scores)):
            right = (gallery == labels[row]).tolist()
            order = by_sorting(scores[row].tolist(), right)
            assert chunk.right[i].tolist() == right
            assert int(found.relevant[i]) == sum(right)
            wanted = [place for place, photo in enumerate(order, start=1) if right[photo]]
            assert found.places[i, : len(wanted)].tolist() == wanted
            assert found.counted[i].tolist() == [number < len(wanted) for number in range(found.places.shape[1])]
            assert first.gallery[i].tolist() == order[:k]
            assert first.right[i].tolist() == [right[photo] for photo in order[:k]]
            assert first.scores[i].tolist() == [float(scores[row, photo]) for photo in order[:k]]
            row += 1
    assert row == len(labels)


def test_infinite_scores_are_scores() -> None:
    # Wrong photos first among equals: the right one of minus infinity is the last of all.
    scores = torch.tensor([[-math.inf, 0.5, -math.inf, math.inf], [-math.inf, -math.inf, -math.inf, -math.inf]])
    labels, gallery = torch.tensor([0, 0]), torch.tensor([0, 0, 1, 1])
    expected = retrieval_scores(table(scores), labels, gallery)
    assert expected.ap_all.tolist() == [(1 / 2 + 2 / 4) / 2, pytest.approx((1 / 3 + 2 / 4) / 2)]
    first = first_photos(ScoredChunk(scores, (gallery == 0).expand(2, 4)), 4)
    assert first.gallery.tolist() == [[3, 1, 2, 0], [2, 3, 0, 1]]


def test_both_infinities_are_no_nan() -> None:
    scores = torch.tensor([[math.inf, -math.inf, 0.0]])
    assert retrieval_scores(table(scores), torch.tensor([0]), torch.tensor([0, 1, 1])).ap_all.tolist() == [1.0]


@pytest.mark.parametrize("levels", [1, 3, 20, 10**9])
def test_the_rank_of_the_own_photo_counts_ties(levels: int) -> None:
    scores, _, _ = random_problem(0, levels)
    own = torch.randint(83, (31,), generator=torch.Generator().manual_seed(levels % 97))
    found = instance_ranks(table(scores), own, 83, chunk_size=7)
    assert found.tolist() == [
        sum(score >= row[photo] for score in row) for row, photo in zip(scores.tolist(), own.tolist(), strict=True)
    ]
    assert instance_accuracy(found, 5) == sum(rank <= 5 for rank in found.tolist()) / 31
    with pytest.raises(InputError, match="own: must be in"):
        instance_ranks(table(scores), own, 3)


def test_nothing_relevant_is_no_number() -> None:
    found = retrieval_scores(table(torch.rand(2, 3)), torch.tensor([3, 4]), torch.arange(3))
    assert found.without_relevant == 2
    assert all(values.isnan().all() for values in (*found.per_query().values(), found.precision_at_recall))


def test_mistakes_are_named() -> None:
    labels = torch.arange(3)
    for broken in (math.nan, [0.0, math.nan, math.inf]):
        scores = torch.tensor(broken).expand(3, 3)
        with pytest.raises(InputError, match="scores: must be numbers, got NaN for a query among 0 to 2"):
            retrieval_scores(table(scores), labels, labels)
    with pytest.raises(InputError, match=r"scores: must have the shape \(3, 3\)"):
        retrieval_scores(table(torch.rand(3, 2)), labels, labels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_places() -> None:
    scores, labels, gallery = random_problem(0, 20)
    [there] = scored_chunks(table(scores.cuda()), labels.cuda(), gallery.cuda())
    [here] = scored_chunks(table(scores), labels, gallery)
    pairs = [(right_places(there), right_places(here)), (first_photos(there, 10), first_photos(here, 10))]
    assert all(torch.equal(a.cpu(), b) for found, expected in pairs for a, b in zip(found, expected, strict=True))
