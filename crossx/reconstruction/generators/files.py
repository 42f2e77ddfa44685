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
    write_safetensors(path, generators.state_dict(), {_METADATA: json.dumps(_specs(generators))})


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


def load_weights(generators: GeneratorPair, path: str, field: str) -> None:
    """Give generators the weights of those that an earlier run has saved.

    Args:
        generators: Both; their parameters and running statistics are replaced.
        path: The file.
        field: The config field, for the message.

    Raises:
        InputError: As `load_generators`, and when the file's generators have other classes or arguments.
    """
    saved = load_generators(path, field)
    found, wanted = (json.loads(json.dumps(_specs(pair))) for pair in (saved, generators))  # tuples become lists
    for side in found:
        if different := _differences(found[side], wanted[side]):
            raise InputError(
                f"{field}: must hold generators as the config states them, got a {side} generator with "
                f"{', '.join(different)} in {resolve(path, field)}"
            )
    generators.load_state_dict(saved.state_dict())


def _specs(generators: GeneratorPair) -> dict[str, Any]:
    return {
        side: to_spec(type(generator), generator.arguments())
        for side, generator in (("photo", generators.photo), ("sketch", generators.sketch))
    }


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What is different about a generator: its class, or else some of its arguments."""
    if found["class_path"] != wanted["class_path"]:
        return [f"class {found['class_path']} (stated: {wanted['class_path']})"]
    stated = wanted["init_args"]
    return [
        f"{name} {value} (stated: {stated[name]})"
        for name, value in found["init_args"].items()
        if value != stated[name]
    ]


class _OldFileError(Exception):
    """The file has the form of crossx 0.1.0."""
