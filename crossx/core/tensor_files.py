"""Safetensors files."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from crossx.core.atomic import atomic_path
from crossx.core.errors import InputError


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and metadata to a safetensors file, atomically; tied tensors under each of their names."""
    plain: dict[str, Tensor] = {}
    memory: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        plain[name] = tensor.clone() if place in memory else tensor  # safetensors refuses memory that two share
        memory.add(place)
    with atomic_path(path) as temporary:
        save_file(plain, temporary, metadata)


def read_safetensors(path: Path, field: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata of a safetensors file.

    Raises:
        InputError: When the file is not a safetensors file.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no dict
    except (SafetensorError, OSError) as error:
        raise InputError(f"{field}: {path} is not a readable safetensors file ({error})") from error
