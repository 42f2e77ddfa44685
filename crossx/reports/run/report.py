"""The results of a run: `results.json` in its folder, and the same as a table."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn

from crossx.core.atomic import write_text
from crossx.core.seeding import run_seed
from crossx.core.version import __version__
from crossx.evaluation.functional import RetrievalScores
from crossx.reports.lookup import real_images
from crossx.reports.present_module import PresentModule
from crossx.reports.run.instances import instance_results
from crossx.reports.run.measured import images_of, measured, measured_hash
from crossx.reports.run.results import RunResults, mean_over_queries
from crossx.reports.run.summary import print_results
from crossx.reports.section import Section
from crossx.training.hashes import teacher_hashes
from crossx.training.lightning_state import is_fast_dev_run, run_folder
from crossx.training.module import CrossxModule
from crossx.training.retrieval import RetrievalModule
from crossx.types import Split


class RunReport(Callback):
    """Writes `results.json` at the end of every fit, validation and test, and prints it as a table.

    Attributes:
        config: The resolved config, set by the command line; empty when used from Python.
        at_start: Metrics before the first step; empty where the run did not measure them.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.at_start: dict[str, float] = {}
        self._start: dict[str, Any] = {}  # each query's average precision, and on which images
        self._module = PresentModule()
        self._checkpoint_step = 0
        self._measured_at = -1
        self._measured: dict[str, float] = {}
        self._seconds_before = 0.0
        self._started = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a resumed run adds to."""
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
        """Start the clock of a fit; a validation right after it belongs to it. Another module has another record."""
        if self._module.is_another(pl_module):
            self.at_start, self._start = {}, {}
            self._checkpoint_step, self._seconds_before = 0, 0.0
        if stage == "fit":
            self._started = time.monotonic()
            self._measured_at, self._measured = -1, {}

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
                self._start = {"images": images_of(trainer, pl_module, "validation"), "ap_all": ap_all}
            return
        self._measured_at, self._measured = trainer.global_step, metrics
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "validation", metrics)
        elif self.at_start and not self._is_start(trainer, pl_module, "validation"):
            rank_zero_warn(
                "the validation images are not those of step 0 (other images, another size, another pen, or encoders "
                "that adapt to them): `at step 0` is left out, and earlier values in metrics.csv are not comparable "
                "with later ones"
            )
            self.at_start, self._start = {}, {}

    def _is_start(self, trainer: pl.Trainer, module: pl.LightningModule, split: Split | None) -> bool:
        """Whether the last measurement is of the images that were measured at step 0."""
        return self._start.get("images") == images_of(trainer, module, split)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the test split."""
        self._write(trainer, pl_module, "test", _metrics(trainer, "test/"))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the last weights, if they have been measured; a module without retrieval reports its logs."""
        if isinstance(pl_module, RetrievalModule):
            if real_images(trainer) is None or not self.is_stale(trainer):
                self._write(trainer, pl_module, "validation", self._measured)
        else:
            logged = {n: v for n, v in _metrics(trainer, "").items() if not n.startswith("health/")}
            summary = pl_module.fit_summary(logged) if isinstance(pl_module, CrossxModule) else (None, logged)
            self._write(trainer, pl_module, *summary)

    def _write(
        self, trainer: pl.Trainer, module: pl.LightningModule, split: Split | None, metrics: dict[str, float]
    ) -> None:
        folder = run_folder(trainer)
        if not trainer.is_global_zero or (folder is None and not is_fast_dev_run(trainer)):
            return
        results = self._collect(trainer, module, split, metrics)
        path = None if folder is None else folder / "results.json"
        if path is not None:
            write_text(path, results.to_json())
        if metrics:
            print_results(results.to_dict(), path)

    def _collect(
        self, trainer: pl.Trainer, module: pl.LightningModule, split: Split | None, metrics: dict[str, float]
    ) -> RunResults:
        """Collect this report's own measures, and merge the sections of the other reports."""
        sections: dict[str, Any] = {}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set in Trainer's constructor
            if isinstance(callback, Section):
                sections.update(callback.section(split))
        same_images = bool(metrics) and self._is_start(trainer, module, split)
        about = measured(trainer, module, split if metrics else None)
        scores = _by_query(module) if metrics else None
        dataset = real_images(trainer)
        return RunResults(
            split=split,
            metrics=metrics,
            at_start=self.at_start if same_images else {},
            ap_all=[] if scores is None else scores.ap_all.tolist(),
            ap_all_at_start=self._start["ap_all"] if same_images else [],
            labels=[] if scores is None else scores.label.tolist(),
            classes=[] if dataset is None else list(dataset.classes),
            precision_at_recall=[] if scores is None else mean_over_queries(scores),
            seed=run_seed(),
            step=trainer.global_step or self._checkpoint_step,
            seconds=round(self._seconds, 1),
            version=__version__,
            teachers=teacher_hashes(module),
            split_hash=measured_hash(trainer, module, split if metrics else None),
            measured=None if about is None else about.to_dict(),
            config=self.config,
            instance=instance_results(trainer, module) if metrics else None,
            sections=sections,
        )


def _by_query(module: pl.LightningModule) -> RetrievalScores | None:
    """Measures of each query at the last measurement; None where there was none."""
    return module.retrieval.by_query if isinstance(module, RetrievalModule) else None


def _metrics(trainer: pl.Trainer, prefix: str) -> dict[str, float]:
    """Logged scalars whose names start with a prefix, without the prefix."""
    logged = trainer.callback_metrics.items()
    return {name.removeprefix(prefix): float(value) for name, value in logged if name.startswith(prefix)}
