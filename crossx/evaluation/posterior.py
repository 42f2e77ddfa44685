"""Retrieval with the two teachers alone, without training: the baselines of every encoder.

**Features**: cosine between the pooled features of the two teachers; meaningful only for teachers that share an
initialisation. **Posterior matching**: agreement of the teachers' class posteriors over the shared classes. When both
teachers know all classes it is close to the best possible use of their knowledge; it does not apply to classes that a
teacher does not know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.ranking import ScoreFunction, check_labels, cosine_scores

PosteriorForm = Literal["dot", "bhattacharyya", "logit_cosine"]
"""`dot`: sum over classes c of P(c|sketch) P(c|photo), the probability that both samples have one class.
`bhattacharyya`: sum of the square roots of these products. `logit_cosine`: cosine of the logits, independent of the
temperatures."""

TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
"""Temperatures of either side among which validation images choose."""


def features_scores(query_features: Tensor, gallery_features: Tensor) -> ScoreFunction:
    """Cosine of the pooled features of the two teachers.

    Args:
        query_features: The sketch teacher's features of the sketches, (Q, F).
        gallery_features: The photo teacher's features of the photos, (G, F).

    Returns:
        Scores in [-1, 1].

    Raises:
        InputError: When the teachers' features have different widths, or a side is empty or not finite.
    """
    if query_features.shape[-1] != gallery_features.shape[-1]:
        raise InputError(
            f"features: must have one width, got {query_features.shape[-1]} and the photo teacher "
            f"{gallery_features.shape[-1]}; use posterior matching"
        )
    return cosine_scores(query_features, gallery_features)


def posterior_scores(
    query_logits: Tensor,
    gallery_logits: Tensor,
    form: PosteriorForm = "dot",
    photo_temperature: float = 1.0,
    sketch_temperature: float = 1.0,
) -> ScoreFunction:
    """Agreement of the two teachers' posteriors over the S classes that both know.

    Args:
        query_logits: The sketch teacher's logits of the sketches, the shared classes only, (Q, S).
        gallery_logits: The photo teacher's logits of the photos, the same classes in the same order, (G, S).
        form: Measure of agreement.
        photo_temperature: Divides the photos' logits before the softmax over the shared classes; above 0, and above 1
            it softens the posteriors.
        sketch_temperature: The same of the sketches.

    Returns:
        Scores in [0, 1], for `logit_cosine` in [-1, 1], in float64, because different sharp posteriors may be equal in
        float32.

    Raises:
        InputError: When the form is unknown, a temperature is not positive, the numbers of classes differ, or a side is
            not finite.
    """
    must_be_one_of("form", form, get_args(PosteriorForm))
    must_be_in("photo_temperature", photo_temperature, "(0, inf)")
    must_be_in("sketch_temperature", sketch_temperature, "(0, inf)")
    _check(query_logits, gallery_logits)
    if form == "logit_cosine":
        return cosine_scores(query_logits, gallery_logits)
    return _products(_factor(query_logits, form, sketch_temperature), _factor(gallery_logits, form, photo_temperature))


def _check(query_logits: Tensor, gallery_logits: Tensor) -> None:
    """Check that both sides are finite logits of as many classes."""
    if query_logits.shape[-1] != gallery_logits.shape[-1]:
        raise InputError(
            "logits: must be those of the shared classes in one order, got "
            f"{query_logits.shape[-1]} and {gallery_logits.shape[-1]} classes"
        )
    for side, logits in (("query", query_logits), ("gallery", gallery_logits)):
        if not logits.isfinite().all():
            raise InputError(f"{side}_logits: must be finite, got NaN or infinity")


def _factor(logits: Tensor, form: PosteriorForm, temperature: float) -> Tensor:
    """What a side gives to the product: its posteriors, or their roots, in float64 (on the CPU in place of MPS)."""
    logits = logits.cpu() if logits.device.type == "mps" else logits
    posterior = (logits.detach().double() / temperature).softmax(dim=1)
    return posterior.sqrt() if form == "bhattacharyya" else posterior


def _products(queries: Tensor, gallery: Tensor) -> ScoreFunction:
    return lambda rows: queries[rows] @ gallery.T


@dataclass(frozen=True)
class PosteriorChoice:
    """Form and temperatures of posterior matching; the defaults are those for images without a validation part.

    Attributes:
        form: Measure of agreement.
        photo_temperature: Divides the photos' logits.
        sketch_temperature: Divides the sketches' logits.
    """

    form: PosteriorForm = "dot"
    photo_temperature: float = 1.0
    sketch_temperature: float = 1.0

    def score(self, query_logits: Tensor, gallery_logits: Tensor) -> ScoreFunction:
        """Scores of images by their logits of the shared classes, (Q, S) and (G, S); see `posterior_scores`."""
        temperatures = self.photo_temperature, self.sketch_temperature
        return posterior_scores(query_logits, gallery_logits, self.form, *temperatures)


def best_posterior(
    query_logits: Tensor, gallery_logits: Tensor, query_labels: Tensor, gallery_labels: Tensor
) -> PosteriorChoice:
    """Choose form and temperatures by mAP@all on validation images, never on test images.

    Args:
        query_logits: The sketch teacher's logits of the sketches, the shared classes only, (Q, S).
        gallery_logits: The photo teacher's logits of the photos, the same classes in the same order, (G, S).
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.

    Returns:
        The best of the three forms and of `TEMPERATURES`, each side with its own; the first one of equals.

    Raises:
        InputError: When lengths or numbers of classes disagree, a side is not finite, or no query has a relevant photo.
    """
    check_labels(query_logits, gallery_logits, query_labels, gallery_labels)
    _check(query_logits, gallery_logits)
    if not (query_labels[:, None] == gallery_labels).any():
        raise InputError("query_labels: must have a query with a relevant photo; got no validation query with one")
    found = {
        choice: float(retrieval_scores(scores, query_labels, gallery_labels).ap_all.nanmean())
        for choice, scores in _choices(query_logits, gallery_logits)
    }
    return max(found, key=found.__getitem__)


def _choices(query_logits: Tensor, gallery_logits: Tensor) -> Iterator[tuple[PosteriorChoice, ScoreFunction]]:
    """All choices with their scores; a side's posteriors are computed once a temperature."""
    forms: tuple[PosteriorForm, ...] = ("dot", "bhattacharyya")
    for form in forms:
        queries, gallery = ({t: _factor(x, form, t) for t in TEMPERATURES} for x in (query_logits, gallery_logits))
        for photo, sketch in product(TEMPERATURES, repeat=2):
            yield PosteriorChoice(form, photo, sketch), _products(queries[sketch], gallery[photo])
    yield PosteriorChoice("logit_cosine"), cosine_scores(query_logits, gallery_logits)
