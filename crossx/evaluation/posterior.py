"""Retrieval with the two teachers alone, without any training: the baselines that an encoder has to reach.

**Features**: cosine between the pooled features of the two teachers; meaningful only for teachers that share an
initialisation. **Posterior matching**: how well the teachers' posteriors over the shared classes agree. When both
teachers know all classes it is close to the best possible use of their knowledge; it has nothing to say about classes
that a teacher does not know.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from crossx.core.errors import InputError
from crossx.evaluation.functional import ScoreFunction, check_labels, cosine_scores, retrieval_scores

PosteriorForm = Literal["dot", "bhattacharyya", "logit_cosine"]
"""`dot`: sum of P(c|sketch) P(c|photo), the chance that both draw the same class. `bhattacharyya`: sum of the square
roots of these products. `logit_cosine`: cosine of the logits, which no temperature changes."""

TEMPERATURES = (0.5, 1.0, 2.0, 4.0)


def features_scores(query_features: Tensor, gallery_features: Tensor) -> ScoreFunction:
    """Cosine between the pooled features of the two teachers.

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
            f"features: the sketch teacher has {query_features.shape[-1]} and the photo teacher "
            f"{gallery_features.shape[-1]}: this baseline needs equal widths; use posterior matching"
        )
    return cosine_scores(query_features, gallery_features)


def posterior_scores(
    query_logits: Tensor, gallery_logits: Tensor, form: PosteriorForm = "dot", temperature: float = 1.0
) -> ScoreFunction:
    """Agreement of the two teachers' posteriors over the S classes that both know.

    Args:
        query_logits: The sketch teacher's logits of the sketches, the shared classes only, (Q, S).
        gallery_logits: The photo teacher's logits of the photos, the same classes in the same order, (G, S).
        form: What agreement is.
        temperature: Both sides' logits are divided by it before the softmax over the shared classes; above 1 softens.

    Returns:
        Scores in [0, 1], for `logit_cosine` in [-1, 1]. They are float64, because sharp posteriors are equal in float32
        where they are not.

    Raises:
        InputError: When the form is unknown, the temperature is not positive, the numbers of classes differ, or a side
            is not finite.
    """
    if form not in get_args(PosteriorForm):
        raise InputError(f"form: {form!r}, legal are {', '.join(get_args(PosteriorForm))}")
    if not temperature > 0:
        raise InputError(f"temperature: {temperature}, legal is above 0")
    if query_logits.shape[-1] != gallery_logits.shape[-1]:
        raise InputError(
            f"logits: {query_logits.shape[-1]} and {gallery_logits.shape[-1]} classes: "
            "give those of the shared classes only, in the same order"
        )
    for side, logits in (("query", query_logits), ("gallery", gallery_logits)):
        if not logits.isfinite().all():
            raise InputError(f"{side}_logits: not finite")
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
    """The form of posterior matching and the temperature that validation picked.

    Attributes:
        form: What agreement is.
        temperature: Divides the logits.
    """

    form: PosteriorForm
    temperature: float

    def score(self, query_logits: Tensor, gallery_logits: Tensor) -> ScoreFunction:
        """Scores of these images, from logits of the shared classes, (Q, S) and (G, S); see `posterior_scores`."""
        return posterior_scores(query_logits, gallery_logits, self.form, self.temperature)


def best_posterior(
    query_logits: Tensor, gallery_logits: Tensor, query_labels: Tensor, gallery_labels: Tensor
) -> PosteriorChoice:
    """Pick form and temperature by mAP@all, on validation images and never on test images.

    Args:
        query_logits: The sketch teacher's logits of the sketches, the shared classes only, (Q, S).
        gallery_logits: The photo teacher's logits of the photos, the same classes in the same order, (G, S).
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.

    Returns:
        The best of the three forms and of `TEMPERATURES`; the first of equals.

    Raises:
        InputError: When lengths or numbers of classes disagree, a side is not finite, or no query has a relevant photo.
    """
    check_labels(query_logits, gallery_logits, query_labels, gallery_labels)
    if not (query_labels[:, None] == gallery_labels).any():
        raise InputError("no validation query has a relevant photo: nothing to choose by")
    choices = [PosteriorChoice(form, t) for form in ("dot", "bhattacharyya") for t in TEMPERATURES]
    choices.append(PosteriorChoice("logit_cosine", 1.0))

    def map_all(choice: PosteriorChoice) -> float:
        scores = choice.score(query_logits, gallery_logits)
        return retrieval_scores(scores, query_labels, gallery_labels).over_queries()["map_all"]

    return max(choices, key=map_all)
