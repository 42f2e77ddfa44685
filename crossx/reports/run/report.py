"""The result of a run: `results.json` in its folder, and the same as a table."""

import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from crossx.core.seeding import run_seed
from crossx.core.tensor_files import write_text
from crossx.core.version import __version__
from crossx.evaluation.functional import RetrievalScores
from crossx.evaluation.results import paired_bootstrap
from crossx.reports.health.monitor import HealthMonitor
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.run.summary import print_table
from crossx.training.lightning_state import run_folder
from crossx.training.module import CrossxModule, teacher_hashes
from crossx.training.retrieval import RetrievalModule
from crossx.types import Split


class RunReport(Callback):
    """Writes `results.json` at the end of every fit, validation and test, and prints it as a table.

    Attributes:
        config: The resolved config, set by the command line; empty when used from Python.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.at_start: dict[str, float] = {}
        self._start: dict[str, Any] = {}  # each query's average precision, and on which images
        self._checkpoint_step = 0
        self._measured_at = -1
        self._measured: dict[str, float] = {}
        self._seconds_before = 0.0
        self._started = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run adds to."""
        return {"seconds": self._seconds, "at_start": self.at_start, "start": self._start}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the state of the run that is resumed."""
        self._seconds_before = state_dict["seconds"]
        self.at_start = state_dict["at_start"]
        self._start = state_dict.get("start", {})

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember the step of weights that are only measured: Lightning restores it for a fit alone."""
        self._checkpoint_step = checkpoint["global_step"]

    @property
    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Start the clock of a fit; a validation right after it belongs to it."""
        if stage == "fit":
            self._started = time.monotonic()

    def is_stale(self, trainer: pl.Trainer) -> bool:
        """Whether the weights have changed since they were last measured (or never were)."""
        return isinstance(trainer.lightning_module, RetrievalModule) and self._measured_at != trainer.global_step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the metrics; those of a full sanity check are the value at step 0."""
        metrics = _metrics(trainer, "val/")
        if trainer.sanity_checking:
            if trainer.num_sanity_val_steps == float("inf") and trainer.global_step == 0:
                self.at_start = metrics
                scores = _by_query(pl_module)
                ap_all = [] if scores is None else scores.ap_all.tolist()
                self._start = {"split_hash": _split_hash(trainer), "ap_all": ap_all}
            return
        self._measured_at, self._measured = trainer.global_step, metrics
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "validation", metrics)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the test split."""
        self._write(trainer, pl_module, "test", _metrics(trainer, "test/"))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the last weights, if they have been measured; a module that is not retrieved with reports its logs."""
        if isinstance(pl_module, RetrievalModule):
            evaluated = getattr(getattr(trainer, "datamodule", None), "dataset", None) is not None
            if not evaluated or not self.is_stale(trainer):
                self._write(trainer, pl_module, "validation", self._measured)
        else:
            logged = {n: v for n, v in _metrics(trainer, "").items() if not n.startswith("health/")}
            summary = pl_module.fit_summary(logged) if isinstance(pl_module, CrossxModule) else (None, logged)
            self._write(trainer, pl_module, *summary)

    def _write(
        self, trainer: pl.Trainer, module: pl.LightningModule, split: Split | None, metrics: dict[str, float]
    ) -> None:
        folder = run_folder(trainer)
        if folder is None or not trainer.is_global_zero:
            return
        baselines: dict[str, dict[str, float]] = {}
        others: dict[str, Tensor] = {}
        curves: dict[str, Tensor] = {}
        choice: dict[str, Any] | None = None
        health: list[dict[str, Any]] | None = None  # nobody watched
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set in Trainer's constructor
            if isinstance(callback, TeacherBaselines):
                baselines.update({} if split is None else callback.results.get(split, {}))
                for name, scores in ({} if split is None else callback.scores.get(split, {})).items():
                    others[name], curves[name] = scores.ap_all, scores.precision_at_recall
                choice = None if callback.choice is None else asdict(callback.choice)
            elif isinstance(callback, HealthMonitor):
                health = callback.found
        # Of other images than those measured now there is nothing to compare with.
        same_images = split == "validation" and self._start.get("split_hash") == _split_hash(trainer)
        at_start = self.at_start if same_images else {}
        if at_start:
            others["at_start"] = _from_json(self._start["ap_all"])
        measured = _by_query(module) if metrics else None
        ap_all = torch.empty(0) if measured is None else measured.ap_all
        intervals = {n: paired_bootstrap(ap_all, ap) for n, ap in others.items() if _comparable(ap_all, ap)}
        results = {
            "split": split,
            "metrics": metrics,
            "at_start": at_start,
            "baselines": baselines,
            "differences": {n: {"difference": i.estimate, "low": i.low, "high": i.high} for n, i in intervals.items()},
            "ap_all": ap_all.tolist(),
            "baselines_ap_all": {name: ap.tolist() for name, ap in others.items() if name in baselines},
            "labels": [] if measured is None else measured.label.tolist(),
            "classes": _classes(trainer),
            "precision_at_recall": [] if measured is None else _mean(measured.precision_at_recall),
            "baselines_precision_at_recall": {name: _mean(curve) for name, curve in curves.items()},
            "posterior": choice,
            "health": health,
            "seed": run_seed(),
            "step": trainer.global_step or self._checkpoint_step,
            "seconds": round(self._seconds, 1),
            "version": __version__,
            "teachers": teacher_hashes(module),
            "split_hash": _split_hash(trainer),
            "config": self.config,
        }
        path = folder / "results.json"
        write_text(path, json.dumps(_without_nan(results), indent=1) + "\n")
        if metrics:
            print_results(results, path)


def _split_hash(trainer: pl.Trainer) -> str | None:
    dataset = getattr(getattr(trainer, "datamodule", None), "dataset", None)
    split_hash: str | None = getattr(dataset, "split_hash", None)
    return split_hash


def _classes(trainer: pl.Trainer) -> list[str]:
    """Class names that the labels index; empty where nothing real is measured."""
    dataset = getattr(getattr(trainer, "datamodule", None), "dataset", None)
    return list(getattr(dataset, "classes", ()))


def _by_query(module: pl.LightningModule) -> RetrievalScores | None:
    """The measures of each query at the last measurement; None where nothing was."""
    return module.retrieval.by_query if isinstance(module, RetrievalModule) else None


def _mean(values: Tensor) -> list[float]:
    """Mean over queries, (Q, N) to (N)."""
    mean: list[float] = values.nanmean(0).tolist()
    return mean


def _comparable(a: Tensor, b: Tensor) -> bool:
    """Whether both are of the same queries; a run on a part of the images is not comparable with one on all of them."""
    return a.shape == b.shape and torch.equal(a.isnan(), b.isnan()) and not bool(a.isnan().all())


def _from_json(values: list[float | None] | None) -> Tensor:
    """Average precisions of a `results.json`, NaN where a query has no relevant photo; empty where it has none."""
    return torch.tensor([float("nan") if value is None else value for value in values or []], dtype=torch.float64)


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same value with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _metrics(trainer: pl.Trainer, prefix: str) -> dict[str, float]:
    """Logged scalars whose names start with a prefix, without it."""
    logged = trainer.callback_metrics.items()
    return {name.removeprefix(prefix): float(value) for name, value in logged if name.startswith(prefix)}


def print_results(results: dict[str, Any], path: Path) -> None:
    """Print a run beside its baselines."""
    rows = {"this run": results["metrics"], "this run at step 0": results["at_start"], **results["baselines"]}
    where = "not measured on any split" if results["split"] is None else f"measured on the {results['split']} split"
    print_table(f"step {results['step']}, {where}", rows)
    for name, i in results["differences"].items():
        print(  # noqa: T201 - part of the table
            f"map_all minus {name}: {i['difference']:+.4f}, 95 % of resampled queries in "
            f"[{i['low']:+.4f}, {i['high']:+.4f}]"
        )
    print(f"run folder: {path.parent.resolve()}", flush=True)  # noqa: T201 - what the user looks for
