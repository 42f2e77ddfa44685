"""The pictures of a run, read back from their files."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from support.runs import CLASSES, SIZE, Teachers, data, joint, reconstruction, trainer

from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.data.shapes.dataset import ShapesDataset
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.losses.one_hot import OneHotLoss
from crossx.reports.pictures.filmstrip import Filmstrip
from crossx.reports.pictures.hardest import HardestPairs
from crossx.reports.pictures.histograms import ClassHistograms
from crossx.reports.pictures.pairs import PairSheets, class_sheet, pair_sheet
from crossx.reports.pictures.retrieval import RetrievalSheets
from crossx.reports.pictures.sheets import NEUTRAL, RIGHT, WRONG, Sheet, to_picture
from crossx.reports.settings import Pictures, Reports, callbacks
from crossx.teachers.pair import TeacherPair
from crossx.training.objective import WeightedObjective
from crossx.types import PairBatch, TeacherOutput

Pixels = npt.NDArray[np.uint8]
TOP, GAP, FRAME, LINE = 24, 6, 3, 13
"""Title, space around cells, width of a frame and height of a line of text, in pixels."""


def pixels(path: Path) -> Pixels:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def size(rows: int, columns: int, side: int) -> tuple[int, int, int]:
    """Shape of a sheet with one line of text in each cell."""
    cell = side + 2 * FRAME + GAP
    return (rows * (cell + LINE) + GAP + TOP, columns * cell + GAP, 3)


def cell(sheet: Pixels, row: int, column: int, side: int) -> tuple[tuple[int, ...], Pixels]:
    """Colour of the frame, which must be the same on all sides, and the image in it."""
    y, x = TOP + GAP + row * (side + 2 * FRAME + GAP + LINE), GAP + column * (side + 2 * FRAME + GAP)
    framed = sheet[y : y + side + 2 * FRAME, x : x + side + 2 * FRAME]
    inside = framed[FRAME:-FRAME, FRAME:-FRAME]
    is_frame = np.ones(framed.shape[:2], dtype=bool)
    is_frame[FRAME:-FRAME, FRAME:-FRAME] = False
    colours = {tuple(int(value) for value in colour) for colour in framed[is_frame]}
    assert len(colours) == 1
    return colours.pop(), inside


def drawn(image: torch.Tensor, side: int) -> Pixels:
    return np.asarray(to_picture(image, side))


def test_frames_are_green_where_both_teachers_see_the_same_class(teachers: Teachers, tmp_path: Path) -> None:
    seen_in_photo, seen_in_sketch = torch.tensor([0, 1, 2, 9]), torch.tensor([0, 2, 2, 8])
    photo, sketch = (torch.full((4, 3, SIZE, SIZE), grey) for grey in (0.2, 0.6))
    outputs = [TeacherOutput(torch.eye(10)[seen] * 5, torch.ones(4, 2)) for seen in (seen_in_photo, seen_in_sketch)]
    pairs = PairBatch(photo, sketch, outputs[0], outputs[1], seen_in_photo)
    pair_sheet(pairs, TeacherPair(*teachers), 3, "title").save(tmp_path / "new/sheet.png")
    sheet = pixels(tmp_path / "new/sheet.png")
    assert sheet.shape == size(2, 3, 96), "no more pairs than asked for"
    for row, grey in ((0, 51), (1, 153)):  # photos stand over sketches
        for column, frame in enumerate([RIGHT, WRONG, RIGHT]):
            colour, image = cell(sheet, row, column, 96)
            assert colour == frame
            assert (image == grey).all()
    assert [path.name for path in tmp_path.rglob("*.*")] == ["sheet.png"], "no temporary file is left"


def test_classes_are_shown_by_their_likeliest_images(teachers: Teachers, tmp_path: Path) -> None:
    """Photos and sketches that were generated independently of each other are no pairs."""
    grey = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1, 1).expand(3, 3, SIZE, SIZE)
    logits = torch.zeros(3, 10)
    logits[[0, 1, 2], [1, 0, 1]] = torch.tensor([2.0, 3.0, 4.0])
    output = TeacherOutput(logits, torch.ones(3, 2))
    pairs = PairBatch(grey, grey, output, TeacherOutput(logits.flip(0), torch.ones(3, 2)), torch.zeros(3))
    class_sheet(pairs, TeacherPair(*teachers), 3, "title").save(tmp_path / "sheet.png")
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape == size(2, 3, 96), "no more classes than asked for"
    # Of class 1, photo 2 is likelier than photo 0; no image is of class 2, and the least sure one comes nearest.
    for row, shown in ((0, (1, 2, 0)), (1, (1, 0, 2))):
        cells = [cell(sheet, row, column, 96) for column in range(3)]
        assert [colour for colour, _ in cells] == [RIGHT, RIGHT, NEUTRAL]
        assert [int(image[0, 0, 0]) for _, image in cells] == [round(255 * float(grey[i, 0, 0, 0])) for i in shown]


def test_small_images_keep_their_pixels() -> None:
    corners = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).expand(3, 2, 2)
    blocks = np.kron(np.array([[0, 255], [255, 0]]), np.ones((4, 4)))
    assert (drawn(corners, 8) == blocks[..., None]).all()
    assert drawn(torch.rand(3, 16, 16), 24).shape == (24, 24, 3)
    assert (drawn(torch.full((3, 4, 4), 2.0), 6) == 255).all(), "out of range is clamped"


def test_long_names_stay_in_their_cell() -> None:
    sheet = Sheet(1, 2, side=40, lines=1, title="")
    sheet.place(0, 0, torch.zeros(3, 4, 4), NEUTRAL, ["a class with a very long name indeed"])
    strip = np.asarray(sheet.picture)[TOP + GAP + 40 + 2 * FRAME :]
    assert (strip[:, : GAP + sheet.cell[0]] < 255).any(), "there is a text"
    assert (strip[:, GAP + sheet.cell[0] :] == 255).all()


def test_joint_run_leaves_a_sheet_of_pairs_every_epoch(joint_run: Path) -> None:
    names = sorted(path.name for path in (joint_run / "pairs").iterdir())
    assert names == ["step_0000002.png", "step_0000004.png"]
    for name in names:
        sheet = pixels(joint_run / "pairs" / name)
        assert sheet.shape == size(2, 8, 96), "as many pairs as a batch has, below the limit of 12"
        cells = [cell(sheet, row, column, 96) for row in range(2) for column in range(8)]
        assert {colour for colour, _ in cells} <= {RIGHT, WRONG}
        assert all(len(np.unique(image)) > 5 for _, image in cells), "images, and not one colour"
        assert [colour for colour, _ in cells[:8]] == [colour for colour, _ in cells[8:]]
        for _, sketch in cells[8:]:
            assert (sketch == sketch[..., :1]).all(), "sketches have one channel"


def test_pairs_are_marked_only_where_they_are_to_agree(teachers: Teachers, tmp_path: Path) -> None:
    """Independent photos and sketches are shown by class, and the filmstrip has no marks."""
    losses = {"predicted": OneHotLoss(labels="predicted"), "agreed": OneHotLoss(labels="agreed")}
    for (labels, loss), columns in zip(losses.items(), (10, 4), strict=True):
        module = reconstruction(teachers)
        module.objective = WeightedObjective({"one_hot": ReconstructionTerm(loss)})
        folder, host = tmp_path / labels, trainer(tmp_path, 1)
        host.datamodule = data()  # type: ignore[attr-defined]  # as in a fit
        for picture in (PairSheets(), Filmstrip(latents=1)):
            picture.show(host, module, folder)
        assert pixels(folder / "pairs/step_0000000.png").shape == size(2, columns, 96)
        strip = pixels(folder / "filmstrip.png")
        marked = {colour for colour in (RIGHT, WRONG) if (strip == colour).all(-1).any()}
        assert bool(marked) == (labels == "agreed")


def test_same_latents_on_every_sheet(teachers: Teachers, tmp_path: Path) -> None:
    still = reconstruction(teachers, optimizer=partial(torch.optim.SGD, lr=0.0))
    sheets = PairSheets(pairs=3)
    sheets.every = 2
    trainer(tmp_path, 20, [sheets]).fit(still, datamodule=data())  # 5 steps an epoch
    paths = sorted((tmp_path / "pairs").iterdir())
    assert [path.name for path in paths] == ["step_0000010.png", "step_0000020.png"]
    first, second = (pixels(path) for path in paths)
    assert first.shape == size(2, 3, 96)
    assert (first[TOP:] == second[TOP:]).all()
    assert (cell(first, 0, 0, 96)[1] != cell(first, 0, 1, 96)[1]).any()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_ranked_lists_are_those_of_the_last_weights(joint_run: Path) -> None:
    rows = rows_of(joint_run / "retrieval/validation.csv")
    assert [(int(row["query"]), int(row["rank"])) for row in rows] == [(q, k) for q in range(20) for k in range(1, 11)]
    module = CoTrainingModule.load_from_checkpoint(joint_run / "checkpoints/last.ckpt", map_location="cpu").eval()
    dataset = ShapesDataset(size=SIZE, train=2, validation=2, test=2)
    photos, sketches = dataset.images("photo", "validation"), dataset.images("sketch", "validation")
    with torch.no_grad():
        gallery = module.encode(torch.stack([photos[i].image for i in range(20)]), "photo")
        queries = module.encode(torch.stack([sketches[i].image for i in range(20)]), "sketch")
    scores = queries @ gallery.T
    best = scores.sort(dim=1, descending=True).values
    for row in rows:
        query, photo, rank = int(row["query"]), int(row["photo"]), int(row["rank"])
        assert float(row["score"]) == pytest.approx(float(scores[query, photo]), abs=1e-5)
        assert float(row["score"]) == pytest.approx(float(best[query, rank - 1]), abs=1e-5)
        assert row["right"] == str(int(photos.labels[photo] == sketches.labels[query]))
        assert (row["query_name"], row["photo_name"]) == (sketches.names[query], photos.names[photo])


def test_retrieval_sheet_shows_the_ranked_lists(joint_run: Path) -> None:
    names = sorted(path.name for path in (joint_run / "retrieval").glob("*.png"))
    assert names == ["validation_step_0000002.png", "validation_step_0000004.png"]
    sheet = pixels(joint_run / "retrieval" / names[-1])
    rows = rows_of(joint_run / "retrieval/validation.csv")
    ap = {int(row["query"]): float(row["ap_all"]) for row in rows}
    spread = [0, 2, 4, 6, 8, 11, 13, 15, 17, 19]
    shown = [*spread, *(query for query in sorted(ap, key=ap.__getitem__)[:2] if query not in spread)]
    assert sheet.shape == size(len(shown), 11, 72)
    dataset = ShapesDataset(size=SIZE, train=2, validation=2, test=2)
    photos, sketches = dataset.images("photo", "validation"), dataset.images("sketch", "validation")
    assert {sketches.labels[query] for query in shown[:10]} == set(range(len(CLASSES))), "spread over all classes"
    frames = set()
    for place, query in enumerate(shown):
        frame, image = cell(sheet, place, 0, 72)
        assert frame == NEUTRAL
        assert (image == drawn(sketches[query].image, 72)).all()
        for row in rows[query * 10 : query * 10 + 10]:
            frame, image = cell(sheet, place, int(row["rank"]), 72)
            assert frame == (RIGHT if row["right"] == "1" else WRONG)
            assert (image == drawn(photos[int(row["photo"])].image, 72)).all()
            frames.add(frame)
    assert frames == {RIGHT, WRONG}


def test_pictures_of_one_module_are_not_those_of_the_next(teachers: Teachers, tmp_path: Path) -> None:
    strip, pairs, hardest, counts = Filmstrip(latents=2), PairSheets(), HardestPairs(), ClassHistograms()
    shown = trainer(tmp_path, 5, [strip, pairs, hardest, counts])
    shown.fit(first := joint(teachers), datamodule=data())
    assert len(strip.state_dict()["frames"]) == 1
    assert len(hardest._batches) > 0
    assert pairs._last is not None
    for callback in (strip, pairs, hardest, counts):
        callback.setup(shown, first, "validate")
    assert len(strip.state_dict()["frames"]) == 1, "the validation after a fit belongs to it"
    second = joint(teachers)
    for callback in (strip, pairs, hardest, counts):
        callback.setup(shown, second, "fit")
    assert (strip.state_dict()["frames"], strip.state_dict()["times"]) == ([], 0)
    kept: list[object] = [list(hardest._batches), pairs._last, counts._counts]
    assert kept == [[], None, None]


def test_test_split_has_a_sheet_of_its_own(teachers: Teachers, tmp_path: Path) -> None:
    callbacks: list[Callback] = [RetrievalSheets(queries=3, worst=0)]
    trainer(tmp_path, callbacks=callbacks).test(
        joint(teachers), datamodule=data(teachers, evaluated=True), verbose=False
    )
    assert sorted(path.name for path in (tmp_path / "retrieval").iterdir()) == ["test.csv", "test.png"]
    assert pixels(tmp_path / "retrieval/test.png").shape == size(3, 11, 72)
    assert len(rows_of(tmp_path / "retrieval/test.csv")) == 20 * 10


def test_ranked_lists_of_a_part_have_the_names_of_its_images(teachers: Teachers, tmp_path: Path) -> None:
    part = trainer(tmp_path, callbacks=[RetrievalSheets(queries=3, worst=0)], limit_test_batches=1)
    images = data(teachers, evaluated=True, eval_batch_size=7)
    part.test(joint(teachers), datamodule=images, verbose=False)
    photos, sketches = images.images("test")
    rows = rows_of(tmp_path / "retrieval/test.csv")
    assert {row["query_name"] for row in rows} == set(sketches.names[:7])
    assert {row["photo_name"] for row in rows} == set(photos.names[:7])


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"^pairs\.pairs: must be at least 1, got 0$"):
        PairSheets(pairs=0)
    with pytest.raises(InputError, match=r"^reports\.pictures\.every: must be at least 1, got 0$"):
        callbacks(Reports(pictures=Pictures(every=0)))
    with pytest.raises(InputError, match=r"^retrieval\.queries: must be at least 1, got 0$"):
        RetrievalSheets(queries=0)
    with pytest.raises(InputError, match=r"^retrieval\.worst: must be at least 0, got -1$"):
        RetrievalSheets(worst=-1)
