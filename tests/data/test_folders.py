from pathlib import Path

import pytest
from support import layouts

from crossx.core.errors import InputError
from crossx.data.folders import ImageFolder


def test_names_are_sorted_and_other_files_ignored(tmp_path: Path) -> None:
    layouts.image_folder(tmp_path, {"train/cat": 12, "test/cat": 2})
    (tmp_path / "train/cat/Thumbs.db").write_bytes(b"")
    (tmp_path / "train/cat/._00000.jpg").write_bytes(b"")
    layouts.save_photo(tmp_path / "train/cat/00012.JPEG", 12)
    photos = ImageFolder(str(tmp_path), "photo")
    assert photos.names("train/cat") == [
        *(f"train/cat/{i:05d}.jpg" for i in range(12)),
        "train/cat/00012.JPEG",
    ]
    assert photos.instances(photos.names("test/cat")) is None


def test_read_gives_the_named_image(tmp_path: Path) -> None:
    layouts.image_folder(tmp_path, {"cat": 200})
    photos = ImageFolder(str(tmp_path), "photo")
    image = photos.read(photos.names("cat")[150], 16)
    assert image.shape == (3, 16, 16)
    assert abs(image[0].float().mean() - 150) < 3


def test_root_is_found_below_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts.image_folder(tmp_path / "pets", {"cat": 1})
    monkeypatch.setenv("CROSSX_DATA", str(tmp_path))
    assert ImageFolder("pets", "photo").names("cat") == ["cat/00000.jpg"]


def test_missing_root_is_noticed_when_listing_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSX_DATA", raising=False)
    photos = ImageFolder("no/such/folder", "photo")
    with pytest.raises(InputError, match=r"ImageFolder\.root.*no/such/folder.*CROSSX_DATA is not set"):
        photos.names("cat")


def test_missing_class_folder_names_what_is_close(tmp_path: Path) -> None:
    layouts.image_folder(tmp_path, {"aeroplane": 1, "zebra": 1})
    with pytest.raises(InputError, match=r"airplane does not exist.*2 entries.*'aeroplane'"):
        ImageFolder(str(tmp_path), "photo").names("airplane")
    with pytest.raises(InputError, match=r"there/cat does not exist.*0 entries$"):
        ImageFolder(str(tmp_path), "photo").names("not/there/cat")


def test_unreadable_image_is_never_skipped(tmp_path: Path) -> None:
    layouts.image_folder(tmp_path, {"cat": 2})
    (tmp_path / "cat/00001.jpg").write_bytes(b"\xff\xd8\xff broken")
    photos = ImageFolder(str(tmp_path), "photo")
    assert len(photos.names("cat")) == 2
    with pytest.raises(InputError, match=r"cat/00001\.jpg"):
        photos.read("cat/00001.jpg", 8)
