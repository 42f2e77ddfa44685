"""Networks from plain values, as cards and configs hold them."""

from collections.abc import Mapping
from typing import Any

from crossx.core.errors import InputError
from crossx.core.specs import loaded_subclasses
from crossx.networks.base import Network
from crossx.networks.timm_network import TIMM_PREFIX, TimmNetwork


def build_network(network: str, arguments: Mapping[str, Any], num_classes: int, pretrained: bool = False) -> Network:
    """Build a network from plain values, as cards and configs hold them. Nothing is imported for it.

    Args:
        network: Name of a loaded subclass of `Network`, or `timm:<model name>`.
        arguments: Its arguments, without the number of classes.
        num_classes: Number K of classes, 0 for an encoder.
        pretrained: Start from timm's weights; for timm networks only.

    Raises:
        InputError: When the name is unknown, the arguments do not fit, or weights are asked for that there are not.
    """
    if network.startswith(TIMM_PREFIX):
        return TimmNetwork(network.removeprefix(TIMM_PREFIX), pretrained, num_classes, arguments)
    if pretrained:
        raise InputError(f"pretrained: true is not legal for network {network!r}; only timm:<model name> has weights")
    loaded = loaded_subclasses(Network)  # type: ignore[type-abstract]  # only its subclasses are made
    known = {c.__name__: c for c in loaded if c is not TimmNetwork}
    if network not in known:
        raise InputError(f"network {network!r} is unknown; legal are {sorted(known)} and timm:<model name>")
    try:
        return known[network](num_classes=num_classes, **arguments)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"network {network}: the arguments {dict(arguments)} do not fit: {error}") from error
