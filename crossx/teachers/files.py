"""Teacher files: card and weights, read safely and written atomically.

A teacher file comes from a stranger, so nothing that it names is imported and no pickle in it is executed.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.tensor_files import write_safetensors
from crossx.core.text_files import read_text
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.networks.timm_network import TIMM_PREFIX, TimmNetwork
from crossx.teachers.card import TeacherCard

CARD_KEY = "crossx_card"
"""Key of the card in the metadata of a safetensors file."""

_PREFIXES = ("module.", "model.", "network.", "_orig_mod.")
"""Prefixes that DataParallel, Lightning modules, wrappers and torch.compile put before the names of all tensors."""


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
        return TeacherFile(_timm_card(name, field), (spec,), lambda: TimmNetwork(name, pretrained=True))
    path = resolve(spec, field)
    if path.suffix == ".safetensors":
        return _teacher_file(_header_card(path), path, path)
    if path.suffix == ".yaml":
        card, weights = _yaml_card(path)
        return _teacher_file(card, path, weights)
    raise InputError(f"{field}: must be a .safetensors file, a .yaml card or timm:<model name>, got {spec!r}")


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
    parameters = dict(network.named_parameters())
    tensors = {
        name: tensor.half() if half and name in parameters else tensor for name, tensor in network.state_dict().items()
    }
    write_safetensors(path, tensors, {CARD_KEY: card.to_json()})


def _teacher_file(card: TeacherCard, path: Path, weights: Path) -> TeacherFile:
    stamps = [(str(p.resolve()), p.stat().st_mtime_ns, p.stat().st_size) for p in (path, weights)]
    return TeacherFile(card, tuple(stamps), lambda: _filled_network(card, path, weights))


def _header_card(path: Path) -> TeacherCard:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: must be a safetensors file: {error}") from error
    if CARD_KEY not in metadata:
        raise InputError(f"{path}: must have a card in its header; or write a .yaml card with `weights: {path.name}`")
    return TeacherCard.from_json(metadata[CARD_KEY], str(path))


def _yaml_card(path: Path) -> tuple[TeacherCard, Path]:
    try:
        values = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: must be YAML: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("weights"), str):
        raise InputError(f"{path}: must be a mapping with the fields of a card and `weights: <file>`")
    weights = values.pop("weights")
    beside = path.parent / weights
    return TeacherCard.from_mapping(values, str(path)), beside if beside.exists() else resolve(
        weights, f"{path}: weights"
    )


def _timm_card(name: str, field: str) -> TeacherCard:
    config = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    if config is None:
        raise InputError(f"{field}: must be a pretrained model of timm.list_pretrained(), got {name!r}")
    subset = infer_imagenet_subset(config)
    if subset is None:
        raise InputError(
            f"{field}: must be a timm model with known class names, got {name!r}; for its {config.num_classes} classes "
            "write a .yaml card with classes and weights"
        )
    values = {
        "modality": "photo",
        "network": TIMM_PREFIX + name,
        "classes": _imagenet_classes(subset),
        "input_size": config.input_size[-1],
        "mean": config.mean,
        "std": config.std,
        "name": name,
    }
    return TeacherCard.from_mapping(values, f"{field}: {TIMM_PREFIX}{name}")


def _imagenet_classes(subset: str) -> list[str]:
    """First word of each class, with its id where two classes share the word: `crane (n02012849)` is the bird."""
    info = ImageNetInfo(subset)
    words = [str(description).split(",")[0] for description in info.label_descriptions()]
    count = Counter(words)
    return [
        f"{word} ({synset})" if count[word] > 1 else word
        for word, synset in zip(words, info.label_names(), strict=True)  # type: ignore[no-untyped-call]
    ]


def _filled_network(card: TeacherCard, source: Path, weights: Path) -> Network:
    try:
        network = build_network(card.network, card.arguments, len(card.classes))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    wanted = _without_prefix(network.state_dict())
    given = _without_prefix(_read_tensors(weights))
    missing, unexpected = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unexpected:
        raise InputError(
            f"{weights}: must be the weights of {card.network} with {card.arguments}, got "
            f"missing tensors {missing[:5]}, unexpected tensors {unexpected[:5]}"
        )
    for name, tensor in wanted.items():
        if tensor.shape != given[name].shape:
            raise InputError(
                f"{weights}: tensor {name}: must have the shape {tuple(tensor.shape)} for {card.network} with "
                f"{card.arguments} and {len(card.classes)} classes, got {tuple(given[name].shape)}"
            )
        tensor.copy_(given[name])
    _check_size(network, card, source)
    return network.to(memory_format=torch.channels_last)


@torch.no_grad()
def _check_size(network: Network, card: TeacherCard, source: Path) -> None:
    """Refuse an input size that the network does not take, such as one of a ViT other than its `img_size`."""
    network.eval()
    try:
        network(torch.zeros(1, 3, card.input_size, card.input_size))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{source}: card: input_size: must be a size that {card.network} takes, got {card.input_size}: {error}"
        ) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise InputError(f"{path}: weights: must be a .safetensors, .pt or .pth file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise any exception in the parsers
        raise InputError(f"{path}: not read, because it is damaged or more than plain tensors: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise InputError(f"{path}: must be a plain state dict, a mapping of names to tensors")
    return content


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Strip prefixes that all names share, so that wrapped and unwrapped networks have the same names."""
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            return _without_prefix({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
    return tensors
