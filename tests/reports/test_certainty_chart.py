"""The picture of certainties: bars and points where the numbers say."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from support.drawing_runs import instances, semi_supervised
from support.runs import trainer

from crossx.finegrained.certainty.held_out import CertaintyMeasures
from crossx.finegrained.joint.schedule import JointSchedule
from crossx.reports.pictures.certainty import CertaintyCharts, certainty_chart
from crossx.reports.pictures.charts import PHOTO, SKETCH


def test_bars_and_points_stand_where_the_numbers_are() -> None:
    """All true sketches are certain, and all drawings are not: bars at both ends, points on the diagonal's ends."""
    picture = certainty_chart(CertaintyMeasures(torch.full((4,), 0.99), torch.full((4,), 0.01), 0.5), step=7)
    histogram, diagram = picture.crop((40, 48, 280, 288)), picture.crop((340, 48, 590, 300))
    dark, blue = ([x for x in range(240) if histogram.getpixel((x, 200)) == c] for c in (SKETCH, PHOTO))
    assert min(dark) > 200
    assert max(blue) < 40
    points = [(x, y) for x in range(250) for y in range(252) if diagram.getpixel((x, y)) == PHOTO]
    assert {(x > 120, y < 120) for x, y in points} == {(False, False), (True, True)}


def test_a_joint_run_writes_the_picture(tmp_path: Path) -> None:
    module = semi_supervised(tmp_path, schedule=JointSchedule(1, 1, 0, 0, 1))
    charts = CertaintyCharts()
    run = trainer(tmp_path, 4, [charts], num_sanity_val_steps=0)
    run.fit(module, datamodule=instances(batches_per_epoch=4))
    with Image.open(tmp_path / "certainty.png") as picture:
        assert picture.size == (600, 328)
    assert module.certainty is not None
    assert len(module.certainty.real) == 10, "half of the photos of the validation part"
    logged = {name: float(run.callback_metrics[f"val/{name}"]) for name in module.certainty.values}
    assert logged == pytest.approx(module.certainty.values)
