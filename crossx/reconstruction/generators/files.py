"""Saved generators: `generators.safetensors`."""

import json
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.specs import loaded_subclasses
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
        side: {"class": type(generator).__name__, "arguments": generator.arguments()}
        for side, generator in (("photo", generators.photo), ("sketch", generators.sketch))
    }
    write_safetensors(path, generators.state_dict(), {_METADATA: json.dumps(specs)})


def load_generators(path: str, field: str) -> GeneratorPair:
    """Read the two generators of an earlier run, ready to sample and without gradient.

    Raises:
        InputError: When the file does not exist, is no such file, or names a generator class that is not loaded.
    """
    file = resolve(path, field)
    tensors, metadata = read_safetensors(file, field)
    try:
        specs = json.loads(metadata[_METADATA])
        pair = GeneratorPair(*(_build(specs[side]) for side in ("photo", "sketch")))
        pair.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:  # InputError and JSON's error are ValueErrors
        raise InputError(f"{field}: {file} does not hold two generators saved by crossx ({error})") from error
    return pair.requires_grad_(False).eval()


def _build(spec: dict[str, Any]) -> Generator:
    # The file is untrusted: a class is looked up among those already loaded, nothing is imported by name.
    known = {cls.__name__: cls for cls in loaded_subclasses(Generator)}  # type: ignore[type-abstract]  # abstract on purpose
    if spec["class"] not in known:
        raise InputError(f"generator class {spec['class']!r} is not loaded; known: {', '.join(sorted(known))}")
    return known[spec["class"]](**spec["arguments"])
