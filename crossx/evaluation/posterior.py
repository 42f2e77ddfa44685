"""Retrieval with the two teachers alone, without training: the baselines of every encoder.

**Features**: cosine between the pooled features of the two teachers; meaningful only for teachers that share an
initialisation. **Posterior matching**: agreement of the teachers' class posteriors over the shared classes. When both
teachers know all classes it is close to the best possible use of their knowledge; it does not apply to classes that a
teacher does not know.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.ranking import ScoreFunction, check_labels, cosine_scores

PosteriorForm = Literal["dot", "bhattacharyya", "logit_cosine"]
"""`dot`: sum over classes c of P(c|sketch) P(c|photo), the probability that both samples have one class.
`bhattacharyya`: sum of the square roots of these products. `logit_cosine`: cosine of the logits, independent of the
temperature."""

TEMPERATURES = (0.5, 1.0, 2.0, 4.0)


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
    query_logits: Tensor, gallery_logits: Tensor, form: PosteriorForm = "dot", temperature: float = 1.0
) -> ScoreFunction:
    """Agreement of the two teachers' posteriors over the S classes that both know.

    Args:
        query_logits: The sketch teacher's logits of the sketches, the shared classes only, (Q, S).
        gallery_logits: The photo teacher's logits of the photos, the same classes in the same order, (G, S).
        form: Measure of agreement.
        temperature: Divides the logits of both sides before the softmax over the shared classes; above 0, and above 1
            it softens the posteriors.

    Returns:
        Scores in [0, 1], for `logit_cosine` in [-1, 1], in float64, because different sharp posteriors may be equal in
        float32.

    Raises:
        InputError: When the form is unknown, the temperature is not positive, the numbers of classes differ, or a side
            is not finite.
    """
    must_be_one_of("form", form, get_args(PosteriorForm))
    must_be_in("temperature", temperature, "(0, inf)")
    if query_logits.shape[-1] != gallery_logits.shape[-1]:
        raise InputError(
            "logits: must be those of the shared classes in one order, got "
            f"{query_logits.shape[-1]} and {gallery_logits.shape[-1]} classes"
        )
    for side, logits in (("query", query_logits), ("gallery", gallery_logits)):
        if not logits.isfinite().all():
            raise InputError(f"{side}_logits: must be finite, got NaN or infinity")
    if form == "logit_cosine":
        return cosine_scores(query_logits, gallery_logits)
    queries, gallery = (_posterior(logits, temperature) for logits in (query_logits, gallery_logits))
    if form == "bhattacharyya":
        queries, gallery = queries.sqrt(), gallery.sqrt()
    return lambda rows: queries[rows] @ gallery.T


def _posterior(logits: Tensor, temperature: float) -> Tensor:
    """Softmax in float64; on the CPU where the device has no float64."""
    logits = logits.cpu() if logits.device.type == "mps" else logits
    return (logits.detach().double() / temperature).softmax(dim=1)


@dataclass(frozen=True)
class PosteriorChoice:
    """Form and temperature of posterior matching; the defaults are those for images without a validation part.

    Attributes:
        form: Measure of agreement.
        temperature: Divides the logits.
    """

    form: PosteriorForm = "dot"
    temperature: float = 1.0

    def score(self, query_logits: Tensor, gallery_logits: Tensor) -> ScoreFunction:
        """Scores of images by their logits of the shared classes, (Q, S) and (G, S); see `posterior_scores`."""
        return posterior_scores(query_logits, gallery_logits, self.form, self.temperature)


def best_posterior(
    query_logits: Tensor, gallery_logits: Tensor, query_labels: Tensor, gallery_labels: Tensor
) -> PosteriorChoice:
    """Choose form and temperature by mAP@all on validation images, never on test images.

    Args:
        query_logits: The sketch teacher's logits of the sketches, the shared classes only, (Q, S).
        gallery_logits: The photo teacher's logits of the photos, the same classes in the same order, (G, S).
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.

    Returns:
        The best of the three forms and of `TEMPERATURES`; the first one of equals.

    Raises:
        InputError: When lengths or numbers of classes disagree, a side is not finite, or no query has a relevant photo.
    """
    check_labels(query_logits, gallery_logits, query_labels, gallery_labels)
    if not (query_labels[:, None] == gallery_labels).any():
        raise InputError("query_labels: must have a query with a relevant photo; got no validation query with one")
    choices = [PosteriorChoice(form, t) for form in ("dot", "bhattacharyya") for t in TEMPERATURES]
    choices.append(PosteriorChoice("logit_cosine", 1.0))

    def map_all(choice: PosteriorChoice) -> float:
        scores = choice.score(query_logits, gallery_logits)
        return retrieval_scores(scores, query_labels, gallery_labels).over_queries()["map_all"]

    return max(choices, key=map_all)
