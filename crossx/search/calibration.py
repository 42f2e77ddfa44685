"""Scores as probabilities: the share of right photos among photos of a score, measured on validation images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.search.values import is_number, is_text, want

KNOTS = 20
"""Scores at which the probability is measured."""
Verdict = Literal["likely", "possible", "unlikely"]
LIKELY, POSSIBLE = 0.5, 0.1
"""Probabilities from which a photo is likely, and possibly, what was drawn."""


@dataclass(frozen=True)
class Calibration:
    """Probability that a photo is right, by its score; linear between the knots.

    Attributes:
        scores: Rising scores of the knots, (N,).
        probabilities: Probabilities of the knots, (N,), which never fall.
        data: Name of the validation images.
        split_hash: SHA-256 (hex) of their split.

    Raises:
        InputError: When a value is wrong.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    data: str
    split_hash: str

    def __post_init__(self) -> None:
        for name in ("scores", "probabilities"):
            want("calibration", name, getattr(self, name), _are_numbers, "a list of at least one number")
        want("calibration", "data", self.data, is_text, "a text")
        want("calibration", "split_hash", self.split_hash, is_text, "a text")
        if len(self.scores) != len(self.probabilities):
            raise InputError(
                f"calibration: probabilities: must be as many as scores, got {len(self.probabilities)} for "
                f"{len(self.scores)} scores"
            )
        if (np.diff(self.scores) <= 0).any() or (np.diff(self.probabilities) < 0).any():
            raise InputError("calibration: scores, probabilities: must rise, got falling or equal numbers")
        for probability in self.probabilities:
            must_be_in("calibration: probabilities", probability, "[0, 1]")
        object.__setattr__(self, "scores", tuple(map(float, self.scores)))
        object.__setattr__(self, "probabilities", tuple(map(float, self.probabilities)))

    def probability(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probability that a photo is right, of the shape of its scores."""
        return np.interp(np.asarray(scores, dtype=np.float64), self.scores, self.probabilities)

    def verdict(self, score: float) -> Verdict:
        """What to say of a photo with a score."""
        probability = float(self.probability(score))
        return "likely" if probability >= LIKELY else "possible" if probability >= POSSIBLE else "unlikely"


def calibrate(scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], data: str, split_hash: str) -> Calibration:
    """Measure the share of right photos by score, as an isotonic regression on at most `KNOTS` groups of scores.

    Half of the groups' bounds are quantiles of right photos' scores and half of wrong ones', because a sketch has a
    hundred wrong photos for each right one.

    Args:
        scores: Scores of all sketches and photos, (N,).
        right: Whether sketch and photo show the same class, (N,).
        data: Name of the validation images.
        split_hash: Hash of their split.

    Raises:
        InputError: When all photos are right, or all are wrong.
    """
    if right.all() or not right.any():
        raise InputError("calibration: must have right and wrong photos, got a data set with one of the two")
    levels = np.linspace(0, 1, KNOTS // 2 + 2)[1:-1]
    bounds = np.unique(np.concatenate([np.quantile(scores[right], levels), np.quantile(scores[~right], levels)]))[1:]
    group = np.searchsorted(bounds, scores, side="right")
    count = np.bincount(group, minlength=len(bounds) + 1)
    kept = count > 0
    mean = np.bincount(group, scores, len(bounds) + 1)[kept] / count[kept]
    share = np.bincount(group, right, len(bounds) + 1)[kept] / count[kept]
    order = np.argsort(mean)
    shares = _isotonic(share[order], count[kept][order].astype(np.float64))
    knots, first = np.unique(mean[order], return_index=True)
    return Calibration(tuple(knots.tolist()), tuple(shares[first].clip(0, 1).tolist()), data, split_hash)


def _isotonic(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Nearest numbers in weighted least squares that never fall (pool adjacent violators)."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [[(a * wa + b * wb) / (wa + wb), wa + wb, na + nb]]
    return np.concatenate([np.full(int(length), mean) for mean, _, length in blocks])


def _are_numbers(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(is_number, value))
