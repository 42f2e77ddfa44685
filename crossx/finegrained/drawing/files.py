"""Saved generators of drawings: `generator.safetensors`."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.core.version import __version__
from crossx.finegrained.drawing.decoder import StrokeDecoder
from crossx.finegrained.drawing.generator import DrawingGenerator
from crossx.finegrained.drawing.photo_encoder import PhotoEncoder2D

_KEY = "crossx_drawing_generator"
FORMAT = 1
"""Version of the file; increased when the same tensors would draw otherwise."""


def save_generator(path: Path, generator: DrawingGenerator, half: bool = False) -> None:
    """Write a generator to one safetensors file, atomically: weights, scale, and the arguments of its parts.

    Args:
        path: The file.
        generator: The generator; it must know its scale.
        half: Write parameters as float16, for a file of half the size; running statistics and scale stay float32.

    Raises:
        InputError: When the generator has never seen a drawing.
    """
    if float(generator.scale) == 0:
        raise InputError("generator: must have a scale, which the first drawings tell, before it is written")
    parameters = {name for name, _ in generator.named_parameters()}
    tensors = {
        name: tensor.half() if half and name in parameters else tensor
        for name, tensor in generator.state_dict().items()
    }
    about = {"format": FORMAT, "version": __version__, "arguments": arguments_of(generator)}
    write_safetensors(path, tensors, {_KEY: json.dumps(about)})


def load_generator(path: str | Path, field: str = "generator") -> DrawingGenerator:
    """Read a generator, ready to draw and without gradient.

    Args:
        path: A file that `save_generator` has written.
        field: Where the user named it, for messages.

    Raises:
        InputError: When the file does not exist, is no generator of drawings, has another format, or names a network
            that is not loaded.
    """
    file = resolve(path, field)
    tensors, metadata = read_safetensors(file, field)
    try:
        about = json.loads(metadata[_KEY])
        if about["format"] != FORMAT:
            raise InputError(f"{field}: {file} must have format {FORMAT}, got {about['format']!r} of another version")
        generator = _built(about["arguments"])
        generator.load_state_dict(tensors)
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise InputError(f"{field}: {file} does not hold a generator of drawings saved by crossx ({error})") from error
    if not (scale := float(generator.scale)) > 0 or not scale < 1:
        raise InputError(f"{field}: {file} must have a scale in (0, 1), got {scale}")
    return generator.requires_grad_(False).eval()


def load_start(generator: DrawingGenerator, path: str, field: str) -> None:
    """Give a generator the weights and the scale of a saved one of the same form.

    Raises:
        InputError: As `load_generator`, and when the file's generator has other arguments.
    """
    saved = load_generator(path, field)
    found, wanted = (json.loads(json.dumps(arguments_of(one))) for one in (saved, generator))  # tuples become lists
    for part in ("encoder", "decoder"):
        # What is dropped in training, and where a drawing is cut, are no part of the weights.
        differing = [n for n in wanted[part] if n != "dropout" and found[part].get(n) != wanted[part][n]]
        if differing:
            name = differing[0]
            raise InputError(
                f"{field}: must hold a generator as the config states it, got {part}.{name} {found[part].get(name)!r} "
                f"in {path} (stated: {wanted[part][name]!r})"
            )
    if found["latent"] != wanted["latent"]:
        raise InputError(f"{field}: must have latent {wanted['latent']}, as the config states, got {found['latent']}")
    generator.load_state_dict(saved.state_dict())


def arguments_of(generator: DrawingGenerator) -> dict[str, Any]:
    """Arguments that build a generator of the same form, as plain values."""
    return {
        "encoder": generator.encoder.arguments(),
        "decoder": generator.decoder.arguments(),
        "latent": generator.latent,
        "max_points": generator.max_points,
    }


def _built(arguments: dict[str, Any]) -> DrawingGenerator:
    # Of a stranger's file, which might name another file to read, or a download.
    encoder = {name: value for name, value in arguments["encoder"].items() if name not in ("teacher", "pretrained")}
    decoder = partial(StrokeDecoder, **arguments["decoder"])
    return DrawingGenerator(PhotoEncoder2D(**encoder), decoder, arguments["latent"], arguments["max_points"])
