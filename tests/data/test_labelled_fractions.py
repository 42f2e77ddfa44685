"""Labelled fractions: nested, of photos, and the same on every platform."""

import os
from collections.abc import Callable
from itertools import pairwise

import pytest

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.data.instances import InstanceData, labelled_count, labels_hash
from crossx.data.pair_folders import PairFolders
from crossx.data.pair_split import computed_parts, read_pair_split
from crossx.data.paired import PairedData
from crossx.data.qmul_v1 import QMULV1
from crossx.data.shapes.dataset import ShapesDataset
from crossx.data.sketchy import Sketchy

FRACTIONS = (0.1, 0.25, 0.5, 1.0)


def shapes() -> InstanceData:
    return ShapesDataset(detail="fine", train=200, validation=20, test=60, sketches=2)


def qmul() -> InstanceData:
    split = "crossx:data/splits/fg_qmul_v1.tsv"
    readers = QMULV1("photo"), QMULV1("sketch")
    return PairedData("qmul-v1", *readers, 64, ["shoes", "chairs", "handbags"], split, separate_galleries=True)


def sketchy() -> InstanceData:
    return PairedData(
        "sketchy-fg", Sketchy("photo"), Sketchy("sketch"), 64, split="crossx:data/splits/fg_sketchy_subset.tsv"
    )


KNOWN = {
    shapes: ([200, 500, 1000, 2000], "0ae6e12fef4cce66"),
    qmul: ([90, 226, 452, 814], "1b99aac302e42384"),
    sketchy: ([52, 131, 262, 472], "ad91577b0fae0da4"),
}
"""Labelled photos at each fraction, and the beginning of the hash at 10 % (shapes) or 25 %."""


@pytest.mark.parametrize("make", KNOWN)
@pytest.mark.filterwarnings("ignore:.*their photos are not there")
def test_fractions_are_nested_and_fixed(make: Callable[[], InstanceData]) -> None:
    if make is not shapes and not os.environ.get("CROSSX_DATA"):
        pytest.skip("CROSSX_DATA is not set")
    data = make()
    counts, digest = KNOWN[make]
    chosen = [data.labelled(fraction) for fraction in FRACTIONS]
    assert [len({pair.photo for pair in pairs}) for pairs in chosen] == counts
    for few, many in pairwise(chosen):
        assert many[: len(few)] == few
    assert labels_hash(data, 0.1 if make is shapes else 0.25)[:16] == digest
    own = data.own_photos("train")
    assert all(own[pair.sketch] == pair.photo for pair in chosen[-1])
    photos = {pair.photo for pair in chosen[1]}
    assert sum(int(photo) in photos for photo in own) == len(chosen[1])  # all sketches of each
    assert not photos & set(data.unlabelled(0.25))
    assert len(photos) + len(data.unlabelled(0.25)) == len(data.images("photo", "train"))


def test_counts_are_those_of_the_releases() -> None:
    if not os.environ.get("CROSSX_DATA"):
        pytest.skip("CROSSX_DATA is not set")
    data = qmul()
    labels = data.images("photo", "test").labels.tolist()
    assert [labels.count(i) for i in range(3)] == [115, 97, 168]
    assert [len(data.images("sketch", split)) for split in ("train", "validation", "test")] == [814, 90, 380]
    reader = QMULV1("photo")
    names = [f"{c}/{i}" for c in data.classes for i in reader.instances(reader.names(c))]
    fixed = read_pair_split(resolve("crossx:data/splits/fg_qmul_v1.tsv", "split"))
    assert list(computed_parts(names, set(names)).items()) == list(fixed.items())


def test_sketchy_counts() -> None:
    if not os.environ.get("CROSSX_DATA"):
        pytest.skip("CROSSX_DATA is not set")
    data = sketchy()
    with pytest.warns(UserWarning, match="670 sketches of sketchy-fg are left out, because their photos are not there"):
        test = data.images("photo", "test"), data.images("sketch", "test")
    assert tuple(map(len, test)) == (625, 833)
    assert len(set(data.own_photos("test").tolist())) == 147
    train = len(data.images("sketch", "train")) + len(data.images("sketch", "validation"))
    assert train == 2676
    assert data.held_out == 52


def test_mistakes() -> None:
    data = ShapesDataset(detail="fine", train=2, test=1, validation=1)
    with pytest.raises(InputError, match=r"^fraction: must be in \(0, 1\], got 0$"):
        data.labelled(0)
    with pytest.raises(
        InputError, match=r"must leave at least 2 of the 20 training pairs .* got 0\.05, which leaves 1"
    ):
        data.labelled(0.05)
    assert labelled_count(0.25, 524) == 131
    with pytest.raises(InputError, match="must be a reader of modality 'photo'"):
        PairedData("x", PairFolders("sketch", "a"), PairFolders("sketch", "a"), 32, ["b"])
    with pytest.raises(InputError, match="categories: must name at least one"):
        PairedData("x", PairFolders("photo", "a"), PairFolders("sketch", "a"), 32)
