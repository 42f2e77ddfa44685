"""A benchmark that is small enough for a test, and what its runs gave."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import part, write
from support.runs import CLASSES, SIZE

from benchmarks.quality import __main__ as command
from benchmarks.quality import report
from benchmarks.quality.outcome import outcome
from benchmarks.quality.plan import Measurement
from benchmarks.quality.store import Result
from benchmarks.quality.types import Row, Table
from crossx.types import Split

CLASSIFIER_ONLY = ("classifier_only.yaml",)
CROSSX = Row("crossx", "crossx")
ROWS = (
    Row("classifier_only", "Classifier Only", CLASSIFIER_ONLY, trains=False, shared_start=True),
    Row("posterior_matching", "posterior matching", CLASSIFIER_ONLY, trains=False, baseline="posterior"),
    Row("broken", "Broken", argv=("--model.reconstruction.init_args.generator.init_args.size=7",)),
    Row(
        "diverging",
        "Diverging",
        argv=("--model.encoding.init_args.optimizer={class_path: SGD, init_args: {lr: 1e38}}",),
    ),
    CROSSX,
)
CLASSIFIER_ONLY_MODEL = {
    "model": part(
        "EncoderModule",
        encoder=part("ClassifierOnly"),
        terms={"matching": {"loss": part("PosteriorMatchingLoss")}},
        replay=None,
    )
}
MOMENTS = {"moments": {"loss": part("ActivationMomentsLoss", photo="a record", sketch="a record")}}
RECORDED = Row("recorded", "Recorded", ("meta_data.yaml",), records=True)
BAD = Row("bad", "Bad", argv=("--model.nothing=1",))
MORE = Row(
    "more", "other images", measured_argv=("--data.dataset.init_args.validation=3",), groups={"first": (CLASSES[0],)}
)
_ALONE = ("--model.schedule.generator_steps=0", "--trainer.max_steps=4")
GIVEN = Row("given", "given generators", argv=_ALONE, shared_generators=True)
LONGER = Row(
    "longer",
    "longer embedding",
    argv=(*_ALONE, "--model.encoding.init_args.encoder.init_args.dim=5"),
    shared_generators=True,
)
ELSEWHERE = (CROSSX, MORE, BAD, RECORDED, GIVEN, LONGER)
TABLES = (
    Table("published", "Baselines", "About them.", ROWS, "crossx", seeds=2),
    Table("elsewhere", "Elsewhere", "About it.", ELSEWHERE, "crossx", seeds=1, groups=("first",)),
)

Measure = Callable[..., int]


def teacher_config(folder: Path, modality: str) -> str:
    dataset = part("ShapesDataset", size=SIZE, train=2, validation=2, test=2)
    content = {
        "model": part("ClassifierModule", output="unused.safetensors", input_size=SIZE, arguments={"widths": [8, 8]}),
        "data": part("LabelledImagesDataModule", dataset=dataset, modality=modality, batch_size=8),
        "trainer": {"accelerator": "cpu", "max_steps": 2, "max_epochs": -1, "enable_model_summary": False},
    }
    return write(folder / f"{modality}.yaml", content)


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "draw", lambda *_: None)
    monkeypatch.setattr(report.Report, "_sheets", lambda *_: None)


def results(tmp_path: Path, row: str, folder: str = "out", split: Split = "validation") -> list[Result]:
    """Current results of a row and its failures, seed by seed."""
    benchmark = vars(command)["BENCHMARKS"]["shapes"]
    measured = [Measurement(benchmark, benchmark.rows[row], s, split, tmp_path / folder) for s in range(2)]
    return [found for m in measured if (found := outcome(m)) is not None]


def result(tmp_path: Path, row: str, folder: str = "out", split: Split = "validation") -> Result:
    (found,) = results(tmp_path, row, folder, split)
    return found


def measurements(tmp_path: Path, row: str) -> list[Path]:
    """Folders of all measurements of a row, current or not."""
    return sorted(path.parent for path in (tmp_path / "out/runs/shapes").glob(f"{row}-*/done.json"))
