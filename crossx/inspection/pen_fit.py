"""Choice of a sketch teacher's pen from unlabelled sketches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.inspection.predictions import entropy, mutual_information
from crossx.pixels.pen import Pen, place
from crossx.teachers.teacher import FrozenTeacher

MARGINS = (None, 0.0, 0.05, 0.1, 0.15, 0.2)
DARKNESS = (0.3, 0.45, 0.6, 0.8, 1.0, 1.5, 2.5, 4.0, 6.0)
WIDTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Increases of the line width that are tried, in pixels; finer steps than a quarter do not exist."""
LEAST = 24
"""Fewest sketches: of fewer, the mean posterior is mostly chance."""
STARTS = 4
"""Pens from which the search climbs: from one alone it may end on a small hill."""
WORTH = 0.15
"""Gain in mutual information over the sketches as they are drawn, in nats, that a pen must bring. Pens that a teacher
needs bring several times as much, and gains below a tenth came with a loss of accuracy."""
SHARPENED = 0.5
"""Temperature of the posteriors."""
SPREAD = 2
"""Weight of the spread over classes against the confidence."""


@dataclass(frozen=True)
class PenFit:
    """A pen that was chosen, and what it was chosen by.

    Attributes:
        pen: The pen with the largest legibility, or one that changes nothing where that is not worth it.
        as_drawn: Mutual information of the predictions on the sketches as they are, in nats.
        fitted: The same with the pen.
        tried: Number of pens that were tried.
    """

    pen: Pen
    as_drawn: float
    fitted: float
    tried: int


def fit_pen(teacher: FrozenTeacher, sketches: Sequence[Tensor], drawn: Tensor) -> PenFit:
    """Choose the pen with which sketches are most legible for a teacher, without labels.

    Legibility compares pens. Whether one is worth it is told by the mutual information of image and predicted class:
    legibility favours predictions of all classes alike, and would change sketches that a teacher reads well where they
    show some of its classes only.

    Args:
        teacher: The sketch teacher.
        sketches: Sketches at four times their side, uint8 RGB, each (3, 4 * S, 4 * S).
        drawn: The same sketches as they are, in [0, 1], (B, 3, S, S).

    Returns:
        The choice.

    Raises:
        InputError: When there are too few sketches.
    """
    must_be_in("number of sketches", len(sketches), f"[{LEAST}, inf)")
    inks = Inks(sketches)
    scores: dict[Pen, float] = {}

    def score(pen: Pen) -> float:
        if pen not in scores:
            scores[pen] = legibility(predict(teacher, inks.drawn(pen)))
        return scores[pen]

    best = search_pen(score, drawn.shape[-1])
    before, after = predict(teacher, drawn), predict(teacher, inks.drawn(best))
    as_drawn, fitted = mutual_information(before), mutual_information(after)
    if legibility(after) <= legibility(before) or fitted < as_drawn + WORTH:
        best, fitted = Pen(), as_drawn
    return PenFit(best, as_drawn, fitted, len(scores))


class Inks:
    """Sketches that are drawn with many pens; each margin is made once.

    Args:
        sketches: As in `fit_pen`.
    """

    def __init__(self, sketches: Sequence[Tensor]) -> None:
        self.sketches = sketches
        self._placed: dict[float | None, Tensor] = {}

    def drawn(self, pen: Pen) -> Tensor:
        """The sketches drawn with a pen, in [0, 1], (B, 3, S, S)."""
        if pen.margin not in self._placed:
            self._placed[pen.margin] = torch.stack([place(sketch, pen.margin) for sketch in self.sketches])
        return pen.draw(self._placed[pen.margin])


def search_pen(score: Callable[[Pen], float], size: int) -> Pen:
    """Search for the pen with the largest score, from the best of those that lie far apart.

    Args:
        score: Score of a pen; asked more than once for some.
        size: Side of the sketches in pixels.
    """
    starts = sorted(_coarse(size), key=score, reverse=True)[:STARTS]
    return max((_climb(pen, size, score) for pen in starts), key=score)


def _coarse(size: int) -> list[Pen]:
    """Pens that lie far apart, of both polarities."""
    values = product((None, 0.1), (0.25, 0.75, 1.5), (0.6, 1.0, 2.5), (False, True))
    return [Pen(margin, width / size, darkness, light) for margin, width, darkness, light in values]


def _climb(pen: Pen, size: int, score: Callable[[Pen], float]) -> Pen:
    """Go to the best neighbour until there is no better one."""
    while (better := max([pen, *_neighbours(pen, size)], key=score)) != pen:
        pen = better
    return pen


def _neighbours(pen: Pen, size: int) -> Iterator[Pen]:
    """Pens of another margin, and of the next line widths and darknesses."""
    # Both together, because a wide pale line and a thin dark one are alike to a network.
    widths = [width / size for width in WIDTHS]
    for width, darkness in product(_next_to(pen.line_width, widths), _next_to(pen.darkness, DARKNESS)):
        yield replace(pen, line_width=width, darkness=darkness)
    for margin in MARGINS:
        yield replace(pen, margin=margin)


def _next_to(value: float, steps: Sequence[float]) -> Sequence[float]:
    """A value with those before and behind it."""
    place = steps.index(value)
    return steps[max(0, place - 1) : place + 2]


def legibility(logits: Tensor) -> float:
    """How well a teacher tells sketches apart, in nats, without labels.

    Twice the entropy of the mean posterior minus the mean entropy of the posteriors, at temperature 0.5. The mutual
    information of image and class ("Unsupervised Classifiers, Mutual Information and 'Phantom Targets'", Bridle et
    al., NIPS 1991) weighs both alike, at temperature 1. With a pen that a teacher does not read, its predictions
    gather in a few classes and yet are confident, so the spread counts twice; and pens that blur lines lower the
    confidence of predictions that are right, so the posteriors are sharpened. `docs/experiments.md` has the figures.

    Args:
        logits: (B, K).

    Returns:
        A number in [0, 2 log K].
    """
    posterior = torch.softmax(logits.double() / SHARPENED, dim=1)
    return float(SPREAD * entropy(posterior.mean(dim=0)) - entropy(posterior).mean())


@torch.inference_mode()
def predict(teacher: FrozenTeacher, images: Tensor, batch: int = 256) -> Tensor:
    """Logits of images in [0, 1], (B, K), in float32.

    Raises:
        InputError: When they are not finite.
    """
    logits = torch.cat([teacher(part).logits.float() for part in torch.split(images, batch)])
    if not logits.isfinite().all():
        raise InputError(f"{teacher.title}: must predict finite numbers, got NaN or infinity on these images")
    return logits
