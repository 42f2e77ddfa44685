"""Retrieval measures against brute force, hand-made cases and scikit-learn.

Over 300 lines, because every measure is compared with the same reference.
"""

import math
import random
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import (
    RetrievalScores,
    embedding_scores,
    retrieval_scores,
)
from crossx.evaluation.measures import average_precision, precision_at, precision_at_recall
from crossx.evaluation.ranking import (
    RightPlaces,
    ScoredChunk,
    ScoreFunction,
    cosine_scores,
    first_photos,
    right_places,
    scored_chunks,
)


def table(scores: list[list[float]]) -> ScoreFunction:
    """Scores that are simply given."""
    values = torch.tensor(scores, dtype=torch.float64)
    return lambda rows: values[rows]


def ranked(right: Tensor) -> RightPlaces:
    """Places in ranked lists whose order is given, best place first, (B, G) bool."""
    return right_places(ScoredChunk(-torch.arange(right.shape[1]).double().expand(right.shape), right))


def problem(
    queries: int = 23, gallery: int = 57, classes: int = 4, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random embeddings and labels: (Q, D), (G, D), (Q,), (G,)."""
    g = torch.Generator().manual_seed(seed)
    return (
        torch.randn(queries, 16, generator=g),
        torch.randn(gallery, 16, generator=g),
        torch.randint(classes, (queries,), generator=g),
        torch.randint(classes, (gallery,), generator=g),
    )


def assert_same(a: RetrievalScores, b: RetrievalScores) -> None:
    assert torch.equal(a.label, b.label)
    assert torch.equal(a.relevant, b.relevant)
    ours, theirs = a.per_query(), b.per_query()
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert torch.equal(values.nan_to_num(-1.0), theirs[name].nan_to_num(-1.0)), name


# Hand-made lists of six photos.


@pytest.mark.parametrize(
    ("right", "ap", "ap_at_2"),
    [
        ([1, 1, 0, 0, 0, 0], 1.0, 1.0),
        ([1, 0, 1, 0, 0, 0], (1 / 1 + 2 / 3) / 2, (1 / 1) / 2),  # min(2, R) = 2
        ([0, 0, 0, 0, 0, 1], 1 / 6, 0.0),
        ([0, 1, 0, 1, 1, 0], (1 / 2 + 2 / 4 + 3 / 5) / 3, (1 / 2) / 2),  # min(2, 3) = 2
        ([0, 1, 0, 0, 0, 0], 1 / 2, 1 / 2),  # min(2, 1) = 1
    ],
)
def test_average_precision_by_hand(right: list[int], ap: float, ap_at_2: float) -> None:
    found = ranked(torch.tensor([right], dtype=torch.bool))
    assert float(average_precision(found)) == pytest.approx(ap, abs=1e-10)
    assert float(average_precision(found, depth=2)) == pytest.approx(ap_at_2, abs=1e-10)


def test_perfect_ranking_is_exactly_one() -> None:
    found = ranked((torch.arange(1000) < 333)[None])
    assert float(average_precision(found)) == 1.0
    assert float(average_precision(found, depth=200)) == 1.0


def test_precision_by_hand_and_beyond_the_gallery() -> None:
    found = ranked(torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.bool))
    assert precision_at(found, 1)[0] == 1.0
    assert precision_at(found, 3)[0] == 2 / 3
    assert precision_at(found, 8)[0] == 2 / 8  # h_k / k, although there are only 4 photos
    assert precision_at(found, 3)[1].isnan()


def test_all_measures_by_hand() -> None:
    # query 0 (class 0): 0.9 wrong, 0.8 right, 0.7 right, 0.1 wrong -> AP (1/2 + 2/3) / 2 = 7/12
    # query 1 (class 1): 0.6 wrong, 0.5 wrong, 0.4 right, -0.2 right -> AP (1/3 + 2/4) / 2 = 5/12
    # query 2 (class 0): right, right first -> AP 1
    scores = table([[0.8, 0.7, 0.9, 0.1], [0.6, 0.5, 0.4, -0.2], [0.4, 0.3, 0.2, 0.1]])
    result = retrieval_scores(scores, torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1, 1]), prec_at=(1, 2))
    summary = result.summary()
    assert list(summary) == ["map_all", "map_at_200", "prec_at_1", "prec_at_2", "acc_at_1", "map_all_macro"]
    assert summary["map_all"] == pytest.approx((7 / 12 + 5 / 12 + 1) / 3, abs=1e-10)
    assert summary["map_at_200"] == summary["map_all"]
    assert summary["prec_at_2"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert summary["prec_at_1"] == summary["acc_at_1"] == pytest.approx(1 / 3)
    # class 0: (7/12 + 1) / 2 = 19/24; class 1: 5/12; two queries against one do not weigh more
    assert summary["map_all_macro"] == pytest.approx((19 / 24 + 5 / 12) / 2, abs=1e-10)


def test_accuracy_asks_for_one_right_photo_among_the_first_k() -> None:
    # the best places of right photos: 2, 3, 1, and none in the gallery
    scores = table([[0.8, 0.7, 0.9, 0.1], [0.6, 0.5, 0.4, -0.2], [0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]])
    result = retrieval_scores(scores, torch.tensor([0, 1, 0, 7]), torch.tensor([0, 0, 1, 1]), acc_at=(1, 2, 3, 9))
    summary = result.over_queries()
    found = [summary[f"acc_at_{k}"] for k in (1, 2, 3, 9)]
    assert found == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert result.acc_at[9][3].isnan()


def test_default_names() -> None:
    assert list(embedding_scores(*problem()).summary()) == [
        "map_all",
        "map_at_200",
        "prec_at_50",
        "prec_at_100",
        "prec_at_200",
        "acc_at_1",
        "map_all_macro",
    ]


# Independent oracles.


def test_agrees_with_scikit_learn_without_ties() -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    result = embedding_scores(queries, gallery, query_labels, gallery_labels)
    cosine = F.normalize(queries.double(), dim=1) @ F.normalize(gallery.double(), dim=1).T
    for i, label in enumerate(query_labels):
        expected = average_precision_score((gallery_labels == label).numpy(), cosine[i].numpy())
        assert float(result.ap_all[i]) == pytest.approx(expected, abs=1e-9)


def brute_force(scores: list[float], right: list[bool], k: int) -> tuple[float, float, float]:
    """AP, AP at k and precision at k in plain Python, ties pessimistic."""
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], right[i], i))
    hits, total, total_at_k, hits_at_k = 0, 0.0, 0.0, 0
    for place, i in enumerate(ranked, start=1):
        if right[i]:
            hits += 1
            total += hits / place
            if place <= k:
                total_at_k += hits / place
                hits_at_k += 1
    return total / hits, total_at_k / min(k, hits), hits_at_k / k


def test_agrees_with_brute_force_with_many_ties_and_a_gallery_above_200() -> None:
    rng = random.Random(0)  # noqa: S311 - a test's numbers
    gallery_labels = [rng.randrange(2) for _ in range(450)]
    query_labels = [rng.randrange(2) for _ in range(12)]
    scores = [[rng.randrange(-6, 6) / 4 for _ in gallery_labels] for _ in query_labels]
    result = retrieval_scores(table(scores), torch.tensor(query_labels), torch.tensor(gallery_labels), chunk_size=5)
    for i, label in enumerate(query_labels):
        ap, ap_at_200, prec = brute_force(scores[i], [g == label for g in gallery_labels], 200)
        assert float(result.ap_all[i]) == pytest.approx(ap, abs=1e-9)
        assert float(result.ap_at_200[i]) == pytest.approx(ap_at_200, abs=1e-9)
        assert float(result.prec_at[200][i]) == pytest.approx(prec, abs=1e-12)


# Ties, signs and order.


def test_ties_put_wrong_photos_first_then_the_smaller_position() -> None:
    scores = table([[0.5, 0.5, 0.5, 0.9, 0.5]])
    (chunk,) = scored_chunks(scores, torch.tensor([7]), torch.tensor([7, 1, 7, 1, 1]))
    first = first_photos(chunk, 5)
    assert first.gallery.tolist() == [[3, 1, 4, 0, 2]]
    assert first.right.tolist() == [[False, False, False, True, True]]
    assert first.scores.tolist() == [[0.9, 0.5, 0.5, 0.5, 0.5]]
    assert right_places(chunk).places.tolist() == [[4, 5]]


def test_one_embedding_for_all_images_is_worse_than_chance() -> None:
    # Ties by index would give 0.21 here, because the gallery is stored class by class.
    classes, each = 10, 100
    result = embedding_scores(
        torch.ones(classes, 8),
        torch.ones(classes * each, 8),
        torch.arange(classes),
        torch.arange(classes).repeat_interleave(each),
    )
    assert result.over_queries()["map_all"] < 1 / classes
    assert result.over_queries()["acc_at_1"] == 0.0


def test_accuracy_counts_ties_against_the_query() -> None:
    scores = table([[0.9, 0.5, 0.1], [0.5, 0.5, 0.1], [-0.3, -0.2, -0.1]])
    result = retrieval_scores(scores, torch.zeros(3).long(), torch.tensor([0, 1, 2]), acc_at=(1, 2, 3), chunk_size=2)
    assert [result.acc_at[k].tolist() for k in (1, 2, 3)] == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_minus_zero_is_zero() -> None:
    result = retrieval_scores(table([[0.0, -0.0]]), torch.tensor([1]), torch.tensor([1, 0]))
    assert float(result.ap_all) == 0.5  # a tie: the wrong photo first


@pytest.mark.parametrize("change", [lambda s: s - 10.0, lambda s: -1.0 / (s + 2.0), torch.exp])
def test_only_the_order_of_scores_counts_whatever_their_sign(change: Callable[[Tensor], Tensor]) -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    scores = cosine_scores(queries, gallery)
    plain = retrieval_scores(scores, query_labels, gallery_labels)
    assert_same(plain, retrieval_scores(lambda rows: change(scores(rows)), query_labels, gallery_labels))


def test_order_of_the_gallery_and_of_the_queries_does_not_matter() -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    gallery = torch.cat([gallery, gallery])  # every photo has an equal, half of them of another class
    gallery_labels = torch.cat([gallery_labels, gallery_labels.flip(0)])
    plain = embedding_scores(queries, gallery, query_labels, gallery_labels)
    g = torch.Generator().manual_seed(1)
    photos, sketches = torch.randperm(len(gallery), generator=g), torch.randperm(len(queries), generator=g)
    shuffled = embedding_scores(queries[sketches], gallery[photos], query_labels[sketches], gallery_labels[photos])
    assert_same(plain.select(sketches), shuffled)


# Chunks.


@pytest.mark.parametrize("chunk_size", [1, 2, 7, 22, 23, 1000])
def test_chunks_change_no_bit(chunk_size: int) -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    gallery = torch.cat([gallery, gallery[:20]])  # equal photos must stay equal in every chunk
    gallery_labels = torch.cat([gallery_labels, gallery_labels[:20].flip(0)])
    full = embedding_scores(queries, gallery, query_labels, gallery_labels)
    assert_same(full, embedding_scores(queries, gallery, query_labels, gallery_labels, chunk_size=chunk_size))


def test_cosine_has_the_same_bits_in_every_order_of_summing() -> None:
    queries, gallery, *_ = problem()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(2))
    rows = torch.arange(len(queries))
    plain = cosine_scores(queries, gallery)(rows)
    assert torch.equal(plain, torch.stack([cosine_scores(queries, gallery)(rows[i : i + 1])[0] for i in rows]))
    mirrored = cosine_scores(gallery, queries)(torch.arange(len(gallery))).T
    assert torch.equal(plain, mirrored)
    # Which entry is summed first moves the norm's last bit and so at most the rounding, never the sum.
    assert torch.allclose(plain, cosine_scores(queries[:, order], gallery[:, order])(rows), rtol=0, atol=1e-7)
    expected = F.cosine_similarity(queries.double()[:, None], gallery.double()[None], dim=2)
    assert torch.allclose(plain, expected, rtol=0, atol=1e-7)


def test_scores_are_asked_for_a_chunk_at_a_time() -> None:
    asked: list[int] = []

    def scores(rows: Tensor) -> Tensor:
        asked.append(len(rows))
        return torch.zeros(len(rows), 3)

    retrieval_scores(scores, torch.zeros(7).long(), torch.zeros(3).long(), chunk_size=3)
    assert asked == [3, 3, 1]


# Queries without a relevant photo.


def test_a_query_without_relevant_photo_is_counted_but_in_no_mean() -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    plain = embedding_scores(queries, gallery, query_labels, gallery_labels)
    more = embedding_scores(
        torch.cat([queries, queries[:2]]), gallery, torch.cat([query_labels, torch.tensor([99, 98])]), gallery_labels
    )
    assert more.without_relevant == 2
    assert plain.without_relevant == 0
    assert more.ap_all[-2:].isnan().all()
    assert more.summary() == plain.summary()


def test_means_are_nan_when_no_query_counts() -> None:
    result = embedding_scores(torch.ones(1, 4), torch.ones(2, 4), torch.tensor([0]), torch.tensor([1, 1]))
    assert all(math.isnan(value) for value in result.summary().values())


def test_select_by_mask_gives_the_measures_of_these_queries_alone() -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    wanted = query_labels < 2
    part = embedding_scores(queries, gallery, query_labels, gallery_labels).select(wanted)
    assert_same(part, embedding_scores(queries[wanted], gallery, query_labels[wanted], gallery_labels))


# Mistakes.

LABELS = torch.tensor([0, 1])
EYE = torch.eye(2)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: embedding_scores(EYE, EYE, LABELS[:1], LABELS), "query_labels"),
        (lambda: embedding_scores(EYE, EYE, LABELS, LABELS[:1]), "gallery_labels"),
        (lambda: embedding_scores(EYE, torch.eye(3)[:2], LABELS, LABELS), "width 2"),
        (lambda: embedding_scores(EYE[:0], EYE, LABELS[:0], LABELS), "queries"),
        (lambda: embedding_scores(EYE, EYE[0], LABELS, LABELS), "gallery"),
        (lambda: embedding_scores(EYE * torch.nan, EYE, LABELS, LABELS), "2 of 2"),
        (lambda: embedding_scores(EYE, EYE, LABELS, LABELS, chunk_size=0), "chunk_size"),
        (lambda: embedding_scores(EYE, EYE, LABELS, LABELS, prec_at=(0,)), "prec_at"),
        (lambda: embedding_scores(EYE, EYE, LABELS, LABELS, acc_at=(1, -1)), "acc_at"),
        (lambda: retrieval_scores(lambda rows: EYE[rows] * torch.nan, LABELS, LABELS), "NaN"),
        (lambda: retrieval_scores(lambda rows: EYE[rows, :1], LABELS, LABELS), "shape"),
        (lambda: retrieval_scores(lambda rows: EYE[rows], LABELS[:0], LABELS), "0 queries"),
    ],
)
def test_mistakes_are_named(call: Callable[[], object], names: str) -> None:
    with pytest.raises(InputError, match=names):
        call()


def test_imports_neither_lightning_nor_torchmetrics() -> None:
    code = (
        "import sys, crossx.evaluation.functional\n"
        "print([m for m in ('lightning', 'torchmetrics', 'torchvision') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_bits() -> None:
    queries, gallery, query_labels, gallery_labels = problem(queries=50, gallery=700)
    on_gpu = embedding_scores(queries.cuda(), gallery.cuda(), query_labels.cuda(), gallery_labels.cuda())
    assert_same(on_gpu, embedding_scores(queries, gallery, query_labels, gallery_labels))


def test_precision_at_recall_is_the_best_behind_it() -> None:
    """Against the definition, place by place; no relevant photo, one, and all."""
    generator = torch.Generator().manual_seed(0)
    lists = torch.rand(40, 37, generator=generator) < torch.rand(40, 1, generator=generator)
    lists[0], lists[1] = False, True
    lists[2] = torch.arange(37) == 30
    recalls = (0.0, 0.1, 0.25, 0.5, 0.7, 1.0)
    found = precision_at_recall(ranked(lists), recalls)
    assert found.shape == (40, 6)
    assert found[0].isnan().all()
    assert (found[1] == 1).all()
    torch.testing.assert_close(found[2], torch.full((6,), 1 / 31, dtype=torch.float64))
    for row, right in enumerate(lists.tolist()):
        relevant = sum(right)
        for column, recall in enumerate(recalls):
            reached = [
                sum(right[:place]) / place
                for place in range(1, 38)
                if relevant and Fraction(sum(right[:place]), relevant) >= Fraction(str(recall)) and sum(right[:place])
            ]
            if relevant:
                assert float(found[row, column]) == pytest.approx(max(reached), abs=1e-12)


def test_precision_at_recall_is_measured_with_the_rest() -> None:
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.6]])
    found = retrieval_scores(lambda rows: scores[rows], torch.tensor([1]), torch.tensor([1, 0, 1, 0]))
    expected = torch.tensor([[1.0] * 6 + [2 / 3] * 5], dtype=torch.float64)
    torch.testing.assert_close(found.precision_at_recall, expected)
    torch.testing.assert_close(found.select(torch.tensor([0])).precision_at_recall, expected)
