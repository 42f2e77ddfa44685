"""Reading weights files, with what training scripts leave beside the weights."""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError
from crossx.core.file_kinds import ForeignError
from crossx.core.torch_files import read_tensors
from crossx.teachers.shards import refuse_shard


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


def read_weights(path: str | os.PathLike[str]) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read all that a weights file holds, on the CPU; nothing in the file is executed.

    Args:
        path: An existing file of `torch.save` or safetensors; its content counts, and not its name.

    Returns:
        Tensors and plain values, nested as in the file.

    Raises:
        InputError: When the file is of another kind, damaged, a part of the weights, or holds a stranger's objects.
    """
    path = Path(path)
    refuse_shard(path)
    try:
        return read_tensors(path, _ASIDE)
    except ForeignError as error:
        raise InputError(f"{path}: {error.foreign.in_place_of_weights}") from None
