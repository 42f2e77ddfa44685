"""Safe reading of files of tensors: tensors and plain values, whatever the file is called, and no stranger's code."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from crossx.core.file_kinds import SAVE, Foreign, ForeignError, foreign, is_safetensors


def read_tensors(path: Path, aside: Sequence[Any] = ()) -> object:
    """Read all that a file of `torch.save` or safetensors holds, on the CPU.

    Args:
        path: An existing file; its content counts, and not its name.
        aside: What may stand for classes that are not torch's, as `torch.serialization.safe_globals` takes it.

    Returns:
        Tensors and plain values, nested as in the file.

    Raises:
        ForeignError: When the file is of another kind, damaged, or holds a stranger's objects.
    """
    if found := foreign(path):
        raise ForeignError(found)
    if is_safetensors(path):
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            what = f"not read, because it is cut or damaged ({error})"
            raise ForeignError(Foreign(what, "download it again")) from error
    try:
        # An open file, because torch itself goes by the name.
        with path.open("rb") as file, torch.serialization.safe_globals(list(aside)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other protocols of pickle: read, or refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise any exception in the parsers
        # What torch says itself ends in the advice to run the file's code.
        raise ForeignError(_unread(error, path)) from None


def _unread(error: Exception, path: Path) -> Foreign:
    message = str(error)
    if named := re.search(r"GLOBAL ([\w.]+)|(?:of type|class|function) (?:<class ')?([\w.]+\.[\w.]+)", message):
        what = f"it holds an object of {(named[1] or named[2])!r}, and a stranger's objects can run code"
        return Foreign(f"not read, because {what}", weights=f"where it was made, save the tensors alone: {SAVE}")
    if isinstance(error, EOFError) or re.search(r"EOF|Ran out of input|corrupted|failed reading", message):
        return Foreign("not read, because it is cut or damaged", "copy or download it again")
    with path.open("rb") as file:
        kind = "is a pickle that torch.save did not write" if file.read(1) == b"\x80" else "is none of PyTorch's files"
    return Foreign(f"not read, because it {kind}, or is damaged", weights=f"save the weights again: {SAVE}")
