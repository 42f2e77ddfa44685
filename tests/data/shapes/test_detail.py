"""The two difficulties: `hard` has the bits that it always had, `fine` is drawn from the photo's viewpoint."""

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.shapes.detail import FINE
from crossx.data.shapes.objects import PROGRAMS, draw_object
from crossx.data.shapes.sketch import draw_sketch
from crossx.data.shapes.viewpoint import Viewpoint
from crossx.strokes.sequence import check_normalised
from crossx.types import Modality

HARD = {
    "photo": "812a4648fc958a2f501582915d58ff79449663e73529fc9421990ee6c6792259",
    "sketch": "176afaca764a39653fefb4c9b2c32ed5ec7c31305cd732d5fd4d73e003d0e9b6",
}
"""SHA-256 of the images of a small `hard` set, from before there was another difficulty."""


def fine(test: int = 2, cache_to_disk: str | None = None) -> ShapesDataset:
    return ShapesDataset(train=2, validation=1, test=test, sketches=2, detail="fine", cache_to_disk=cache_to_disk)


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_hard_has_the_same_bits_as_before(modality: Modality) -> None:
    data = ShapesDataset(size=32, train=2, validation=1, test=1, sketches=2, cache=False)
    digest = hashlib.sha256()
    for split in ("train", "test"):
        images = data.images(modality, split)
        for i in range(len(images)):
            digest.update(images.read(i).numpy().tobytes())
    assert digest.hexdigest() == HARD[modality]


def test_hashes_of_the_split() -> None:
    hard = ShapesDataset(train=2, validation=1, test=1, sketches=2)
    assert hard.split_hash == "3750c7977b8e73139673ea9bd67e8f04ee2e945e9e141cf59ecde2ec96e5bb5e"
    assert (hard.name, fine().name) == ("shapes", "shapes-fine")
    assert len({hard.split_hash, fine(test=1).split_hash, fine().split_hash}) == 3


def test_a_fine_sketch_shows_the_photos_viewpoint() -> None:
    """Without a hand and a change of its own it is the photo's outline, up to size and place."""
    exact = replace(FINE, own_view=0.0, minor_omitted=0.0, clumsiness=0.0)
    for seed, name in enumerate(PROGRAMS):
        parts = draw_object(name, np.random.default_rng(seed))
        view = Viewpoint.draw(np.random.default_rng(100 + seed), exact.extent)
        strokes = draw_sketch(parts, np.random.default_rng(seed), exact, view)
        framed = np.concatenate(view.frame([part.curve for part in parts]))
        drawn, seen = (np.ptp(points, axis=0) for points in (np.concatenate(strokes), framed))
        assert drawn[0] / drawn[1] == pytest.approx(seen[0] / seen[1], rel=0.12)


def test_a_viewpoint_keeps_straight_lines_and_stays_in_the_frame() -> None:
    line = np.stack([np.linspace(-1, 1, 9), np.linspace(-0.5, 1, 9)], axis=1)
    for seed in range(20):
        view = Viewpoint.draw(np.random.default_rng(seed), FINE.extent)
        seen = view.see(line)
        along, end = seen[1:-1] - seen[0], seen[-1] - seen[0]
        np.testing.assert_allclose(along[:, 0] * end[1], along[:, 1] * end[0], atol=1e-12)
        framed = np.concatenate(view.frame([line]))
        assert FINE.extent[0] <= np.ptp(framed, axis=0).max() <= FINE.extent[1]
        assert framed.min() >= -0.03  # a place of 0.55 may cross the edge a little
        assert framed.max() <= 1.03


def test_sketches_of_a_photo_belong_to_it_and_have_strokes() -> None:
    data = fine()
    assert data.own_photos("test").tolist() == [i // 2 for i in range(40)]
    for i in (0, 1, 39):
        strokes = data.strokes("test", i)
        assert strokes
        check_normalised(strokes)
    assert not set(data.images("photo", "train").instances or []) & set(data.images("photo", "test").instances or [])


def test_images_are_drawn_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = fine().images("sketch", "test")
    kept = fine(cache_to_disk=str(tmp_path / "drawn"))

    first = kept.images("sketch", "test")
    assert all(torch.equal(first.image(i), plain.image(i)) for i in range(len(plain)))
    (file,) = (tmp_path / "drawn").iterdir()
    assert kept.split_hash[:16] in file.name
    monkeypatch.setattr(type(first), "read", None)  # drawn again, it would fail
    assert torch.equal(kept.images("sketch", "test").image(3), plain.image(3))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"must hold images of crossx, delete it to draw them anew"):
        kept.images("sketch", "test").image(3)


def test_an_interrupted_drawing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ShapesDataset(test=1, cache_to_disk=str(tmp_path))
    images = data.images("photo", "test")
    read, drawn = images.read, itertools.count()

    def interrupted(i: int) -> Tensor:
        if next(drawn) == 3:
            raise KeyboardInterrupt
        return read(i)

    monkeypatch.setattr(images, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        images.image(0)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_difficulty_is_refused() -> None:
    with pytest.raises(InputError, match=r"^detail: must be one of hard, fine; got 'fin' \(did you mean 'fine'\?\)$"):
        ShapesDataset(detail="fin")  # type: ignore[arg-type]  # a mistake
