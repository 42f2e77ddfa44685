"""Where the camera stands when an object is photographed, or the eye when it is drawn."""

from dataclasses import dataclass

import numpy as np

from crossx.data.shapes.curves import Curve


@dataclass(frozen=True)
class Viewpoint:
    """A view of an object: turn, shear and stretch, then foreshortening, then size and place in the frame.

    Attributes:
        matrix: Turn, shear and stretch, (2, 2).
        tilt: Foreshortening along x and y, (2,).
        extent: Longer side of what is seen, as a share of the frame's side.
        place: Where the object stands in the room that is left, x and y in [-0.55, 0.55], (2,).
    """

    matrix: Curve
    tilt: Curve
    extent: float
    place: Curve

    @classmethod
    def draw(cls, rng: np.random.Generator, extent: tuple[float, float]) -> "Viewpoint":
        """Draw a viewpoint.

        Args:
            rng: Source of all random numbers.
            extent: Smallest and largest size in the frame.
        """
        angle, shear = np.radians(rng.normal(0, 13)), rng.normal(0, 0.08)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.array([[1, shear], [0, 1]]) @ np.diag(np.exp(rng.normal(0, 0.1, 2)))
        return cls(matrix, rng.normal(0, 0.08, 2), rng.uniform(*extent), rng.uniform(-0.55, 0.55, 2))

    def see(self, curve: Curve) -> Curve:
        """Project a curve, without size and place: straight lines stay straight."""
        seen: Curve = curve @ self.matrix.T / (1 + curve @ self.tilt)[:, None]
        return seen

    def frame(self, curves: list[Curve]) -> list[Curve]:
        """Project the curves of one object into the frame, which is the unit square."""
        seen = [self.see(curve) for curve in curves]
        points = np.concatenate(seen)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = self.extent / float((high - low).max())
        centre = 0.5 + self.place * np.maximum(1 - (high - low) * scale, 0)
        return [(curve - (low + high) / 2) * scale + centre for curve in seen]
