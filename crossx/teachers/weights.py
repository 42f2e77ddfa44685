"""Reading weights files safely: tensors and plain values, whatever the file is called, and no stranger's code."""

import argparse
import pathlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from crossx.core.errors import InputError
from crossx.teachers.file_kinds import SAVE, is_safetensors, refusal

_SCALAR = np.float64(0).__reduce__()[0]
_PLAIN: list[Any] = [
    argparse.Namespace,
    pathlib.PosixPath,
    np.dtype,
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),  # the names of numpy 1 and 2
    *{type(np.dtype(kind)) for kind in ("bool", "i4", "i8", "f2", "f4", "f8")},
]
"""What training scripts leave beside the weights: their options, a path, a best accuracy.

All are values: making one runs nothing.
"""


def read_weights(path: Path) -> object:
    """Read all that a weights file holds, on the CPU.

    Args:
        path: An existing file of `torch.save` or safetensors; its content counts, and not its name.

    Returns:
        Tensors and plain values, nested as in the file.

    Raises:
        InputError: When the file is of another kind, damaged, or holds a stranger's objects.
    """
    if reason := refusal(path):
        raise InputError(f"{path}: {reason}")
    if is_safetensors(path):
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{path}: not read, because it is cut or damaged: {error}; download it again") from error
    try:
        with torch.serialization.safe_globals(_PLAIN):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise any exception in the parsers
        # What torch says itself ends in the advice to run the file's code.
        raise InputError(f"{path}: not read, because {_reason(str(error))}") from None


def _reason(message: str) -> str:
    if named := re.search(r"GLOBAL ([\w.]+)|(?:of type|class|function) (?:<class ')?([\w.]+\.[\w.]+)", message):
        return (
            f"it holds an object of {(named[1] or named[2])!r}, and a stranger's objects can run code; where it was "
            f"made, save the tensors alone: {SAVE}"
        )
    if re.search(r"EOF|Ran out of input|truncated|corrupt|central directory|size|fewer|failed reading", message):
        return "it is cut or damaged; copy or download it again"
    return f"it is no file of torch.save or safetensors, or is damaged; save the weights again: {SAVE}"
