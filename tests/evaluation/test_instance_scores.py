"""Fine-grained measures against loops over queries and photos, with ties."""

import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.instances import InstanceScores, instance_scores

PHOTOS, QUERIES, CLASSES = 12, 40, 3


def case(seed: int) -> dict[str, Tensor]:
    """Scores of few values, so that most queries have ties; two galleries."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(PHOTOS) % CLASSES
    galleries = (torch.arange(PHOTOS) >= PHOTOS // 2).long()
    own = torch.randint(PHOTOS, (QUERIES,), generator=g)
    scores = torch.randint(-2, 3, (QUERIES, PHOTOS), generator=g).double() / 2
    return {"scores": scores, "own": own, "labels": labels, "galleries": galleries}


def measured(c: dict[str, Tensor], galleries: bool, chunk_size: int = 7) -> InstanceScores:
    own, labels = c["own"], c["labels"]
    mine, all_of_them = (c["galleries"][own], c["galleries"]) if galleries else (None, None)
    return instance_scores(lambda rows: c["scores"][rows], own, labels[own], labels, mine, all_of_them, chunk_size)


@pytest.mark.parametrize("galleries", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_those_of_a_loop(seed: int, galleries: bool) -> None:
    c = case(seed)
    found = measured(c, galleries)
    scores, own, labels = c["scores"].tolist(), c["own"].tolist(), c["labels"].tolist()
    group = c["galleries"].tolist() if galleries else [0] * PHOTOS
    assert len(set(scores[0])) < PHOTOS  # there are ties
    for q, photo in enumerate(own):
        there = [i for i in range(PHOTOS) if group[i] == group[photo]]
        of_class = [i for i in there if labels[i] == labels[photo]]
        at_least = [i for i in there if scores[q][i] >= scores[q][photo]]
        assert found.ranks[q] == len(at_least)
        assert found.class_ranks[q] == len([i for i in at_least if i in of_class])
        best = max(scores[q][i] for i in there)
        assert bool(found.class_first[q]) == all(i in of_class for i in there if scores[q][i] == best)


def test_chunks_change_nothing() -> None:
    c = case(5)
    for name in ("ranks", "class_ranks", "class_first"):
        assert torch.equal(getattr(measured(c, True, 1), name), getattr(measured(c, True, 1000), name))


def test_summary_by_hand() -> None:
    scores = InstanceScores(
        own=torch.tensor([4, 4, 4, 9]),
        label=torch.zeros(4, dtype=torch.long),
        ranks=torch.tensor([1, 2, 8, 4]),
        class_ranks=torch.tensor([1, 1, 6, 2]),
        class_first=torch.tensor([True, False, True, True]),
        photos=torch.full((4,), 10),
    )
    assert scores.summary((1, 5)) == {
        "acc_at_1": 0.25,
        "acc_at_5": 0.75,
        "mean_rank": 3.75,
        "median_rank": 3.0,
        "mrr": (1 + 0.5 + 0.125 + 0.25) / 4,
        "within_class_acc_at_1": 0.5,
        "within_class_acc_at_5": 0.75,
        "class_at_1": 0.75,
        "per_photo_acc_at_1": pytest.approx((1 / 3 + 0) / 2),
        "per_photo_acc_at_5": pytest.approx((2 / 3 + 1) / 2),
    }


def test_per_photo_is_the_mean_over_all_choices_of_one_sketch_a_photo() -> None:
    found = measured(case(1), galleries=False)
    g = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(4000):
        order = torch.randperm(QUERIES, generator=g)
        chosen = {int(found.own[q]): bool(found.ranks[q] <= 5) for q in order}  # the last one of each photo stays
        drawn.append(sum(chosen.values()) / len(chosen))
    assert found.per_photo(5) == pytest.approx(sum(drawn) / len(drawn), abs=0.005)


def test_an_own_photo_that_cannot_be_found_is_refused() -> None:
    c = case(0)
    own, labels = c["own"], c["labels"]
    with pytest.raises(InputError, match=r"own: must be a photo of the query's class, got another class for query 0"):
        instance_scores(lambda rows: c["scores"][rows], own, labels[own] + 1, labels)
    groups = (c["galleries"][own] + 1, c["galleries"])
    with pytest.raises(InputError, match="own: must be a photo of the query's gallery"):
        instance_scores(lambda rows: c["scores"][rows], own, labels[own], labels, *groups)
    with pytest.raises(InputError, match=r"^own: must be in \[0, 12\), got 12$"):
        instance_scores(lambda rows: c["scores"][rows], own.clamp(min=12), labels[own], labels)
