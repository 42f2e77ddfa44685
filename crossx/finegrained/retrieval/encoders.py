"""The two encoders of a fine-grained run: built with or without teachers, and started from those of another run."""

from functools import partial

from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.core.factories import complete, plain_factory
from crossx.core.paths import resolve
from crossx.core.tensor_files import read_safetensors
from crossx.encoding.encoders import Encoder, EncoderFactory
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Modality


def teachers_of(
    photo_teacher: str | None, sketch_teacher: str | None, aliases: dict[str, str] | None
) -> TeacherPair | None:
    """The teachers that a config names; None for a run without.

    Raises:
        InputError: When one of both is named, or a teacher cannot be read.
    """
    if photo_teacher is None and sketch_teacher is None:
        return None
    if photo_teacher is None or sketch_teacher is None:
        missing = "photo" if photo_teacher is None else "sketch"
        raise InputError(f"teachers.{missing}: must be named beside the other teacher, or neither; got null")
    return TeacherPair(photo_teacher, sketch_teacher, aliases)


def build_encoder(field: str, factory: EncoderFactory, teachers: TeacherPair | None, modality: Modality) -> Encoder:
    """Build the encoder of a modality.

    Args:
        field: Where the user named it, for messages.
        factory: Factory of the encoder.
        teachers: The teachers; None in a run without, where the encoder must have a network of its own.
        modality: Modality of the images.

    Raises:
        InputError: When the encoder cannot be built, or needs teachers that the run does not have.
    """
    plain = plain_factory(factory)
    cls = plain.func if isinstance(plain, partial) else plain
    if teachers is None and isinstance(cls, type) and issubclass(cls, Encoder) and cls.needs_teachers:
        raise InputError(
            f"teachers: must name photo and sketch for the {field} {cls.__name__}, got null; without teachers use "
            "NetworkEncoder"
        )
    kind: type[Encoder] = Encoder  # type: ignore[type-abstract]  # compared with, never built
    return complete(field, factory, kind, teachers=teachers, modality=modality)


def load_encoders(encoders: dict[Modality, Encoder], path: str, field: str) -> None:
    """Give encoders the weights that an earlier run has exported as `encoders.safetensors`.

    Args:
        encoders: Both encoders; parameters and running statistics are replaced.
        path: The file.
        field: The config field, for messages.

    Raises:
        InputError: When the file cannot be read, or holds encoders of another kind.
    """
    file = resolve(path, field)
    if not file.is_file():
        raise InputError(f"{field}: must be the file encoders.safetensors of a run, got the folder {file}")
    tensors, _ = read_safetensors(file, field)
    for modality in MODALITIES:
        start = f"{modality}_encoder."
        own = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        _load(encoders[modality], own, f"{field}: {file}", start)


def _load(encoder: nn.Module, tensors: dict[str, Tensor], where: str, start: str) -> None:
    wanted = encoder.state_dict()
    names = [*wanted, *(name for name in tensors if name not in wanted)]
    differing = [n for n in names if n not in tensors or n not in wanted or tensors[n].shape != wanted[n].shape]
    if differing:
        name = differing[0]
        found, stated = (f"{tuple(x[name].shape)}" if name in x else "no such tensor" for x in (tensors, wanted))
        raise InputError(
            f"{where}: must hold encoders as the config states them, got {len(differing)} tensors that differ, such as "
            f"{start}{name}: {found} (stated: {stated})"
        )
    encoder.load_state_dict(tensors)
