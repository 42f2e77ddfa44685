"""What a gallery answers to a question: photos, scores, and what a score means."""

from contextlib import suppress
from dataclasses import dataclass

from crossx.search.asking.questions import Question
from crossx.search.card import EncoderCard
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import Photo


@dataclass(frozen=True)
class Found:
    """A photo that was found.

    Attributes:
        photo: The photo.
        score: Cosine of question and photo.
        probability: Probability that it is right; None where the encoder is not calibrated.
        verdict: The same in a word.
        copies: Ids of the other photos with the same file content.
    """

    photo: Photo
    score: float
    probability: float | None
    verdict: str | None
    copies: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """The photos of one question.

    Attributes:
        question: The question.
        found: The photos, the best first.
        recall: Share of the true first ten that such a search finds; 1.0 for exact search, None where unknown.
    """

    question: Question
    found: tuple[Found, ...]
    recall: float | None


def answer(
    question: Question, gallery: Gallery, card: EncoderCard, k: int, under: str, least: float | None, exact: bool
) -> Answer:
    """Ask a gallery.

    Args:
        question: The question.
        gallery: The photos.
        card: Card of the encoder.
        k: Most photos.
        under: Folder that they are in; empty for all.
        least: Score below which photos are left out; None for none.
        exact: Whether every photo is compared.
    """
    found = []
    for hit in gallery.search(question.vector[None], k, under=under, exact=exact)[0]:
        if least is not None and hit.score < least:
            break
        calibration = card.calibration
        probability = None if calibration is None else float(calibration.probability(hit.score))
        verdict = None if calibration is None else calibration.verdict(hit.score)
        with suppress(KeyError):  # removed since it was found
            found.append(Found(gallery.photo(hit.id), hit.score, probability, verdict, hit.copies))
    return Answer(question, tuple(found), gallery.how(under, exact).recall)
