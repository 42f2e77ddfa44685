"""Weights files by their content: those that are read, and the name and the way out of those that are not."""

import re
import zipfile
from pathlib import Path

SAVE = "torch.save(model.state_dict(), 'weights.pt')"
"""The line of Python that saves a classifier in the form that is always read."""

_START = 4096
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)
_POINTERS = {b"version https://git-lfs": "git lfs pull", b"/annex/objects/": "git annex get"}
_ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}
_ARCHIVES[b"Rar!"] = "rar"
_TENSORFLOW = "a model of TensorFlow, whose layers are no network of PyTorch"


def refusal(path: Path) -> str | None:
    """What is wrong with a weights file whose content is none of PyTorch and none of safetensors.

    Args:
        path: An existing path.

    Returns:
        The end of a sentence that starts with the file, with what to do; None for a file that may be read.
    """
    if path.is_dir():
        return f"is a folder and no file; name the weights file inside, or save one: {SAVE}"
    with path.open("rb") as file:
        start = file.read(_START)
    if not start:
        return "is empty: copy or download it again"
    if page := _PAGE.match(start.removeprefix(b"\xef\xbb\xbf")):
        kind = "an XML page" if b"xml" in page[1].lower() else "a web page"
        return f"is {kind} and no weights: the download gave a page in their place; download the file itself"
    for mark, command in _POINTERS.items():
        if start.startswith(mark):
            what = "Git LFS pointer" if "lfs" in command else "git-annex pointer"
            return f"is a {what} and no weights: fetch them with `{command}` in the repository"
    if start.startswith(b"PK"):
        return _zip_refusal(path)
    return _foreign(path, start)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as a safetensors file: the length of a JSON header, and the header."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < 1 << 30


def _zip_refusal(path: Path) -> str | None:
    """As `refusal` for a zip archive, which is what `torch.save` writes."""
    if not zipfile.is_zipfile(path):
        return "is cut: the end of the archive is missing; copy or download it again"
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] or name for name in archive.namelist()]
        damaged = _damaged(archive)
    if damaged:
        return f"is damaged: {damaged!r} inside it does not have its checksum; copy or download it again"
    if "constants.pkl" in names:
        return (
            "is a TorchScript program, whose code would have to run to read it; where you trust it, save its weights: "
            f"torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pt')"
        )
    if "data.pkl" in names:
        return None
    if any(name.endswith((".weights.h5", ".keras")) for name in names):
        return f"is {_TENSORFLOW} (Keras)"
    if any(name.endswith(".npy") for name in names):
        return f"is an archive of NumPy arrays; save the network's state dict: {SAVE}"
    if any("exported_program" in name or name.startswith("models/") for name in names):
        return f"is a program of torch.export; save the state dict of its module: {SAVE}"
    return (
        f"is a zip archive with {', '.join(map(repr, names[:3]))} and no weights; unpack it, and name the file inside"
    )


def _damaged(archive: zipfile.ZipFile) -> str | None:
    """Name of an entry whose bytes have changed since they were written; torch itself would load them."""
    if not any(entry.CRC for entry in archive.infolist()):  # written with torch's checksums switched off
        return None
    try:
        return archive.testzip()
    except Exception:  # the ways in which an archive can be broken have no common exception
        return archive.namelist()[0]


def _foreign(path: Path, start: bytes) -> str | None:
    for mark, kind in _ARCHIVES.items():
        if start.startswith(mark):
            return f"is an archive of {kind}; unpack it, and name the file inside"
    if start[257:262] == b"ustar":
        return f"is a tar archive; unpack it, and name the file inside, or save the weights again: {SAVE}"
    if path.suffix == ".onnx" or re.match(rb"\x08[\x03-\x14][\x12\x1a\x22\x3a\x42]", start):
        return (
            "is an ONNX graph, which has no gradients and no features below its last layer; save the module that it "
            f"was exported from: {SAVE}"
        )
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return f"is an HDF5 file, as Keras writes it; must be weights of PyTorch: {SAVE}"
    if start[4:8] == b"TFL3" or path.suffix == ".pb" or re.search(r"\.data-\d+-of-\d+$|\.index$", path.name):
        return f"is {_TENSORFLOW}"
    if start.startswith(b"\x93NUMPY"):
        return f"is an array of NumPy; save the network's state dict: {SAVE}"
    if not is_safetensors(path) and re.fullmatch(rb"[\t\n\r\x20-\x7e]+", start):
        return f"is a text that starts with {start[:30].decode()!r} and no weights; name the weights file: {SAVE}"
    return None
