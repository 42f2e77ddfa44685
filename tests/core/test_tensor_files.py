import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from crossx.core.atomic import atomic_path, write_text
from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors, write_safetensors


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/a.json"
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent  # a rename within one file system is atomic
        assert temporary.suffix == ".json"
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, "old"])
def test_failure_leaves_what_was_there(tmp_path: Path, before: str | None, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)

    def write() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert names(tmp_path) == ([] if before is None else ["a.txt"])
    assert before is None or path.read_text() == before


def test_an_error_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    long = tmp_path / f"{'a' * 300}.txt"
    for path in (tmp_path / "folder.txt", long, Path("/proc/a.txt")):
        with pytest.raises(OSError, match=re.escape(str(path))) as caught:
            write_text(path, "whole")
        assert caught.value.filename == str(path)

    def fail() -> None:
        with atomic_path(tmp_path / "a.txt"):
            (tmp_path / "gone.txt").read_text()

    with pytest.raises(FileNotFoundError) as other:
        fail()
    assert Path(other.value.filename).name == "gone.txt"


def test_failures_of_the_writers(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    with pytest.raises(TypeError):
        write_safetensors(tmp_path / "a.safetensors", {"a": torch.zeros(2)}, {"number": 1})  # type: ignore[dict-item]
    assert names(tmp_path) == []
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="a"):
        write_text(tmp_path / "a", "a folder is in the way")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == []


def test_old_file_is_replaced(tmp_path: Path) -> None:
    for text in ("a long text", "short"):
        write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_text() == "short"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.usefixtures("strict_umask")
def test_others_may_read_it_as_far_as_the_umask_says(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert os.umask(0o027) == 0o027  # it is as it was


def test_tensors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "transposed": torch.arange(6.0).view(2, 3).T,
        "learning": torch.ones(2, requires_grad=True),
        "repeated": torch.tensor([[1.0]], dtype=torch.bfloat16).expand(3, 2),
        "number": torch.tensor(7),
    }
    write_safetensors(path, tensors, {"key": "a text, ü"})
    found, metadata = read_safetensors(path, "field")
    assert metadata == {"key": "a text, ü"}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach())
    assert names(tmp_path) == ["a.safetensors"]


def test_file_without_metadata(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", {"a": torch.zeros(1)}, {})
    assert read_safetensors(tmp_path / "a.safetensors", "field")[1] == {}


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04N.", b"some text that is long enough", bytes(8) + b"{}"])
def test_what_is_no_safetensors_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.safetensors"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"^teachers\.photo: .*a\.safetensors is not a readable safetensors file \("):
        read_safetensors(path, "teachers.photo")
    with pytest.raises(InputError, match="not a readable"):
        read_safetensors(tmp_path / "missing.safetensors", "teachers.photo")


def test_tied_tensors_are_written_under_each_name(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(4, 3)
    tensors = {"a": whole, "tied": whole, "first rows": whole[:2], "transposed": whole.T}
    write_safetensors(tmp_path / "a.safetensors", tensors, {})
    found, _ = read_safetensors(tmp_path / "a.safetensors", "file")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
