"""Pickles of arrays: those of every protocol that names NumPy alone, and those of strangers."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from crossx.core.array_pickle import read_arrays
from crossx.core.errors import InputError

ARRAYS = {
    "a": np.arange(6, dtype=np.float64).reshape(2, 3),
    "b": np.asfortranarray(np.arange(6, dtype=">i2").reshape(3, 2)),
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "arrays"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_come_back(protocol: int, tmp_path: Path) -> None:
    found = read_arrays(written(tmp_path, pickle.dumps(ARRAYS, protocol)))
    assert list(found) == ["a", "b"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("path", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_both_spellings_of_numpy(path: str, tmp_path: Path) -> None:
    content = pickle.dumps(ARRAYS, 3)
    for spelled in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        content = content.replace(b"c" + spelled + b"\n", b"c" + path.encode() + b"\n")
    assert list(read_arrays(written(tmp_path, content))) == ["a", "b"]


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """The bytes of an array are a text."""
    content = (
        b"(dS'a'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\nI2\ntcnumpy\ndtype\n"
        b"(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nU\x02\x07\xfftbs."
    )
    np.testing.assert_array_equal(read_arrays(written(tmp_path, content))["a"], [[7, 255]])


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize("protocol", range(6))
def test_other_names_are_refused_and_printed(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, pickle.dumps({"a": Evil()}, protocol))
    with pytest.raises(InputError, match=r"arrays: must name nothing but NumPy's arrays, got '\w+\.system'"):
        read_arrays(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_forms_that_need_further_names_say_what_to_do(protocol: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got '_codecs\.encode'.*with pickle protocol 3 or 4$"):
        read_arrays(written(tmp_path, pickle.dumps({"a": np.ones((2, 3))}, protocol)))


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    content = pickle.dumps(ARRAYS, 3)
    for end in range(len(content)):
        with pytest.raises(InputError, match="arrays: must "):
            read_arrays(written(tmp_path, content[:end]))


def test_random_changes_never_give_anything_but_arrays_or_an_error(tmp_path: Path) -> None:
    content, rng = pickle.dumps(ARRAYS, 3), np.random.default_rng(0)
    read = 0
    for _ in range(400):
        changed = bytearray(content)
        changed[rng.integers(len(content))] = rng.integers(256)
        try:
            found = read_arrays(written(tmp_path, bytes(changed)))
        except InputError:
            continue
        read += 1
        assert all(isinstance(array, np.ndarray) and array.dtype != object for array in found.values())
    assert 0 < read < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([np.ones(2)], 3), "must be a mapping from names to arrays, got a list"),
        (pickle.dumps({3: np.ones(2)}, 3), "must be a mapping from names to arrays, got an? .* under '3'"),
        (pickle.dumps({"a": [1]}, 3), "must be a mapping from names to arrays, got a list under 'a'"),
        (pickle.dumps({"a": np.array([None])}, 3), "must have arrays of numbers, got the type 'O8'"),
        (pickle.dumps({"a": np.array(["text"])}, 3), "must have arrays of numbers, got the type 'U4'"),
        (pickle.dumps({"a": np.ones(2)}, 5), "must be a pickle of arrays, got the opcode BYTEARRAY8"),
        (b"", "must be a pickle of arrays"),
        (b"version https://git-lfs", "must be a pickle of arrays"),
        (b"\x80\x03}Pid\n.", "must be a pickle of arrays, got the opcode PERSID"),
        (b"\x80\x03}r\xff\xff\xff\x7f.", "must be a pickle of arrays, got a memo of 2147483647 entries"),
        (b"\x80\x03B" + struct.pack("<I", 2**31), "must be a pickle of arrays"),
        (b"I" + b"9" * 4000 + b"\n.", "must be a pickle of arrays, got an astronomical number"),
        (b"\x80\x03}X\x01\x00\x00\x00acnumpy\nndarray\ns.", "got a str under 'a'"),
    ],
)
def test_files_of_strangers(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"arrays: .*{message}"):
        read_arrays(written(tmp_path, content))


def test_a_shape_that_its_bytes_do_not_fill(tmp_path: Path) -> None:
    content = pickle.dumps({"a": np.zeros((2, 3))}, 3).replace(b"K\x02K\x03\x86", b"K\x7fK\x7f\x86")
    with pytest.raises(InputError, match=r"must have arrays with as many bytes as their shapes \(127, 127\) say"):
        read_arrays(written(tmp_path, content))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: must be a pickle of arrays that can be read"):
        read_arrays(tmp_path / "none")
