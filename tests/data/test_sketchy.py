from pathlib import Path

import pytest
from support import layouts

from crossx.core.errors import InputError
from crossx.data.sketchy import Sketchy, SketchyExtended


def test_sketches_belong_to_photos(tmp_path: Path) -> None:
    layouts.sketchy(tmp_path, {"airplane": ["n02691156_58", "n02691156_196"]})
    photos, sketches = Sketchy("photo", str(tmp_path)), Sketchy("sketch", str(tmp_path))
    photo_names, sketch_names = photos.names("airplane"), sketches.names("airplane")
    assert photo_names == ["airplane/n02691156_196.jpg", "airplane/n02691156_58.jpg"]  # by code points
    assert sketch_names[-1] == "airplane/n02691156_58-2.png"
    assert photos.instances(photo_names) == ["n02691156_196", "n02691156_58"]
    assert sketches.instances(sketch_names) == ["n02691156_196"] * 2 + ["n02691156_58"] * 2
    assert photos.read(photo_names[0], 16).shape == sketches.read(sketch_names[0], 16).shape == (3, 16, 16)


def test_a_sketch_without_number_is_an_error(tmp_path: Path) -> None:
    layouts.sketchy(tmp_path, {"ant": ["n1_1"]})
    with pytest.raises(InputError, match="n1_1"):
        Sketchy("sketch", str(tmp_path)).instances(["ant/n1_1.png"])


def test_extended_photos_stand_behind_the_database_s_own(tmp_path: Path) -> None:
    layouts.sketchy(tmp_path, {"hot-air_balloon": ["n02782093_58"]})
    layouts.sketchy_extension(tmp_path, {"hot-air_balloon": ["ext_1", "n02782093_99"]})
    photos = SketchyExtended(str(tmp_path))
    names = photos.names("hot-air_balloon")
    assert names == [
        "256x256/photo/tx_000000000000/hot-air_balloon/n02782093_58.jpg",
        "EXTEND_image_sketchy/hot-air_balloon/ext_1.jpg",
        "EXTEND_image_sketchy/hot-air_balloon/n02782093_99.jpg",
    ]
    assert photos.instances(names) == ["n02782093_58", "ext_1", "n02782093_99"]
    assert abs(int(photos.read(names[1], 16)[0, 8, 8]) - 100) < 5
    with pytest.raises(InputError, match="airship"):
        photos.names("airship")


def test_other_releases_of_extended_sketchy_are_read(tmp_path: Path) -> None:
    """Underscores for hyphens, and another name of the folder."""
    layouts.sketchy(tmp_path, {"jack-o-lantern": ["a"]})
    layouts.sketchy_extension(tmp_path, {"jack_o_lantern": ["b"]}, "extended_photo")
    photos = SketchyExtended(str(tmp_path), "extended_photo")
    assert [name.rpartition("/")[2] for name in photos.names("jack-o-lantern")] == ["a.jpg", "b.jpg"]
