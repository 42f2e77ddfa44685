"""Fits of a generator of drawings: exact resume, the file it writes, and the pictures at validation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from support.drawing_runs import POINTS, SIZE, drawer, instances
from support.runs import trainer

from crossx.core.errors import InputError
from crossx.data.drawn_photos import DrawnPhotos
from crossx.data.shapes.dataset import ShapesDataset
from crossx.finegrained.data import FineGrainedDataModule
from crossx.finegrained.drawing.files import load_generator
from crossx.finegrained.drawing.module import PhotoToSketchModule
from crossx.finegrained.items import StrokeRows
from crossx.finegrained.types import FineGrainedBatch, FiveBatch
from crossx.reports.pictures.drawings import DrawingSheets, first_points, heat, length_chart
from crossx.types import Progress

STEPS = 6


def fit(folder: Path, ckpt_path: Path | None = None) -> PhotoToSketchModule:
    """Train to step 6 with validations after 5, and keep a checkpoint a step."""
    module = drawer()
    seed_everything(3, verbose=False)  # behind the parts, which seed torch
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    run = trainer(folder, STEPS, [save, DrawingSheets(3)], enable_checkpointing=True, num_sanity_val_steps=0)
    run.fit(module, datamodule=instances(free_batch_size=0), ckpt_path=ckpt_path)
    assert run.global_step == STEPS
    return module


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    fit(folder)
    return folder


@pytest.mark.parametrize("step", [2, 5])
def test_a_resumed_fit_is_the_straight_fit(straight: Path, tmp_path: Path, step: int) -> None:
    """Within an epoch, and at its end."""
    fit(tmp_path, straight / f"step={step}.ckpt")
    first, second = (
        torch.load(folder / f"step={STEPS}.ckpt", weights_only=True)["state_dict"] for folder in (straight, tmp_path)
    )
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    changed = torch.load(straight / "step=2.ckpt", weights_only=True)["state_dict"]
    assert any(not torch.equal(first[name], changed[name]) for name in first), "the last steps have trained"


def test_the_file_holds_the_last_weights(straight: Path) -> None:
    state = torch.load(straight / f"step={STEPS}.ckpt", weights_only=True)["state_dict"]
    written = load_generator(straight / "generator.safetensors").state_dict()
    assert all(torch.equal(written[name], state[f"generator.{name}"]) for name in written)


def test_validation_shows_drawings_and_lengths(straight: Path) -> None:
    with Image.open(straight / "drawings.png") as sheet, Image.open(straight / "lengths.png") as chart:
        assert sheet.width > 7 * 96
        assert sheet.height > 3 * 96
        assert np.asarray(sheet.convert("L")).std() > 20, "photos and drawings are on it"
        assert chart.size == (640, 420)


def test_a_generator_learns_from_pictures_of_drawings_alone(tmp_path: Path) -> None:
    dataset = DrawnPhotos(ShapesDataset(size=SIZE, train=2, validation=1, test=1, detail="fine"))
    data = FineGrainedDataModule(dataset, fraction=1.0, batch_size=4, strokes=StrokeRows(40), batches_per_epoch=2)
    module = drawer()
    trainer(tmp_path, 2, num_sanity_val_steps=0).fit(module, datamodule=data)
    assert 0 < float(module.generator.scale) < 1
    assert all(torch.isfinite(parameter).all() for parameter in module.parameters())


def test_a_fit_without_strokes_is_refused(tmp_path: Path) -> None:
    data = instances(free_batch_size=0)
    data.strokes = None
    with pytest.raises(InputError, match=r"^data\.strokes: must be StrokeRows, because a generator learns from str"):
        trainer(tmp_path, 1, limit_val_batches=0).fit(drawer(), datamodule=data)


def test_other_modules_have_no_sheets(tmp_path: Path) -> None:
    sheets = DrawingSheets()
    run = trainer(tmp_path)
    run.datamodule = instances()  # type: ignore[attr-defined]  # as a fit sets it
    sheets.show(run, drawer(), tmp_path)  # its generator has seen no drawing
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"^drawings\.photos: must be at least 1, got 0$"):
        DrawingSheets(0)


def test_parts_of_a_drawing_by_hand() -> None:
    strokes = [np.zeros((3, 2), dtype=np.float32), np.ones((5, 2), dtype=np.float32)]
    shown = [[len(stroke) for stroke in first_points(strokes, share)] for share in (0.01, 0.25, 0.5, 1.0)]
    assert shown == [[1], [2], [3, 1], [3, 5]]


def test_a_photo_is_dark_where_nobody_looks() -> None:
    seen = heat(torch.ones(3, 8, 8), torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    assert float(seen[0, 7, 7]) == pytest.approx(1.0)
    assert float(seen[0, 0, 0]) == pytest.approx(0.25)


def test_bars_stand_where_the_lengths_are() -> None:
    few, many = torch.tensor([[2, 1]] * 4), torch.tensor([[60, 9]] * 4)
    chart = np.asarray(length_chart(few, many).convert("L"))
    points = chart[40:199]  # between the title and the line below the bars
    left, right = points[:, 12:200], points[:, 450:640]
    assert (left < 200).any()
    assert (right < 200).any()
    assert (points[:, 250:400] > 200).all(), "no drawing has so many points"


def test_a_drawing_that_it_could_not_end_is_not_learned() -> None:
    module = drawer()
    rows = torch.zeros(1, POINTS + 2, 5)
    rows[..., 2] = 1
    photo = torch.rand(1, 3, SIZE, SIZE)
    batch = FineGrainedBatch(photo, photo, torch.zeros(1).long(), five=FiveBatch(rows, torch.tensor([POINTS + 1]), 0.1))
    with pytest.raises(InputError, match=rf"^model\.max_points: must be above the {POINTS + 1} points of a drawing "):
        module.step(batch, Progress(0, None))
