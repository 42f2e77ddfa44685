import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.photo_folders import folder_of, save_photo
from support.treacherous import Trapped

from crossx.data.images import load_image
from crossx.search.indexing import decode as module
from crossx.search.indexing.decode import Decoded, DecodePool, Failed, decode
from crossx.search.indexing.scan import Found, scan


def test_pixels_are_those_of_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, mode in (("a.jpg", "RGB"), ("b.png", "RGBA"), ("c.png", "L"), ("d.webp", "RGB"), ("e.gif", "P")):
        Image.fromarray(rng.integers(0, 256, (37, 50, 3), dtype=np.uint8)).convert(mode).save(tmp_path / name)
        outcome = decode(str(tmp_path / name), 16)
        assert isinstance(outcome, Decoded)
        np.testing.assert_array_equal(outcome.pixels, load_image(tmp_path / name, "photo", 16).numpy())
        assert (outcome.width, outcome.height) == (50, 37)


def test_width_and_height_are_those_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (50, 37)).save(tmp_path / "turned.jpg", exif=exif)
    outcome = decode(str(tmp_path / "turned.jpg"), 16)
    assert isinstance(outcome, Decoded)
    assert (outcome.width, outcome.height) == (37, 50)


def png_bomb(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_each_bad_file_has_its_reason(tmp_path: Path) -> None:
    save_photo(tmp_path / "good.jpg", 0)
    good = (tmp_path / "good.jpg").read_bytes()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    for name, data in {
        "cut.jpg": good[: len(good) // 2],
        "empty.jpg": b"",
        "text.jpg": b"hello",
        "bomb.png": png_bomb(60_000),
        "page.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    }.items():
        (tmp_path / name).write_bytes(data)
    reasons = {path.name: decode(str(path), 8) for path in tmp_path.iterdir() if path.name != "good.jpg"}
    reasons["gone.jpg"] = decode(str(tmp_path / "gone.jpg"), 8)
    assert all(isinstance(reason, Failed) for reason in reasons.values())
    texts = {name: reason.reason for name, reason in reasons.items() if isinstance(reason, Failed)}
    assert "truncated" in texts["cut.jpg"].lower()
    assert "DecompressionBomb" in texts["bomb.png"]
    assert texts["pipe.jpg"] == "is no regular file"
    assert "UnidentifiedImageError" in texts["page.jpg"]  # a format that is not on the list
    assert reasons["gone.jpg"] == Failed("is gone", vanished=True)


@pytest.fixture
def trapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoders that die at one file and hang at another."""
    monkeypatch.setattr(module, "_work", Trapped())


@pytest.mark.usefixtures("trapped")
def test_a_decoder_that_dies_or_hangs_costs_one_file(tmp_path: Path) -> None:
    files = scan(folder_of(tmp_path, [f"{letter}.jpg" for letter in "abcdefgh"])).files
    with DecodePool(8, workers=1, seconds=1.5) as pool:
        outcomes = list(pool.run(files, window=16))
    assert [found.key.path for found, _ in outcomes] == [found.key.path for found in files]
    reasons = {found.key.path: outcome.reason for found, outcome in outcomes if isinstance(outcome, Failed)}
    assert reasons == {"b.jpg": "the decoder died", "d.jpg": "took more than 1.5 s to decode"}


def test_results_come_in_the_order_of_the_files_and_a_pool_serves_twice(tmp_path: Path) -> None:
    files = scan(folder_of(tmp_path, [f"{i:03}.png" for i in range(40)])).files
    (tmp_path / "007.png").write_bytes(b"broken")
    with DecodePool(8, workers=2) as pool:
        for _ in range(2):
            outcomes = list(pool.run(files, window=5))
            assert [found for found, _ in outcomes] == files
            assert [i for i, (_, outcome) in enumerate(outcomes) if isinstance(outcome, Failed)] == [7]
        assert list(pool.run([], window=5)) == []


def test_a_file_that_vanishes_is_no_skipped_file(tmp_path: Path) -> None:
    found = Found(scan(folder_of(tmp_path, ["a.jpg"])).files[0].key, 1, 1)
    (tmp_path / "a.jpg").unlink()
    with DecodePool(8, workers=1) as pool:
        ((_, outcome),) = pool.run([found], window=5)
    assert outcome == Failed("is gone", vanished=True)
