"""The content of `results.json`."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from crossx.evaluation.functional import RetrievalScores
from crossx.evaluation.results import paired_bootstrap
from crossx.types import Split


@dataclass
class RunResults:
    """Results of a run: its own measures, and the sections that other reports contribute.

    Attributes:
        split: The split that was measured; None for a fit that was measured on no split.
        metrics: Name of a metric to its value.
        at_start: The same before the first step; empty where it was measured on other images, or not at all.
        ap_all: Average precision of each query, (Q,).
        ap_all_at_start: Average precision of each query before the first step, (Q,); empty as `at_start`.
        labels: Class of each query as an index into `classes`.
        classes: Class names; empty where no real images are measured.
        precision_at_recall: Mean over queries of the interpolated precision at eleven recalls.
        seed: Seed of the run.
        step: Optimiser steps that the weights have behind them.
        seconds: Duration of the fit, with those of the runs that it resumed.
        version: Version of crossx.
        teachers: Modality to the hash of its teacher; empty without teachers.
        split_hash: Hash of the images of all splits, and another one where a part of a split is measured; None where
            no real images are measured.
        measured: What the metrics are of; None where nothing was measured. See `crossx.reports.run.measured`.
        config: The resolved config; empty when the run was started from Python.
        instance: Ranks of fine-grained retrieval; None for retrieval of a class. See `crossx.reports.run.instances`.
        sections: Further top-level entries, from other reports.
    """

    split: Split | None
    metrics: dict[str, float]
    at_start: dict[str, float]
    ap_all: list[float]
    ap_all_at_start: list[float]
    labels: list[int]
    classes: list[str]
    precision_at_recall: list[float]
    seed: int
    step: int
    seconds: float
    version: str
    teachers: dict[str, str]
    split_hash: str | None
    measured: dict[str, Any] | None
    config: dict[str, Any]
    instance: dict[str, Any] | None = None
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """Baseline to metric to value."""
        found: dict[str, dict[str, float]] = self.sections.get("baselines", {})
        return found

    def differences(self) -> dict[str, dict[str, float]]:
        """Difference of `map_all` to each baseline and to the start, with the bounds of `paired_bootstrap`."""
        others = dict(self.sections.get("baselines_ap_all", {}))
        if self.at_start:
            others["at_start"] = self.ap_all_at_start
        return differences(self.ap_all, others)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `results.json`; what no report contributes is there, but empty."""
        own = asdict(self)
        del own["sections"], own["ap_all_at_start"]
        empty: dict[str, Any] = {
            "baselines": {},
            "baselines_ap_all": {},
            "baselines_precision_at_recall": {},
            "posterior": None,
            "posterior_origin": None,
            "teacher_accuracy": {},
            "health": None,
        }
        found: dict[str, Any] = without_nan({**own, **empty, **self.sections, "differences": self.differences()})
        return found

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps(self.to_dict(), indent=1) + "\n"


def differences(ap_all: list[float], others: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Compare average precisions with those of other methods on the same queries.

    Args:
        ap_all: Average precision of each query, (Q,); NaN for a query without a relevant photo.
        others: Name of a method to its average precisions; methods with other queries are left out.

    Returns:
        Name of a method to `difference`, `low` and `high`.
    """
    own = torch.tensor(ap_all, dtype=torch.float64)
    tensors = {name: torch.tensor(values, dtype=torch.float64) for name, values in others.items()}
    intervals = {name: paired_bootstrap(own, ap) for name, ap in tensors.items() if _comparable(own, ap)}
    return {n: {"difference": i.estimate, "low": i.low, "high": i.high} for n, i in intervals.items()}


def mean_over_queries(scores: RetrievalScores) -> list[float]:
    """Mean of the interpolated precisions at eleven recalls over the queries that have a relevant photo."""
    mean: list[float] = scores.precision_at_recall.nanmean(0).tolist()
    return mean


def without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _comparable(a: Tensor, b: Tensor) -> bool:
    """Whether both are of the same queries; a run on a part of the images is not comparable with one on all of them."""
    return a.shape == b.shape and torch.equal(a.isnan(), b.isnan()) and not bool(a.isnan().all())
