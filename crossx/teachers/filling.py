"""Networks of cards with the weights of their files, checked before anybody uses them."""

from pathlib import Path

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.networks.preprocessing import sides
from crossx.teachers.card import TeacherCard
from crossx.teachers.state_dicts import find_state_dict
from crossx.teachers.weights import read_weights


@torch.no_grad()
def filled_network(card: TeacherCard, source: Path, weights: Path) -> Network:
    """Build the network of a card, and load its weights.

    Args:
        card: The card.
        source: File of the card, for messages.
        weights: File of the weights.

    Raises:
        InputError: When network, card and weights do not fit each other, or the weights are not finite.
    """
    try:
        network = build_network(card.network, card.arguments, len(card.classes))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    label = f"{card.network} with {card.arguments or 'no arguments'} and {len(card.classes)} classes"
    wanted = network.state_dict()
    buffers = wanted.keys() - {name for name, _ in network.named_parameters(remove_duplicate=False)}
    found = find_state_dict(read_weights(weights), wanted, buffers, len(card.classes), weights, label)
    for name, tensor in wanted.items():
        if name in found:
            tensor.copy_(_checked(weights, *found[name], tensor.dtype))
        else:  # a counter of a BatchNorm layer
            tensor.zero_()
    _check_forward(network, card, source)
    return network.to(memory_format=torch.channels_last)


def _checked(path: Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor of a file in the type of the network's.

    Refused is what no training leaves: NaN, infinity, negative variances, and whole numbers in place of weights.
    """
    counter, where = name.endswith("num_batches_tracked"), f"{path}: tensor {name}"
    dense = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    try:
        cast = tensor.to(dtype) if dense and (counter or _numbers(tensor.dtype) == _numbers(dtype)) else None
    except RuntimeError:  # a type that torch stores and does not convert
        cast = None
    if cast is None:
        kind = f"{tensor.dtype} in the layout {tensor.layout} on {tensor.device}"
        raise InputError(f"{where}: must be dense {_numbers(dtype)}, got {kind}")
    if counter:
        return cast
    if _numbers(dtype) == _WHOLE:
        if not torch.equal(cast.to(tensor.dtype), tensor):
            raise InputError(f"{where}: must have numbers that {dtype} can hold, got larger ones of {tensor.dtype}")
        return cast
    if wrong := cast.numel() - int(torch.isfinite(cast).sum()):
        in_type = "" if tensor.dtype == dtype else f" in {dtype}"
        raise InputError(
            f"{where}: must be finite{in_type}, got NaN or infinity at {wrong} of {cast.numel()} places; the "
            "training has diverged, or the file is damaged"
        )
    if name.endswith("running_var") and bool((cast < 0).any()):
        raise InputError(f"{where}: must have no negative variance, got {float(cast.min()):g}; the file is damaged")
    return cast


_WHOLE = "whole numbers"


def _numbers(dtype: torch.dtype) -> str:
    return "floating-point numbers" if dtype.is_floating_point else "complex numbers" if dtype.is_complex else _WHOLE


def _check_forward(network: Network, card: TeacherCard, source: Path) -> None:
    """Refuse a size or a number of channels that the network does not take, and features or logits of other shapes."""
    try:
        wanted = ((2, network.num_features), (2, network.num_classes))
    except AttributeError as error:
        raise InputError(
            f"{source}: card: network: {card.network} must have the attributes num_features and num_classes: {error}"
        ) from error
    network.eval()
    size, channels = sides(card.input_size), len(card.mean)
    try:
        features = network.pooled(torch.zeros(2, channels, *size))
        logits = network.classify(features)
    except Exception as error:  # a network of the user's can raise anything
        if _takes(network, 4 - channels, size):
            raise InputError(
                f"{source}: card: mean, std: must have {_NUMBERS[4 - channels]} for {card.network} with "
                f"{card.arguments}, got {_NUMBERS[channels]}; a network of one channel sees the mean of the three"
            ) from error
        raise InputError(
            f"{source}: card: input_size: must be a size that {card.network} takes, got {card.input_size}: "
            f"{str(error).partition(chr(10))[0]}"
        ) from error
    shapes = (tuple(features.shape), tuple(logits.shape))
    if shapes != wanted or network.num_classes != len(card.classes):
        raise InputError(
            f"{source}: card: network: {card.network} must give features {wanted[0]} and logits "
            f"{(2, len(card.classes))} for two images, got {shapes[0]} and {shapes[1]}"
        )


_NUMBERS = {1: "one number (one grey channel)", 3: "three numbers (three channels)"}


def _takes(network: Network, channels: int, size: tuple[int, int]) -> bool:
    try:
        network(torch.zeros(2, channels, *size))
    except Exception:  # as above
        return False
    return True
