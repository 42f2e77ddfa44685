"""The curves of ranks: points where the numbers say, written by a run."""

import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from support.drawing_runs import instances, semi_supervised
from support.runs import trainer

from crossx.evaluation.instances import InstanceScores
from crossx.finegrained.joint.schedule import JointSchedule
from crossx.reports.pictures.charts import PHOTO, SKETCH
from crossx.reports.pictures.ranks import RankCurves, marks, rank_chart


@pytest.mark.parametrize(
    ("photos", "expected"),
    [(1, [1]), (2, [1, 2]), (10, [1, 2, 5, 10]), (60, [1, 2, 5, 10, 20, 50, 60]), (100, [1, 2, 5, 10, 20, 50, 100])],
)
def test_marks_end_at_the_gallery(photos: int, expected: list[int]) -> None:
    assert marks(photos) == expected


def scores(ranks: list[int], class_ranks: list[int], photos: int) -> InstanceScores:
    here = torch.zeros(len(ranks), dtype=torch.long)
    return InstanceScores(here, here, torch.tensor(ranks), torch.tensor(class_ranks), here.bool(), here + photos)


def test_points_stand_where_the_numbers_are() -> None:
    """Half of the sketches find their photo first, and all within ten; in the class all find it first."""
    picture = rank_chart(scores([1, 10], [1, 1], 100), "step 7")
    left, right, top, bottom = 44, 520 - 16, 50, 320 - 40
    ten = left + math.log(10) / math.log(100) * (right - left)
    assert picture.getpixel((left, (top + bottom) // 2)) == PHOTO
    assert picture.getpixel((round(ten), top)) == PHOTO, "behind it both curves are one, and blue is on top"
    assert picture.getpixel((left, top)) == SKETCH
    assert picture.getpixel(((left + round(ten)) // 2, (top + bottom) // 2)) != SKETCH


def test_a_run_writes_the_picture(tmp_path: Path) -> None:
    run = trainer(tmp_path, 2, [RankCurves()], num_sanity_val_steps=0)
    run.fit(semi_supervised(tmp_path, schedule=JointSchedule(1, 1, 0, 0, 1)), datamodule=instances(batches_per_epoch=2))
    with Image.open(tmp_path / "ranks.png") as picture:
        assert picture.size == (520, 320)


def test_one_photo_is_a_gallery_too() -> None:
    assert rank_chart(scores([1], [1], 1), "step 0").getpixel((44, 50)) == PHOTO
