"""Saved generators: `generators.safetensors`."""

import json
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.specs import build, to_spec
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.reconstruction.generators.base import Generator
from crossx.reconstruction.generators.pair import GeneratorPair

_METADATA = "crossx_generators"


def save_generators(path: Path, generators: GeneratorPair) -> None:
    """Write both generators to one safetensors file, atomically.

    Args:
        path: The file.
        generators: Both.
    """
    specs: dict[str, Any] = {
        side: to_spec(type(generator), generator.arguments())
        for side, generator in (("photo", generators.photo), ("sketch", generators.sketch))
    }
    write_safetensors(path, generators.state_dict(), {_METADATA: json.dumps(specs)})


def load_generators(path: str, field: str) -> GeneratorPair:
    """Read the two generators of an earlier run, ready to sample and without gradient.

    Raises:
        InputError: When the file does not exist, is no file of generators, was written by crossx 0.1.0, or names a
            generator class that is not loaded.
    """
    file = resolve(path, field)
    tensors, metadata = read_safetensors(file, field)
    try:
        specs = json.loads(metadata[_METADATA])
        if specs["photo"].keys() >= {"class", "arguments"}:
            raise _OldFileError
        # An abstract base, of which only subclasses are built.
        pair = GeneratorPair(*(build(specs[side], Generator) for side in ("photo", "sketch")))  # type: ignore[type-abstract]
        pair.load_state_dict(tensors)
    except _OldFileError:
        raise InputError(
            f"{field}: {file} was written by crossx 0.1.0; train the generators again with this version, or use the "
            "file with crossx 0.1.0"
        ) from None
    # InputError and JSON's error are ValueErrors.
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise InputError(f"{field}: {file} does not hold two generators saved by crossx ({error})") from error
    return pair.requires_grad_(False).eval()


class _OldFileError(Exception):
    """The file has the form of crossx 0.1.0."""
