import json
from pathlib import Path
from typing import Any

import pytest

from crossx.core.errors import InputError
from crossx.data.class_map import check_folder, read_class_map

CAR: dict[str, Any] = {"photo": ["automobile"], "sketch": ["car (sedan)", "suv"]}
CAT: dict[str, Any] = {"photo": ["cat"], "sketch": ["cat"]}


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(content))
    return path


def test_read_and_select(tmp_path: Path) -> None:
    joined = read_class_map(written(tmp_path, {"classes": {"car": CAR, "cat": CAT}, "groups": {"pets": ["cat"]}}))
    assert joined.folders["car"] == {"photo": ("automobile",), "sketch": ("car (sedan)", "suv")}
    assert joined.select(None) == ("car", "cat")
    assert joined.select("pets") == ("cat",)
    assert joined.select(["cat", "car"]) == ("car", "cat")  # always in the map's order


def test_select_names_what_is_legal(tmp_path: Path) -> None:
    joined = read_class_map(written(tmp_path, {"classes": {"car": CAR}, "groups": {"things": ["car"]}}))
    with pytest.raises(InputError, match=r"class names or one of the groups things; got 'pets'"):
        joined.select("pets")
    with pytest.raises(InputError, match=r"^classes: must be one or more of car; got \['cow'\]"):
        joined.select(["cow", "car"])
    with pytest.raises(InputError, match="empty list"):
        joined.select([])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": {"car": CAR}, "group": {}}, r"top level .*unknown \['group'\]"),
        ({"groups": {}}, r"missing \['classes'\]"),
        ({"classes": {"car": CAR | {"sketches": []}}}, r"class 'car' .*unknown \['sketches'\]"),
        ({"classes": {"car": {"photo": []}}}, r"class 'car' .*missing \['sketch'\]"),
        ({"classes": {"car": CAR | {"photo": "automobile"}}}, r"class 'car', photo: must be a list"),
        ({"classes": {"car": CAR | {"photo": [3]}}}, r"class 'car', photo: must be a list"),
        ({"classes": {"car": CAR, "auto": CAR}}, r"'automobile' is in class 'car' and in 'auto'"),
        ({"classes": {"cat": CAT | {"photo": ["cat", "cat"]}}}, r"'cat' is in class 'cat' and in 'cat'"),
        ({"classes": {"cat": CAT | {"photo": ["../cat"]}}}, r"class 'cat': folder: .*'\.\./cat'"),
        ({"classes": {"cat": CAT}, "groups": {"pets": ["dog"]}}, r"group 'pets' .*\['dog'\]"),
        ({"classes": []}, "classes: must be an object"),
        ([], "top level: must be an object"),
    ],
)
def test_malformed_map_is_an_error_that_names_the_place(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"map\.json: .*{message}"):
        read_class_map(written(tmp_path, content))


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_not_json(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_bytes(content)
    with pytest.raises(InputError, match=r"map\.json: must be a JSON file"):
        read_class_map(tmp_path / "map.json")
    with pytest.raises(InputError, match="must be a JSON file"):
        read_class_map(tmp_path)


@pytest.mark.parametrize("folder", ["cat", "train/cat", "car (sedan)", "car_(sedan)", "..cat", "t-shirt"])
def test_plain_folders_pass(folder: str) -> None:
    check_folder(folder, "here")


@pytest.mark.parametrize(
    "folder", ["", ".", "..", "../x", "a/../b", "a/..", "/etc", "C:/x", "C:x", "a\\..\\b", "//s/x", "a//b", "a/", "a\0"]
)
def test_escapes_are_refused(folder: str) -> None:
    with pytest.raises(InputError, match=r"^here: folder"):
        check_folder(folder, "here")
