"""Sketches that can be drawn with any pen, and the comparison of pens on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from crossx.cli.inspect_options import MOST_FOR_PEN
from crossx.data.base import LabelledImages
from crossx.inspection.pen_fit import Inks, fit_pen, predict, search_pen
from crossx.pixels.pen import FINER, Pen
from crossx.teachers.teacher import FrozenTeacher

WITHOUT_LABELS, WITH_LABELS, AS_DRAWN = "without labels", "with labels", "as drawn"


@dataclass(frozen=True)
class Drawings:
    """Sketches as they were drawn, and at the resolution at which pens redraw them.

    Attributes:
        fine: Each (3, FINER * S, FINER * S) uint8.
        drawn: (B, 3, S, S) in [0, 1].
        labels: (B,) int64.
    """

    fine: list[Tensor]
    drawn: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: LabelledImages, indices: range | None = None) -> "Drawings":
        """Read images of a data set, all or those of some indices."""
        chosen = range(len(images)) if indices is None else indices
        drawn = torch.stack([images.read(i) for i in chosen]).float() / 255
        return cls([images.read(i, FINER) for i in chosen], drawn, torch.from_numpy(images.labels[list(chosen)]))

    def some(self, most: int) -> "Drawings":
        """At most so many, evenly over them."""
        count = min(most, len(self.fine))
        chosen = [i * len(self.fine) // count for i in range(count)]
        return Drawings([self.fine[i] for i in chosen], self.drawn[chosen], self.labels[chosen])

    @cached_property
    def _inks(self) -> Inks:
        return Inks(self.fine)

    def with_pen(self, pen: Pen) -> Tensor:
        """The sketches redrawn, (B, 3, S, S) in [0, 1]."""
        return self._inks.drawn(pen) if pen.redraws else self.drawn


@dataclass(frozen=True)
class PenRow:
    """One pen on one teacher's sketches.

    Attributes:
        name: How the pen was chosen.
        pen: The pen.
        score: Its score on the test sketches.
    """

    name: str
    pen: Pen
    score: float


def compare_pens(
    teacher: FrozenTeacher,
    validation: Drawings,
    test: Drawings,
    judge_validation: Callable[[Tensor, Drawings], float],
    judge_test: Callable[[Pen], float],
    others: Mapping[str, Pen],
) -> list[PenRow]:
    """Choose a pen without labels, and one by labels with the same search, on validation sketches; score both on test.

    Args:
        teacher: The sketch teacher.
        validation: Sketches to choose from; without labels, from as many of them as `crossx inspect --fit-pen` takes.
        test: Sketches to measure.
        judge_validation: Score of the teacher's logits, (B, K), on validation sketches, by labels.
        judge_test: Score of a pen on the test sketches.
        others: Further pens by their names.
    """
    size = test.drawn.shape[-1]
    few = validation.some(MOST_FOR_PEN)
    known: dict[Pen, float] = {}

    def by_labels(pen: Pen) -> float:
        if pen not in known:
            known[pen] = judge_validation(predict(teacher, validation.with_pen(pen)), validation)
        return known[pen]

    searched = search_pen(by_labels, size)
    pens = {AS_DRAWN: Pen(), WITHOUT_LABELS: fit_pen(teacher, few.fine, few.drawn).pen}
    pens[WITH_LABELS] = max((searched, Pen(), *others.values()), key=by_labels)
    return [PenRow(name, pen, judge_test(pen)) for name, pen in {**pens, **others}.items()]
