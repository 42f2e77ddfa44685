"""Large pictures are decoded one after another."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from support.cards import card
from support.photo_folders import photo

from crossx.search.large import turn_of
from crossx.search.photo_pictures import full
from crossx.search.sketches import sketch_from_picture

LARGE = (2100, 2000)


def drawing(path: Path) -> object:
    return sketch_from_picture(path.read_bytes(), card(32))


@pytest.mark.parametrize("work", [lambda path: full(photo(path)), drawing], ids=["photo", "drawing"])
def test_a_large_picture_waits_for_its_turn_and_a_small_one_does_not(
    tmp_path: Path, work: Callable[[Path], object]
) -> None:
    for name, size in (("large", LARGE), ("small", (200, 200))):
        image = Image.new("L", size, 255)
        image.paste(0, (size[0] // 4, size[1] // 2, size[0] // 2, size[1] // 2 + size[1] // 40))
        image.save(tmp_path / f"{name}.png", compress_level=1)
    started = threading.Event()

    def begin() -> object:
        started.set()
        return work(tmp_path / "large.png")

    with ThreadPoolExecutor(2) as pool:
        with turn_of(Image.new("1", LARGE)):
            waits = pool.submit(begin)
            assert started.wait(20)
            assert pool.submit(work, tmp_path / "small.png").result(20)
            with pytest.raises(TimeoutError):
                waits.result(0.3)
        assert waits.result(20)
