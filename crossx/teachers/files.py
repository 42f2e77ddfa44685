"""Teacher files: card and weights, read safely and written atomically.

A teacher file comes from a stranger, so nothing that it names is imported and no pickle in it is executed.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from crossx.core.errors import InputError
from crossx.core.file_kinds import foreign, is_safetensors
from crossx.core.paths import resolve
from crossx.core.tensor_files import write_safetensors
from crossx.core.yaml_files import read_yaml
from crossx.networks.base import Network
from crossx.networks.timm_network import TIMM_PREFIX, TimmNetwork
from crossx.teachers.card import TeacherCard
from crossx.teachers.filling import filled_network
from crossx.teachers.timm_cards import timm_card, with_timm_format

CARD_KEY = "crossx_card"
"""Key of the card in the metadata of a safetensors file."""


@dataclass(frozen=True)
class TeacherFile:
    """A teacher of which the card is read and the weights are not.

    Attributes:
        card: The card.
        key: Key of the cache; equal for the same teacher, different after one of its files has changed.
        network: Builds the network and loads its weights.
    """

    card: TeacherCard
    key: tuple[object, ...]
    network: Callable[[], Network]


def open_teacher(spec: str, field: str) -> TeacherFile:
    """Find a teacher and read its card.

    Args:
        spec: As in `load_teacher`.
        field: The config field, for messages.

    Raises:
        InputError: When the teacher cannot be found, or its card is missing or wrong.
    """
    if spec.startswith(TIMM_PREFIX):
        name = spec.removeprefix(TIMM_PREFIX)
        return TeacherFile(timm_card(name, field), (spec,), lambda: TimmNetwork(name, pretrained=True))
    path = resolve(spec, field)
    if path.suffix == ".safetensors":
        return _teacher_file(_header_card(path), path, path)
    if path.suffix in (".yaml", ".yml"):
        card, weights = _yaml_card(path)
        return _teacher_file(card, path, weights)
    raise InputError(
        f"{field}: must be a .safetensors file with a card, a .yaml card or timm:<model name>, got {spec!r}; other "
        f"weights need a card beside them: {_example(path)}"
    )


def save_teacher(path: str | os.PathLike[str], network: Network, card: TeacherCard, half: bool = False) -> None:
    """Write a teacher file atomically: safetensors with the card in the header.

    Args:
        path: File to write, `.safetensors`; its folder is made.
        network: The classifier.
        card: Its card.
        half: Write the parameters as float16; running statistics stay float32, because a variance may exceed float16.

    Raises:
        InputError: When the file has another suffix, or card and network disagree on the number of classes.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"teacher file: must be named *.safetensors, got {str(path)!r}")
    if len(card.classes) != network.num_classes:
        raise InputError(
            f"{path}: card: must name {network.num_classes} classes for the network, got {len(card.classes)}"
        )
    parameters = dict(network.named_parameters(remove_duplicate=False))
    tensors = {
        name: tensor.half() if half and name in parameters else tensor for name, tensor in network.state_dict().items()
    }
    write_safetensors(path, tensors, {CARD_KEY: card.to_json()})


def _teacher_file(card: TeacherCard, path: Path, weights: Path) -> TeacherFile:
    stamps = [(str(p.resolve()), p.stat().st_mtime_ns, p.stat().st_size) for p in (path, weights)]
    return TeacherFile(card, tuple(stamps), lambda: filled_network(card, path, weights))


def _example(weights: Path) -> str:
    """The fields of a card for weights that have none."""
    fields = "modality, network, classes, input_size, mean, std"
    return f"{weights.stem.partition('.')[0] or 'card'}.yaml with {fields} and `weights: {weights.name}`"


def _header_card(path: Path) -> TeacherCard:
    if not is_safetensors(path) and (found := foreign(path)):
        raise InputError(f"{path}: must be a safetensors file: {found.in_place_of_weights}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: must be a safetensors file: {error}") from error
    if CARD_KEY not in metadata:
        raise InputError(f"{path}: must have a card in its header; or write a card beside it: {_example(path)}")
    return TeacherCard.from_json(metadata[CARD_KEY], str(path))


def _yaml_card(path: Path) -> tuple[TeacherCard, Path]:
    values = read_yaml(path, str(path))
    if not isinstance(values, dict) or not isinstance(values.get("weights"), str):
        raise InputError(f"{path}: must be a mapping with the fields of a card and `weights: <file>`")
    weights = values.pop("weights")
    beside = path.parent / weights
    try:
        values = with_timm_format(values)
    except InputError as error:
        raise InputError(f"{path}: card: network: {error}") from error
    card = TeacherCard.from_mapping(values, str(path))
    return card, beside if beside.exists() else resolve(weights, f"{path}: weights")
