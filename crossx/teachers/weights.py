"""Reading weights files safely: tensors and plain values, whatever the file is called, and no stranger's code."""

import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from crossx.core.errors import InputError
from crossx.teachers.file_kinds import SAVE, is_safetensors, refusal


class _Aside:
    """What stands for an object that is no tensor: it takes everything, keeps nothing and runs nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


_ASIDE: list[Any] = [
    (_Aside, name)
    for name in (
        "argparse.Namespace",
        "datetime.datetime",
        "numpy.dtype",
        "numpy.ndarray",
        *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
        *(f"pathlib{local}.{name}" for local in ("", "._local") for name in ("PosixPath", "WindowsPath")),
    )
] + [
    (OrderedDict, name)
    for name in (
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
    )
]
"""What training scripts leave beside the weights: options, paths, a best accuracy, states of random generators."""


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
            raise InputError(f"{path}: not read, because it is cut or damaged ({error}); download it again") from error
    try:
        # An open file, because torch itself goes by the name.
        with path.open("rb") as file, torch.serialization.safe_globals(_ASIDE), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other protocols of pickle: read, or refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise any exception in the parsers
        # What torch says itself ends in the advice to run the file's code.
        raise InputError(f"{path}: not read, because {_reason(error, path)}") from None


def _reason(error: Exception, path: Path) -> str:
    message = str(error)
    if named := re.search(r"GLOBAL ([\w.]+)|(?:of type|class|function) (?:<class ')?([\w.]+\.[\w.]+)", message):
        return (
            f"it holds an object of {(named[1] or named[2])!r}, and a stranger's objects can run code; where it was "
            f"made, save the tensors alone: {SAVE}"
        )
    if isinstance(error, EOFError) or re.search(r"EOF|Ran out of input|corrupted|failed reading", message):
        return "it is cut or damaged; copy or download it again"
    with path.open("rb") as file:
        kind = "is a pickle that torch.save did not write" if file.read(1) == b"\x80" else "is none of PyTorch's files"
    return f"it {kind}, or is damaged; save the weights again: {SAVE}"
