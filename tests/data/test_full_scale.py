"""The data sets of the paper in their exact layouts: every class is found, and nothing is in two parts."""

from pathlib import Path

import pytest
from support import layouts

from crossx.cli.training import build
from crossx.core.errors import InputError
from crossx.core.paths import package_file
from crossx.data.base import RetrievalData
from crossx.data.class_map import read_class_map
from crossx.data.split_file import SPLITS
from crossx.types import MODALITIES, Modality


def classes(name: str) -> list[str]:
    return list(read_class_map(package_file(f"data/splits/{name}.json")).folders)


def data_of(config: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> RetrievalData:
    """The data set that a shipped config names, in a folder."""
    monkeypatch.setenv("CROSSX_DATA", str(root))
    words = ["fit", "--config", "quickstart.yaml", "--config", f"data/{config}.yaml", "--data.unknown_classes=true"]
    dataset: RetrievalData = build([*words, "--trainer.logger=false"]).datamodule.dataset
    return dataset


def parts(data: RetrievalData, modality: Modality) -> list[list[str]]:
    return [data.images(modality, split).names for split in SPLITS]


def check(data: RetrievalData, count: int, photos: int, sketches: int) -> None:
    assert len(data.classes) == count
    for modality, total in zip(MODALITIES, (photos, sketches), strict=True):
        names = [name for part in parts(data, modality) for name in part]
        assert len(set(names)) == len(names) == total
        train, validation, test = map(len, parts(data, modality))
        assert train > 5 * validation > 0 < test
        for split in SPLITS:
            assert set(data.images(modality, split).labels) <= set(range(count))


@pytest.mark.parametrize("extended", [False, True])
def test_sketchy(extended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = classes("sketchy_subset")
    assert len(names) == 125
    ids = {
        name: layouts.one_of_each_tenth(name, (f"n{i:04d}_{k}" for k in range(1000))) for i, name in enumerate(names)
    }
    layouts.sketchy(tmp_path / "sketchy", ids, sketches=2)
    layouts.sketchy_extension(
        tmp_path / "sketchy", {name: [f"{found[0]}x", f"{found[1]}y"] for name, found in ids.items()}
    )
    data = data_of("sketchy_extended" if extended else "sketchy", tmp_path, monkeypatch)
    check(data, 125, 125 * (12 if extended else 10), 125 * 20)
    for split in SPLITS:  # a sketch is in the part of its photo
        shown = data.images("photo", split).instances or []
        assert set(data.images("sketch", split).instances or []) <= set(shown)


def test_tuberlin_extended_with_its_misspelt_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos in 250 folders as they are called, and the real sketches."""
    names = classes("tuberlin")
    assert len(names) == 250
    folders = layouts.tuberlin_extended(tmp_path / "tuberlin", names)
    assert {"griaffe", "spidar", "hotairballoon", "carsedan", "tshirt", "humanskeleton"} <= set(folders)
    data = data_of("tuberlin_extended", tmp_path, monkeypatch)
    assert [len(part) for part in parts(data, "sketch")] == [12_500, 2_500, 5_000]
    photos = [name for part in parts(data, "photo") for name in part]
    assert len(set(photos)) == len(photos) == 2500
    giraffes = data.images("photo", "train")
    label = data.classes.index("giraffe")
    assert all(
        name.startswith("griaffe/") for name, c in zip(giraffes.names, giraffes.labels, strict=True) if c == label
    )


def test_quickdraw_extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = classes("quickdraw_extended")
    assert len(names) == 110
    layouts.quickdraw_extended(tmp_path / "QuickDraw", names)
    data = data_of("quickdraw_extended", tmp_path, monkeypatch)
    assert len(data.classes) == 110
    for modality in MODALITIES:
        found = [name for part in parts(data, modality) for name in part]
        assert len(set(found)) == len(found) == 1100
        assert all(parts(data, modality))


def test_a_class_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts.quickdraw_extended(tmp_path / "QuickDraw", classes("quickdraw_extended")[:-1])
    data = data_of("quickdraw_extended", tmp_path, monkeypatch)
    with pytest.raises(InputError, match="zebra"):
        data.images("photo", "train")
