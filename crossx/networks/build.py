"""Networks from plain values, as cards and configs hold them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.specs import class_name, find_class
from crossx.networks.base import Network
from crossx.networks.timm_network import TIMM_PREFIX, TimmNetwork, is_timm_name


def build_network(network: str, arguments: Mapping[str, Any], num_classes: int, pretrained: bool = False) -> Network:
    """Build a network from plain values, as cards and configs hold them; nothing is imported for it.

    Args:
        network: Name of a network of crossx (`SmallResNet`), `timm:<model name>`, or the dotted path of a loaded
            subclass of `Network` in another package (`my_package.networks.MyNet`).
        arguments: Arguments of the network, without the number of classes.
        num_classes: Number K of classes, 0 for an encoder.
        pretrained: Start from timm's weights; for timm networks only.

    Raises:
        InputError: When no such network is loaded, the arguments do not fit, or pretrained weights are asked for that
            do not exist.
    """
    if network.startswith(TIMM_PREFIX):
        return TimmNetwork(network.removeprefix(TIMM_PREFIX), pretrained, num_classes, arguments)
    if pretrained:
        raise InputError(f"pretrained: must be false for network {network!r}; only timm:<model name> has weights")
    cls = _find(network)
    if cls is TimmNetwork:
        raise InputError("network: must be timm:<model name> for a network of timm, got 'TimmNetwork'")
    try:
        return cls(num_classes=num_classes, **arguments)
    except InputError:
        raise
    except Exception as error:  # the constructor of a user's network can raise anything
        raise InputError(f"network {network}: the arguments {dict(arguments)} do not fit: {error}") from error


def without_classifier(network: str, arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Network:
    """Build a network with the weights of a classifier and without its last part, as an encoder starts from a teacher.

    Args:
        network: As in `build_network`.
        arguments: As in `build_network`.
        weights: State dict of the network with its classifier.

    Raises:
        InputError: When the network with `num_classes=0` has tensors that the classifier does not have.
    """
    built = build_network(network, arguments, num_classes=0)
    for name, tensor in built.state_dict().items():
        if name not in weights or weights[name].shape != tensor.shape:
            raise InputError(
                f"network {network}: must leave its classifier out for num_classes=0, got the tensor {name} of shape "
                f"{tuple(tensor.shape)}; encoders start from a teacher without its classifier"
            )
    built.load_state_dict({name: weights[name] for name in built.state_dict()})
    return built


def card_name(network: str) -> str:
    """Return the name of a network as a card has it, whichever of its names is given.

    Raises:
        InputError: When no such network is loaded.
    """
    if network.startswith(TIMM_PREFIX):
        return network
    return class_name(_find(network))


def _find(network: str) -> type[Network]:
    try:
        return find_class(network, Network)  # type: ignore[type-abstract]  # only its subclasses are built
    except InputError as error:
        if is_timm_name(network):
            raise InputError(f"{error} (did you mean {TIMM_PREFIX + network!r}?)") from error
        raise
