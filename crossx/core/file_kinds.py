"""Files of tensors by their content: what a file is, where it is none that is read, and the way out."""

import re
import zipfile
from pathlib import Path
from typing import NamedTuple

SAVE = "torch.save(model.state_dict(), 'weights.pt')"
"""The line of Python that saves a classifier in the form that is always read."""

_START = 4096
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)
_POINTERS = {b"version https://git-lfs": "git lfs pull", b"/annex/objects/": "git annex get"}
_ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}
_ARCHIVES[b"Rar!"] = "rar"
_TENSORFLOW = "is a model of TensorFlow, whose layers are no network of PyTorch"
_AGAIN = "copy or download it again"
_UNPACK = "unpack it, and name the file inside"


class Foreign(NamedTuple):
    """What a file is that is not read.

    Attributes:
        what: The end of a sentence that starts with the file.
        again: What gives the right file, where this one is a broken or packed form of it; else empty.
        weights: What saves weights in place of this file, where it is something else; else empty.
    """

    what: str
    again: str = ""
    weights: str = ""

    @property
    def in_place_of_weights(self) -> str:
        """The rest of a message about a file that must hold weights."""
        return "; ".join(filter(None, (self.what, self.again or self.weights)))


class ForeignError(Exception):
    """A file that is not read; `foreign` says what it is."""

    def __init__(self, foreign: Foreign) -> None:
        super().__init__(foreign.what)
        self.foreign = foreign


def foreign(path: Path) -> Foreign | None:
    """What a file is whose content is none of PyTorch and none of safetensors; None for a file that may be read.

    Args:
        path: An existing path.
    """
    if path.is_dir():
        return Foreign("is a folder and no file", weights=f"name the weights file inside, or save one: {SAVE}")
    with path.open("rb") as file:
        start = file.read(_START)
    if not start:
        return Foreign("is empty", _AGAIN)
    if page := _PAGE.match(start.removeprefix(b"\xef\xbb\xbf")):
        kind = "an XML page" if b"xml" in page[1].lower() else "a web page"
        return Foreign(f"is {kind}, which the download gave in place of the file", "download the file itself")
    for mark, command in _POINTERS.items():
        if start.startswith(mark):
            kind = "Git LFS pointer" if "lfs" in command else "git-annex pointer"
            return Foreign(f"is a {kind} in place of the file", f"fetch the file with `{command}` in the repository")
    return _zip(path) if start.startswith(b"PK") else _other(path, start)


def beside(path: Path) -> Path:
    """The file that a line of Python saves in place of another one, which it never writes over."""
    weights = path.with_name("weights.pt")
    return path.with_name(f"{path.name.partition('.')[0]}_alone.pt") if weights.exists() else weights


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as a safetensors file: the length of a JSON header, and the header."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < 1 << 30


def _zip(path: Path) -> Foreign | None:
    """As `foreign` for a zip archive, which is what `torch.save` writes."""
    if not zipfile.is_zipfile(path):
        return Foreign("is cut: the end of the archive is missing", _AGAIN)
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] or name for name in archive.namelist()]
        damaged = _damaged(archive)
    if damaged:
        return Foreign(f"is damaged: {damaged!r} inside it does not have its checksum", _AGAIN)
    if "constants.pkl" in names:
        line = f"import torch; torch.save(torch.jit.load({str(path)!r}).state_dict(), {str(beside(path))!r})"
        return Foreign(
            "is a TorchScript program, whose code would have to run to read it",
            weights=f"where you trust it, save its weights: {line}",
        )
    if "data.pkl" in names:
        return None
    if any(name.endswith((".weights.h5", ".keras")) for name in names):
        return Foreign(f"{_TENSORFLOW} (Keras)")
    if any(name.endswith(".npy") for name in names):
        return Foreign("is an archive of NumPy arrays", weights=f"save the network's state dict: {SAVE}")
    if any("exported_program" in name or name.startswith("models/") for name in names):
        return Foreign("is a program of torch.export", weights=f"save the state dict of its module: {SAVE}")
    return Foreign(f"is a zip archive with {', '.join(map(repr, names[:3]))}", _UNPACK)


def _damaged(archive: zipfile.ZipFile) -> str | None:
    """Name of an entry whose bytes have changed since they were written; torch itself would load them."""
    if not any(entry.CRC for entry in archive.infolist()):  # written with torch's checksums switched off
        return None
    try:
        return archive.testzip()
    except Exception:  # the ways in which an archive can be broken have no common exception
        return archive.namelist()[0]


def _other(path: Path, start: bytes) -> Foreign | None:
    for mark, kind in _ARCHIVES.items():
        if start.startswith(mark):
            return Foreign(f"is an archive of {kind}", _UNPACK)
    if start[257:262] == b"ustar":
        return Foreign("is a tar archive", f"{_UNPACK}, or save the weights again: {SAVE}")
    if path.suffix == ".onnx" or re.match(rb"\x08[\x03-\x14][\x12\x1a\x22\x3a\x42]", start):
        return Foreign(
            "is an ONNX graph, which has no gradients and no features below its last layer",
            weights=f"save the module that it was exported from: {SAVE}",
        )
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return Foreign("is an HDF5 file, as Keras writes it", weights=f"must be weights of PyTorch: {SAVE}")
    if start[4:8] == b"TFL3" or path.suffix == ".pb" or re.search(r"\.data-\d+-of-\d+$|\.index$", path.name):
        return Foreign(_TENSORFLOW)
    if start.startswith(b"\x93NUMPY"):
        return Foreign("is an array of NumPy", weights=f"save the network's state dict: {SAVE}")
    if not is_safetensors(path) and re.fullmatch(rb"[\t\n\r\x20-\x7e]+", start):
        return Foreign(f"is a text that starts with {start[:30].decode()!r}", weights=f"name the weights file: {SAVE}")
    return None
