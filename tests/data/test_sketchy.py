from pathlib import Path

import layouts
import pytest

from crossx.data.sketchy import Sketchy
from crossx.errors import InputError


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
