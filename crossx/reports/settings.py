"""Settings of the reports, as a config has them under `reports:`."""

from dataclasses import dataclass, field
from typing import TypeVar

from lightning.pytorch.callbacks import Callback

from crossx.core.checks import must_be_in
from crossx.reports.fixed import FixedPairs
from crossx.reports.health.detectors import Detector
from crossx.reports.health.diversity import Diversity
from crossx.reports.health.monitor import HealthMonitor
from crossx.reports.pictures.certainty import CertaintyCharts
from crossx.reports.pictures.drawings import DrawingSheets
from crossx.reports.pictures.filmstrip import Filmstrip
from crossx.reports.pictures.hardest import HardestPairs
from crossx.reports.pictures.histograms import ClassHistograms
from crossx.reports.pictures.pairs import PairSheets
from crossx.reports.pictures.ranks import RankCurves
from crossx.reports.pictures.retrieval import RetrievalSheets
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.run.checkpoint import LastCheckpoint
from crossx.reports.run.embeddings import EmbeddingWriter
from crossx.reports.run.export import EncoderExport
from crossx.reports.run.report import RunReport
from crossx.reports.run.scalars import ScalarTable
from crossx.reports.validations import AfterValidation
from crossx.reports.wandb import WandbDashboard

PartT = TypeVar("PartT")


@dataclass
class RunRecord:
    """The record of a run: results, checkpoint, encoders, embeddings and scalars, which every run writes.

    Attributes:
        baselines: Measure the teachers alone on the images of the run; `health.diversity` needs the result.
        checkpoint_every_n_steps: Write the checkpoint after every so many steps as well, for epochs of hours, at least
            1; None: at the end of epochs only.
    """

    baselines: bool = True
    checkpoint_every_n_steps: int | None = None


@dataclass
class Health:
    """Health of a training.

    Attributes:
        detectors: What is looked for, with thresholds; None for all detectors with their usual thresholds.
        diversity: Measure the variety of generated images after each validation.
        stop_on_collapse: End a run before its encoders learn from generators whose images of a class are copies
            (`mode_collapse`), or that hardly make some classes (`class_imbalance`).
    """

    detectors: list[Detector] | None = None
    diversity: bool = True
    stop_on_collapse: bool = True


@dataclass
class Pictures:
    """Pictures in the run folder; `false` switches a single one off.

    Attributes:
        every: Pictures come after every so many validations, at least 1, and always at the end of a fit.
        pairs: Generated pairs.
        retrieval: Queries with the photos that they find.
        histograms: Counts of classes.
        hardest: Pairs whose embeddings lie farthest apart.
        filmstrip: Images of fixed latents over the steps.
        drawings: Drawings of a generator beside photos and true sketches, and their lengths.
        certainty: Certainties of true sketches and of drawings, and how far they can be believed.
        ranks: How many sketches find their own photo among the first k, in fine-grained retrieval.
    """

    every: int = 1
    pairs: bool | PairSheets = True
    retrieval: bool | RetrievalSheets = True
    histograms: bool | ClassHistograms = True
    hardest: bool | HardestPairs = True
    filmstrip: bool | Filmstrip = True
    drawings: bool | DrawingSheets = True
    certainty: bool | CertaintyCharts = True
    ranks: bool | RankCurves = True


@dataclass
class Reports:
    """Switches of all reports; `false` switches a group off.

    Attributes:
        run: The record of the run.
        health: Measures of the training and warnings.
        pictures: Pictures and tables beside them.
        wandb: The dashboard of a run with a `WandbLogger`.
    """

    run: RunRecord = field(default_factory=RunRecord)
    health: bool | Health = True
    pictures: bool | Pictures = True
    wandb: bool | WandbDashboard = True


def callbacks(reports: Reports) -> list[Callback]:
    """Build the callbacks of a run, in the order that matters.

    Args:
        reports: The settings.

    Raises:
        InputError: When a number is out of range.
    """
    baselines = TeacherBaselines()
    health = _part(reports.health, Health)
    pictures = _part(reports.pictures, Pictures)
    found: list[Callback] = [ScalarTable()]  # first: all others may log, and the table is a logger
    if reports.run.baselines:
        found.append(baselines)  # before the diversity, which is a share of what the baselines measure
    if health is not None:
        # Before the checkpoint, which the monitor refuses when a weight is not finite.
        found.append(HealthMonitor(health.detectors, health.stop_on_collapse))
    if pictures is not None:
        found += _pictures(pictures)
    if health is not None and health.diversity:
        found.append(Diversity(baselines))
    found += [EncoderExport(), EmbeddingWriter()]
    found.append(RunReport())  # after all that contributes to results.json or prints before the table
    found.append(LastCheckpoint(reports.run.checkpoint_every_n_steps))
    dashboard = _part(reports.wandb, WandbDashboard)
    if dashboard is not None:
        found.append(dashboard)  # last: it sends what the others have written
    shared = FixedPairs()
    for callback in found:
        if isinstance(callback, AfterValidation):
            callback.fixed = shared
    return found


def _pictures(pictures: Pictures) -> list[Callback]:
    must_be_in("reports.pictures.every", pictures.every, "[1, inf)")
    chosen = [
        _part(pictures.pairs, PairSheets),
        _part(pictures.retrieval, RetrievalSheets),
        _part(pictures.histograms, ClassHistograms),
        _part(pictures.hardest, HardestPairs),
        _part(pictures.filmstrip, Filmstrip),
        _part(pictures.drawings, DrawingSheets),
        _part(pictures.certainty, CertaintyCharts),
        _part(pictures.ranks, RankCurves),
    ]
    found = [picture for picture in chosen if picture is not None]
    for picture in found:
        picture.every = pictures.every
    return list(found)


def _part(setting: bool | PartT, kind: type[PartT]) -> PartT | None:
    """Return the part of a setting: the default part for true, none for false."""
    if isinstance(setting, bool):
        return kind() if setting else None
    return setting
