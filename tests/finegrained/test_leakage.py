"""No photo or sketch of the test part is opened or named in training, on a small folder in the layout of ShoeV2."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from support.runs import trainer

from crossx.data.paired import PairedData
from crossx.data.qmul_v2 import QMULV2
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.encoders import NetworkEncoder
from crossx.finegrained.data import FineGrainedDataModule
from crossx.finegrained.retrieval.losses import InstanceNCE, InstanceTerm
from crossx.finegrained.retrieval.module import FineGrainedModule
from crossx.networks.small_resnet import SmallResNet
from crossx.reports.run.report import RunReport

PHOTOS, SIZE = 10, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`trainA`, `trainB`, `testA`, `testB`, and a folder of further photos, one of which is a test photo."""
    root = tmp_path_factory.mktemp("shoev2")
    data = ShapesDataset(size=24, detail="fine", train=PHOTOS, test=PHOTOS, sketches=2, cache=False)
    for split in ("train", "test"):
        for side in "AB":
            (root / "shoe" / f"{split}{side}").mkdir(parents=True)
        photos, sketches = data.images("photo", split), data.images("sketch", split)
        for i in range(PHOTOS):
            save = Image.fromarray(photos.read(i).permute(1, 2, 0).numpy())
            save.save(root / "shoe" / f"{split}B" / f"{split}_{i}.png")
            for copy in range(2):
                drawn = Image.fromarray(sketches.read(2 * i + copy).permute(1, 2, 0).numpy())
                drawn.save(root / "shoe" / f"{split}A" / f"{split}_{i}_{copy + 1}.png")
    (root / "extra").mkdir()
    for i in range(PHOTOS, PHOTOS + 5):
        other = Image.fromarray(data.images("photo", "train").read(i + 20).permute(1, 2, 0).numpy())
        other.save(root / "extra" / f"other_{i}.png")
    with Image.open(root / "shoe/testB/test_4.png") as planted:
        planted.resize((40, 40)).save(root / "extra" / "innocent.png")
    return root


def data(folder: Path) -> FineGrainedDataModule:
    readers = QMULV2("photo", str(folder)), QMULV2("sketch", str(folder))
    pairs = PairedData("shoe", *readers, SIZE, ["shoe"], extra={"shoe": str(folder / "extra")})
    return FineGrainedDataModule(pairs, fraction=0.5, batch_size=4, free_batch_size=4, batches_per_epoch=3)


def model() -> FineGrainedModule:
    torch.manual_seed(0)
    network = partial(SmallResNet, widths=[4, 8], norm="group")
    return FineGrainedModule(
        encoder=partial(NetworkEncoder, network=network, input_size=SIZE, dim=6),
        terms={"nce": InstanceTerm(InstanceNCE())},
    )


opened: list[str] = []
watching: list[bool] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if watching and event == "open" and str(arguments[0]).endswith(".png"):
        opened.append(str(arguments[0]))


@pytest.mark.filterwarnings("ignore:.*extra photos are left out")
def test_training_opens_no_image_of_the_test_part(folder: Path, tmp_path: Path) -> None:
    images = data(folder)
    assert [found.extra for found in images.dataset.duplicates] == ["extra/innocent.png"]  # type: ignore[attr-defined]
    sys.addaudithook(_hook)  # stays for the rest of the process, and does nothing while nobody watches
    watching.append(True)
    try:
        trainer(tmp_path, 12, limit_val_batches=0, num_sanity_val_steps=0).fit(model(), datamodule=images)
    finally:
        watching.clear()
    names = {Path(path).name for path in opened}
    assert {name for name in names if name.startswith("test")} == set()
    assert "innocent.png" not in names
    assert {"trainA", "trainB", "extra"} == {Path(path).parent.name for path in opened}
    train, test = images.dataset.images("photo", "train"), images.dataset.images("photo", "test")
    seen = [train.names[i] for i in images.dataset.unlabelled(0.5)]
    seen += [train.names[pair.photo] for pair in images.dataset.labelled(0.5)]
    assert not {Path(name).name for name in seen} & {Path(name).name for name in test.names}
    assert len(test) == PHOTOS


@pytest.mark.filterwarnings("ignore:.*extra photos are left out")
def test_a_resumed_run_is_the_straight_run(folder: Path, tmp_path: Path) -> None:
    finals = []
    for name, start in (("straight", None), ("resumed", tmp_path / "straight/step=5.ckpt")):
        save = ModelCheckpoint(tmp_path / name, filename="{step}", every_n_train_steps=1, save_top_k=-1)
        run = trainer(tmp_path / name, 8, [save], enable_checkpointing=True, limit_val_batches=0)
        module = model()
        run.fit(module, datamodule=data(folder), ckpt_path=start)
        assert run.global_step == 8
        finals.append(module.state_dict())
    for name, value in finals[0].items():
        assert torch.equal(value, finals[1][name]), name


@pytest.mark.filterwarnings("ignore:.*extra photos are left out")
def test_results_hold_the_ranks_and_the_labels(folder: Path, tmp_path: Path) -> None:
    images = data(folder)
    trainer(tmp_path, 1, [RunReport()]).test(model(), datamodule=images, verbose=False)
    found = json.loads((tmp_path / "results.json").read_text())
    ranks = torch.tensor(found["instance"]["ranks"])
    assert len(ranks) == 2 * PHOTOS
    assert found["metrics"]["acc_at_5"] == pytest.approx(float((ranks <= 5).float().mean()))
    assert found["ap_all"] == pytest.approx((1 / ranks).tolist(), abs=1e-6)
    assert found["instance"]["within_class_ranks"] == found["instance"]["ranks"]  # there is one class
    assert found["instance"]["photos"] == [i // 2 for i in range(2 * PHOTOS)]
    assert (found["instance"]["labelled_photos"], found["instance"]["labelled_pairs"]) == (5, 10)
    assert len(found["instance"]["labels_hash"]) == 64
    assert found["split_hash"] == images.dataset.split_hash
    assert not found["measured"]["partial"]
