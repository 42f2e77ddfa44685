"""Difficulties of the embedded data set: how much a sketch differs from the photo of its object."""

from dataclasses import dataclass
from typing import Literal

DetailName = Literal["hard", "fine"]


@dataclass(frozen=True)
class Detail:
    """One difficulty.

    Attributes:
        clutter: Mean number of scraps behind the object in a photo.
        occluders: Mean number of scraps before the object in a photo.
        extent: Smallest and largest size of the object in a photo, as a share of the side.
        photo_view: Whether a sketch shows the object as the photo does: with its turn, shear, stretch and tilt.
        own_view: Turn and stretch that a sketch has for itself, as a share of the largest.
        minor_omitted: Share of minor parts that a sketch leaves out.
        major_omitted: Share of the other parts that a sketch leaves out, never the largest one.
        hatching: Share of areas that a sketch hatches.
        surroundings: Mean number of doodles around the object, before those without room are dropped.
        clumsiness: Sway and slip of the hand, as a share of the largest.
        margin: Smallest and largest border around a sketch, as a share of the side.
    """

    clutter: float
    occluders: float
    extent: tuple[float, float]
    photo_view: bool
    own_view: float
    minor_omitted: float
    major_omitted: float
    hatching: float
    surroundings: float
    clumsiness: float
    margin: tuple[float, float]


HARD = Detail(
    clutter=2.0,
    occluders=0.4,
    extent=(0.55, 0.95),
    photo_view=False,
    own_view=1.0,
    minor_omitted=0.5,
    major_omitted=0.16,
    hatching=0.12,
    surroundings=2.0,
    clumsiness=1.0,
    margin=(0.04, 0.28),
)
"""For retrieval of a class: photo and sketch share the object's proportions, and little else."""

FINE = Detail(
    clutter=0.0,
    occluders=0.0,
    extent=(0.7, 0.95),
    photo_view=True,
    own_view=0.25,
    minor_omitted=0.15,
    major_omitted=0.0,
    hatching=0.0,
    surroundings=0.0,
    clumsiness=0.5,
    margin=(0.04, 0.1),
)
"""For retrieval of the very photo: a sketch is drawn from the photo, as in the public sets of that kind."""

DETAILS: dict[DetailName, Detail] = {"hard": HARD, "fine": FINE}
