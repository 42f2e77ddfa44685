from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.posterior import (
    TEMPERATURES,
    PosteriorChoice,
    PosteriorForm,
    best_posterior,
    features_scores,
    posterior_scores,
)

ROWS = torch.arange(2)


def logits_of(posterior: list[list[float]]) -> Tensor:
    return torch.tensor(posterior, dtype=torch.float64).log()


QUERY = logits_of([[0.9, 0.1], [0.5, 0.5]])
GALLERY = logits_of([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])


def test_dot_product_by_hand() -> None:
    # 0.9*0.8 + 0.1*0.2 = 0.74, 0.9*0.3 + 0.1*0.7 = 0.34, 0.5; an undecided sketch gives 0.5 everywhere
    scores = posterior_scores(QUERY, GALLERY, "dot")(ROWS)
    assert torch.allclose(scores, torch.tensor([[0.74, 0.34, 0.5], [0.5, 0.5, 0.5]], dtype=torch.float64))


def test_bhattacharyya_is_one_for_equal_posteriors_only() -> None:
    scores = posterior_scores(GALLERY, GALLERY, "bhattacharyya")(torch.arange(3))
    assert torch.allclose(scores.diagonal(), torch.ones(3, dtype=torch.float64))
    assert (scores[~torch.eye(3, dtype=torch.bool)] < 0.99).all()
    # sqrt(0.8*0.3) + sqrt(0.2*0.7)
    assert float(scores[0, 1]) == pytest.approx(0.24**0.5 + 0.14**0.5)


def test_temperature_divides_the_logits() -> None:
    for form in ("dot", "bhattacharyya"):
        softened = posterior_scores(QUERY, GALLERY, form, photo_temperature=2.0, sketch_temperature=2.0)(ROWS)
        assert torch.allclose(softened, posterior_scores(QUERY / 2, GALLERY / 2, form)(ROWS))
        assert not torch.allclose(softened, posterior_scores(QUERY, GALLERY, form)(ROWS))


@pytest.mark.parametrize("form", ["dot", "bhattacharyya"])
def test_each_side_has_its_own_temperature(form: PosteriorForm) -> None:
    of_photos = PosteriorChoice(form, photo_temperature=2.0).score(QUERY, GALLERY)(ROWS)
    assert torch.allclose(of_photos, posterior_scores(QUERY, GALLERY / 2, form)(ROWS))
    of_sketches = PosteriorChoice(form, sketch_temperature=0.5).score(QUERY, GALLERY)(ROWS)
    assert torch.allclose(of_sketches, posterior_scores(QUERY * 2, GALLERY, form)(ROWS))
    assert not torch.allclose(of_photos, of_sketches)


def test_a_sharper_sketch_by_hand() -> None:
    # A sketch of 0.9 : 0.1 at temperature 0.5 is 0.81 : 0.01, 81/82 : 1/82; the photo stays 0.8 : 0.2.
    scores = posterior_scores(QUERY, GALLERY, "dot", sketch_temperature=0.5)(ROWS)
    assert float(scores[0, 0]) == pytest.approx((81 * 0.8 + 0.2) / 82)


def test_logit_cosine_is_the_cosine_at_any_temperature() -> None:
    g = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(2, 6, generator=g), torch.randn(5, 6, generator=g)
    scores = posterior_scores(query, gallery, "logit_cosine")(ROWS)
    expected = F.cosine_similarity(query.double()[:, None], gallery.double()[None], dim=2)
    assert torch.allclose(scores, expected, rtol=0, atol=1e-7)
    assert torch.equal(scores, posterior_scores(query, gallery, "logit_cosine", 4.0, 0.5)(ROWS))


def test_sharp_posteriors_are_told_apart() -> None:
    # In float32 both are exactly 1 for class 0.
    query, gallery = torch.tensor([[20.0, 0.0]]), torch.tensor([[25.0, 0.0], [22.0, 0.0]])
    assert torch.equal(gallery.softmax(dim=1)[:, 0], torch.ones(2))
    scores = posterior_scores(query, gallery)(torch.tensor([0]))
    assert scores[0, 0] > scores[0, 1]


def test_features_are_compared_by_cosine() -> None:
    query, gallery = torch.tensor([[1.0, 0.0]]), torch.tensor([[5.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    assert features_scores(query, gallery)(torch.tensor([0])).tolist() == [[1.0, 0.0, -1.0]]
    with pytest.raises(InputError, match="2 and the photo teacher 3"):
        features_scores(query, torch.eye(3))


def labelled_logits(noise: float, seed: int, sharp: float = 3.0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(4).repeat(10)
    return sharp * F.one_hot(labels).float() + noise * torch.randn(40, 4, generator=g), labels


@pytest.mark.parametrize(
    ("form", "photo", "sketch"),
    [*product(("dot", "bhattacharyya"), TEMPERATURES, TEMPERATURES), ("logit_cosine", 1.0, 1.0)],
)
def test_best_posterior_is_at_least_as_good_as_any_choice(form: PosteriorForm, photo: float, sketch: float) -> None:
    (query, query_labels), (gallery, gallery_labels) = labelled_logits(1.5, 0), labelled_logits(2.0, 1)
    best = best_posterior(query, gallery, query_labels, gallery_labels)

    def map_all(choice: PosteriorChoice) -> float:
        return retrieval_scores(choice.score(query, gallery), query_labels, gallery_labels).over_queries()["map_all"]

    assert map_all(best) >= map_all(PosteriorChoice(form, photo, sketch))


def test_teachers_of_unlike_confidence_get_unlike_temperatures() -> None:
    """One temperature for both is no longer the best: the sketch teacher is unsure, the photo teacher too sure."""
    (query, labels), (gallery, _) = labelled_logits(1.5, 0, 2.0), labelled_logits(1.5, 1, 2.0)
    alike = best_posterior(query, gallery, labels, labels)
    best = best_posterior(query / 2, gallery * 2, labels, labels)
    assert best.photo_temperature / best.sketch_temperature > alike.photo_temperature / alike.sketch_temperature
    assert best.photo_temperature > best.sketch_temperature


def test_best_posterior_depends_on_the_data() -> None:
    # Photos' logits carry a large common offset in one direction: only the cosine suffers.
    (query, labels), (gallery, _) = labelled_logits(1.0, 0), labelled_logits(1.0, 1)
    assert best_posterior(query, gallery + 30.0, labels, labels).form != "logit_cosine"
    # A wrong photo of class 1 with long logits, nearly as much class 0, and a right one with short logits: softmax
    # takes length for certainty at every temperature, the cosine does not.
    query, gallery = torch.tensor([[10.0, 0.0, 0.0]]), torch.tensor([[10.0, 9.0, 0.0], [0.5, 0.0, 0.0]])
    assert best_posterior(query, gallery, torch.tensor([0]), torch.tensor([1, 0])).form == "logit_cosine"


def test_the_first_of_equals_is_taken() -> None:
    perfect = 50.0 * torch.eye(3)
    choice = best_posterior(perfect, perfect, torch.arange(3), torch.arange(3))
    assert choice == PosteriorChoice("dot", 0.5, 0.5)


def test_mistakes_are_named() -> None:
    labels = torch.tensor([0, 1])
    with pytest.raises(InputError, match=r"form: must be one of .*; got 'sum'"):
        posterior_scores(QUERY, GALLERY, "sum")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"photo_temperature: must be above 0, got 0\.0"):
        posterior_scores(QUERY, GALLERY, "dot", 0.0)
    with pytest.raises(InputError, match=r"sketch_temperature: must be above 0, got -1\.0"):
        PosteriorChoice(sketch_temperature=-1.0).score(QUERY, GALLERY)
    with pytest.raises(InputError, match="2 and 3 classes"):
        posterior_scores(QUERY, torch.eye(3))
    with pytest.raises(InputError, match="gallery_logits"):
        posterior_scores(QUERY, GALLERY * torch.nan)
    with pytest.raises(InputError, match="gallery_labels"):
        best_posterior(QUERY, GALLERY, labels, labels)
    with pytest.raises(InputError, match="query_logits"):
        best_posterior(QUERY * torch.nan, GALLERY, labels, torch.tensor([0, 1, 1]))
    with pytest.raises(InputError, match="no validation query"):
        best_posterior(QUERY, GALLERY, labels, labels.new_tensor([5, 6, 7]))
