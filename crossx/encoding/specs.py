"""Encoders as plain values: what a config says of them, and building them from that alone, without a module."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from crossx.core.errors import InputError
from crossx.core.factories import complete
from crossx.core.untrusted import as_paths, refuse_imports
from crossx.encoding.encoders import Encoder, EncoderFactory
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality


def encoder_specs(model: Mapping[str, Any]) -> dict[str, Any]:
    """Find the encoders in the config of a model.

    Args:
        model: `class_path` and `init_args` of a module with encoders, or of one that trains such a module under
            `encoding`.

    Returns:
        `photo_encoder` and `sketch_encoder`, each with `class_path` and `init_args`, and `shared`, whether one encoder
        embeds both modalities; empty where the config names no encoder.
    """
    config = model.get("init_args") or {}
    config = (config.get("encoding") or {}).get("init_args", config)
    if "encoder" not in config:
        return {}
    other = config.get("sketch_encoder") or config["encoder"]
    return {"photo_encoder": config["encoder"], "sketch_encoder": other, "shared": config.get("shared", False)}


def build_encoders(specs: Mapping[str, Any], teachers: TeacherPair | None, source: str) -> dict[Modality, Encoder]:
    """Build both encoders, in eval mode; nothing is imported for it.

    Args:
        specs: As `encoder_specs` returns them.
        teachers: The teachers; None for encoders that were trained without.
        source: File that the values come from, for messages.

    Raises:
        InputError: When a class is not loaded, or the arguments do not fit.
    """
    photo = _built(specs, "photo", teachers, source)
    sketch = photo if specs.get("shared") else _built(specs, "sketch", teachers, source)
    photo.check_partner(sketch)
    return {"photo": photo.eval(), "sketch": sketch.eval()}


def _built(specs: Mapping[str, Any], modality: Modality, teachers: TeacherPair | None, source: str) -> Encoder:
    spec = as_paths(specs.get(f"{modality}_encoder"))
    refuse_imports(spec, source)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--encoder", type=EncoderFactory)
    try:
        factory = parser.instantiate_classes(parser.parse_object({"encoder": spec})).encoder
    except (ArgumentError, TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(f"{source}: {modality}_encoder: is no encoder that can be built: {first}") from error
    kind: type[Encoder] = Encoder  # type: ignore[type-abstract]  # compared with, never built
    return complete(f"{source}: {modality}_encoder", factory, kind, teachers=teachers, modality=modality)
