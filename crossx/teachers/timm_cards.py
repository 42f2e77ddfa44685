"""Cards of timm's models: class names of ImageNet, and timm's own preprocessing."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import timm
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

from crossx.core.errors import InputError
from crossx.networks.preprocessing import InputFormat
from crossx.networks.timm_network import TIMM_PREFIX, nearest_timm_name, timm_format
from crossx.teachers.card import TeacherCard


def timm_card(name: str, field: str) -> TeacherCard:
    """Card of a pretrained model of timm with its classes of ImageNet.

    Args:
        name: Name of the model.
        field: The config field, for messages.

    Raises:
        InputError: When timm has no weights of that name, or they have other classes.
    """
    config = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    if config is None:
        nearest = nearest_timm_name(name, pretrained=True)
        raise InputError(f"{field}: must be a pretrained model of timm.list_pretrained(), got {name!r}{nearest}")
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
        "name": name,
        **_fields(timm_format(name, {})),
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


def with_timm_format(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in timm's preprocessing where a card names a model of timm and leaves it out.

    A card with a mean or a deviation of its own has another training behind it, so that timm's interpolation and crop
    are not taken over for it.

    Args:
        values: Fields of a card, not checked yet.
    """
    network, arguments = values.get("network"), values.get("arguments", {})
    if not isinstance(network, str) or not network.startswith(TIMM_PREFIX) or not isinstance(arguments, dict):
        return dict(values)
    if {"input_size", "mean", "std"} <= values.keys():
        return dict(values)
    usual = _fields(timm_format(network.removeprefix(TIMM_PREFIX), arguments))
    own_colours = "mean" in values or "std" in values
    return {**{k: v for k, v in usual.items() if not own_colours or k not in ("interpolation", "crop")}, **values}


def _fields(usual: InputFormat) -> dict[str, Any]:
    """Fields of a card for what a network takes as input."""
    fields = usual._asdict()
    return {"input_size": fields.pop("size"), **fields}
