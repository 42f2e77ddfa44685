import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import embedding_scores
from crossx.evaluation.results import RetrievalResults, paired_bootstrap, paired_ratio


def problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    queries, gallery = torch.randn(9, 8, generator=g), torch.randn(40, 8, generator=g)
    return queries, gallery, torch.randint(3, (9,), generator=g), torch.randint(3, (40,), generator=g)


def small() -> RetrievalResults:
    """Two queries along the axes, three photos of classes 0, 1, 0, of which the last equals the second."""
    photos = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    return RetrievalResults.from_embeddings(torch.eye(2), photos, torch.tensor([0, 0]), torch.tensor([0, 1, 0]), k=2)


def test_lists_by_hand() -> None:
    results = small()
    # query 1 ties photos 1 (wrong) and 2 (right): the wrong one first
    assert results.gallery.tolist() == [[0, 1], [1, 2]]
    assert results.scores.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert results.right.tolist() == [[True, False], [False, True]]
    # query 0: right, wrong, right -> (1 + 2/3) / 2; query 1: wrong, right, right -> (1/2 + 2/3) / 2
    assert results.ap_all.tolist() == pytest.approx([5 / 6, 7 / 12], abs=1e-10)


def test_lists_are_what_the_measures_count() -> None:
    results, scores = RetrievalResults.from_embeddings(*problem(), k=7, chunk_size=4), embedding_scores(*problem())
    assert results.gallery.shape == (9, 7)
    assert torch.equal(results.ap_all, scores.ap_all)
    assert torch.equal(results.right[:, 0].double(), scores.acc_at[1])
    _, _, query_labels, gallery_labels = problem()
    assert torch.equal(results.right, gallery_labels[results.gallery] == query_labels[:, None])


def test_a_small_gallery_is_listed_whole() -> None:
    assert RetrievalResults.from_embeddings(*problem(), k=100).gallery.shape == (9, 40)


def test_worst_queries_come_first_and_those_without_value_never() -> None:
    results = replace(RetrievalResults.from_embeddings(*problem()), ap_all=torch.tensor([0.5, 0.1, torch.nan] * 3))
    assert results.worst_queries(4).tolist() == [1, 4, 7, 0]
    assert results.worst_queries(100).tolist() == [1, 4, 7, 0, 3, 6]


def test_csv_has_a_row_for_each_place(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lists.csv"
    small().to_csv(path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["query"], r["rank"], r["photo"], r["right"]) for r in rows] == [
        ("0", "1", "0", "1"),
        ("0", "2", "1", "0"),
        ("1", "1", "1", "0"),
        ("1", "2", "2", "1"),
    ]
    assert rows[0]["ap_all"] == "0.833333"
    assert rows[0]["score"] == "1.000000"
    assert [p.name for p in path.parent.iterdir()] == ["lists.csv"]


def test_csv_has_the_names_that_are_given(tmp_path: Path) -> None:
    photos = ["cup/1.jpg", "tree/9.jpg", "cup/7.jpg"]
    small().to_csv(tmp_path / "a.csv", ["cup/3.png", "tree, old/1.png"], photos)
    small().to_csv(tmp_path / "b.csv", gallery=photos)
    both, one = (list(csv.DictReader((tmp_path / f"{name}.csv").open(newline=""))) for name in "ab")
    assert [(r["query_name"], r["photo_name"]) for r in both[1:3]] == [
        ("cup/3.png", "tree/9.jpg"),
        ("tree, old/1.png", "tree/9.jpg"),
    ]
    assert [r["photo_name"] for r in both] == [photos[int(r["photo"])] for r in both]
    assert list(one[0]) == ["query", "ap_all", "rank", "photo", "score", "right", "photo_name"]
    with pytest.raises(InputError, match=r"^queries: must have a name for each of 2, got 1 names$"):
        small().to_csv(tmp_path / "a.csv", ["cup/3.png"])
    with pytest.raises(InputError, match=r"^gallery: must have a name for each of 3, got 1 names$"):
        small().to_csv(tmp_path / "a.csv", gallery=["cup/1.jpg"])


def test_a_failed_csv_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("old")

    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        small().to_csv(path)
    assert [p.name for p in tmp_path.iterdir()] == ["lists.csv"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (
            {"scores": torch.tensor([[1.0, 0.0], [0.5, 0.6]])},
            "best first, got a rising one in the list of query 1",
        ),
        ({"scores": torch.tensor([[torch.nan, 0.0], [0.5, 0.4]])}, "NaN in the list of query 0"),
        ({"gallery": torch.tensor([[3, 3], [0, 1]])}, "twice in the list of query 0"),
        ({"ap_all": torch.zeros(3)}, "shapes"),
        ({"right": torch.zeros(2, 3, dtype=torch.bool)}, "shapes"),
    ],
)
def test_inconsistent_lists_are_refused(change: dict[str, Tensor], names: str) -> None:
    with pytest.raises(InputError, match=names):
        replace(small(), **change)


def test_from_embeddings_names_mistakes() -> None:
    queries, gallery, query_labels, gallery_labels = problem()
    with pytest.raises(InputError, match="k: must be at least 1, got 0"):
        RetrievalResults.from_embeddings(queries, gallery, query_labels, gallery_labels, k=0)
    with pytest.raises(InputError, match="query_labels"):
        RetrievalResults.from_embeddings(queries, gallery, query_labels[1:], gallery_labels)


# Bootstrap.


def test_a_constant_difference_has_no_spread() -> None:
    b = torch.rand(50, generator=torch.Generator().manual_seed(0))
    assert paired_bootstrap(b + 0.25, b, samples=100) == pytest.approx((0.25, 0.25, 0.25), abs=1e-6)


def test_the_interval_is_that_of_a_normal_mean() -> None:
    # The mean of n values with standard deviation s has a 95 % interval of 1.96 s / sqrt(n) to each side.
    g = torch.Generator().manual_seed(0)
    hard = torch.rand(400, generator=g, dtype=torch.float64)
    a = hard + 0.1 * torch.randn(400, generator=g, dtype=torch.float64) + 0.02
    difference, low, high = paired_bootstrap(a, hard, samples=4000)
    half = 1.96 * float((a - hard).std()) / 20
    assert difference == pytest.approx(float((a - hard).mean()))
    assert low == pytest.approx(difference - half, abs=0.1 * half)
    assert high == pytest.approx(difference + half, abs=0.1 * half)
    # Unpaired, the spread of hard and easy queries would hide the difference.
    assert high - low < 0.5 * 2 * 1.96 * float(hard.std()) * 2**0.5 / 20


def test_the_seed_decides_and_swapping_turns_the_sign() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = torch.rand(30, generator=g), torch.rand(30, generator=g)
    one = paired_bootstrap(a, b, samples=200)
    assert one == paired_bootstrap(a, b, samples=200)
    assert one != paired_bootstrap(a, b, samples=200, seed=1)
    assert paired_bootstrap(b, a, samples=200) == pytest.approx((-one.estimate, -one.high, -one.low))


def test_queries_without_value_do_not_count() -> None:
    a, b = torch.tensor([0.5, torch.nan, 0.7]), torch.tensor([0.1, torch.nan, 0.2])
    assert paired_bootstrap(a, b, samples=50) == paired_bootstrap(a[[0, 2]], b[[0, 2]], samples=50)


def test_resampled_classes_bring_their_queries() -> None:
    """Two classes with opposite differences: every resampling is one of three means, whatever the queries say."""
    a = torch.cat([torch.full((30,), 0.9), torch.full((10,), 0.1)])
    b, classes = torch.full((40,), 0.5), torch.tensor([7] * 30 + [2] * 10)
    assert paired_bootstrap(a, b, samples=200, classes=classes) == pytest.approx((0.2, -0.4, 0.4))
    of_queries = paired_bootstrap(a, b, samples=200)
    assert -0.4 < of_queries.low < 0.2 < of_queries.high < 0.4
    # As many classes as queries: the same draws.
    assert paired_bootstrap(a, b, samples=200, classes=torch.arange(40)) == pytest.approx(of_queries)
    a[30:] = b[30:] = torch.nan  # a class whose queries do not count is not drawn
    assert paired_bootstrap(a, b, samples=200, classes=classes) == pytest.approx((0.4, 0.4, 0.4))
    with pytest.raises(InputError, match=r"classes: must have the shape of a, \(40,\), got \(39,\)"):
        paired_bootstrap(a, b, classes=classes[1:])


def test_a_ratio_is_that_of_means_of_the_same_queries() -> None:
    b = torch.rand(50, generator=torch.Generator().manual_seed(0)) + 0.1
    assert paired_ratio(1.5 * b, b, samples=100) == pytest.approx((1.5, 1.5, 1.5))  # drawn apart, it would spread
    a, b, classes = torch.tensor([0.9, 0.9, 0.1, torch.nan]), torch.tensor([0.3, 0.3, 0.2, torch.nan]), [4, 4, 1, 2]
    of_classes = paired_ratio(a, b, samples=200, classes=torch.tensor(classes))
    assert of_classes == pytest.approx((1.9 / 0.8, 0.5, 3))  # each class alone, or both
    of_queries = paired_ratio(a, b, samples=2000)
    assert of_queries == pytest.approx((1.9 / 0.8, 0.5, 3))
    assert paired_ratio(a, b, samples=200, classes=torch.arange(4)) == paired_ratio(a, b, samples=200)
    with pytest.raises(InputError, match=r"b: must be above 0, got 0\.0"):
        paired_ratio(a, b * 0)


@pytest.mark.parametrize(
    ("a", "b", "samples", "names"),
    [
        ([0.1], [0.1, 0.2], 10, "shapes"),
        ([0.1], [torch.nan], 10, "only one"),
        ([torch.nan], [torch.nan], 10, "no query"),
        ([0.1], [0.2], 0, "samples: must be at least 1, got 0"),
    ],
)
def test_bootstrap_names_mistakes(a: list[float], b: list[float], samples: int, names: str) -> None:
    with pytest.raises(InputError, match=names):
        paired_bootstrap(torch.tensor(a), torch.tensor(b), samples)
