from pathlib import Path

import pytest

from crossx.core.errors import InputError
from crossx.data.split_file import SPLITS, read_split, tenth

HEADER = "modality\tfolder\timages\ttrain\tvalidation\ttest\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "split.tsv"
    path.write_text(text)
    return path


def test_positions_are_those_of_python_slices(tmp_path: Path) -> None:
    text = f"# a remark\n{HEADER}\nphoto\ttrain/cat\t10\t0:5,8\t6:8\t-\n# another\nsketch\tcat\t3\t-\t-\t2,0,1\n"
    split = read_split(written(tmp_path, text))
    assert list(split) == [("photo", "train/cat"), ("sketch", "cat")]
    photo, sketch = split.values()
    assert photo.images == 10
    assert photo.positions == {"train": [0, 1, 2, 3, 4, 8], "validation": [6, 7], "test": []}
    assert sketch.positions == {"train": [], "validation": [], "test": [0, 1, 2]}


def test_tenths_are_of_names_and_of_nothing_else(tmp_path: Path) -> None:
    split = read_split(written(tmp_path, f"{HEADER}photo\tcat\t*\t#2:10\t#1\t#0\n"))["photo", "cat"]
    assert split.images is None
    keys = [f"n{i:05d}" for i in range(1000)]
    parts = {part: split.choose(part, keys) for part in SPLITS}
    assert sorted(i for chosen in parts.values() for i in chosen) == list(range(1000))
    assert 70 < len(parts["test"]) < 130
    assert 70 < len(parts["validation"]) < 130
    fewer = keys[::3]  # an image is in its part whatever else is there
    assert [fewer[i] for i in split.choose("test", fewer)] == [keys[i] for i in parts["test"] if i % 3 == 0]
    assert tenth("n02691156_58") == 5  # the same everywhere and for ever


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("photo\tcat\t*\t0:5\t-\t-", r"tenths \(#0:8\) with images '\*' .*, got '0:5' with images '\*'"),
        ("photo\tcat\t10\t#0:5\t-\t-", "got '#0:5' with images '10'"),
        ("photo\tcat\t*\t#0:11\t-\t-", "must not be empty and must be below 10, got '0:11'"),
        ("photo\tcat\t*\t#0:5\t#4\t-", "position once, got 4 twice"),
        ("photo\tcat\t10\t0:5\t-", "must have 6 columns, separated by tabs, got 5"),
        ("photo cat 10 0:5 - -", "must have 6 columns, separated by tabs, got 1"),
        ("edge\tcat\t10\t0:5\t-\t-", "modality: must be one of photo, sketch; got 'edge'"),
        ("photo\tcat\tten\t0:5\t-\t-", "images: must be a number .*, got 'ten'"),
        ("photo\tcat\t-1\t0:5\t-\t-", "images: must be a number .*, got '-1'"),
        ("photo\tcat\t10\t0:11\t-\t-", "must not be empty and must be below 10, got '0:11'"),
        ("photo\tcat\t10\t10\t-\t-", "must be below 10, got '10'"),
        ("photo\tcat\t10\t5:5\t-\t-", "must not be empty .*, got '5:5'"),
        ("photo\tcat\t10\t-5:\t-\t-", "must be like 0:50 .*, got '-5:'"),
        ("photo\tcat\t10\t\t-\t-", "must be like 0:50 .*, got ''"),
        ("photo\tcat\t10\t0:5\t4:6\t-", "position once, got 4 twice"),
        ("photo\tcat\t10\t0:5,0\t-\t-", "position once, got 0 twice"),
        ("photo\t../cat\t10\t0:5\t-\t-", r"folder: must be a plain relative path .*, got '\.\./cat'"),
        ("photo\t/cat\t10\t0:5\t-\t-", "folder: must be .*, got '/cat'"),
        ("photo\tdog\t10\t0:5\t-\t-", "must be the only line of a folder, got photo folder 'dog' again"),
    ],
)
def test_malformed_line_is_an_error_that_names_it(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"split\.tsv: line 3: .*{message}"):
        read_split(written(tmp_path, f"{HEADER}photo\tdog\t1\t0\t-\t-\n{row}\n"))


@pytest.mark.parametrize("text", ["", "# only a remark\n", "photo\tcat\t10\t0:5\t-\t-\n"])
def test_header_is_required(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"split\.tsv: the first line must have the columns modality, folder"):
        read_split(written(tmp_path, text))


def test_binary_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "split.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="must be a text file"):
        read_split(tmp_path / "split.tsv")
    with pytest.raises(InputError, match="must be a text file"):
        read_split(tmp_path)
