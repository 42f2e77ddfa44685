"""Networks of timm, taken apart into features and classifier."""

import re
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.networks.base import Network

TIMM_PREFIX = "timm:"


class TimmNetwork(Network):
    """A network of timm (https://github.com/huggingface/pytorch-image-models) by its name.

    Args:
        name: Name of a timm model, such as `resnet18.a1_in1k`.
        pretrained: Load timm's weights; needs the network or timm's cache.
        num_classes: Number K of classes, 0 for an encoder; None keeps the model's own.
        arguments: Further arguments of the model, such as `{"img_size": 64}`.

    Raises:
        InputError: When timm does not know the name, the model cannot be built from the arguments, its weights cannot
            be had, or `classify(pooled(x))` is not the model's own output.
    """

    model: Any  # timm's models share no typed base class

    def __init__(
        self,
        name: str,
        pretrained: bool = False,
        num_classes: int | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        arguments = dict(arguments or {})
        # timm would also follow names such as `hf-hub:owner/model` and arguments that name files to load; a card,
        # which is nobody's code, may choose neither.
        if not re.fullmatch(r"\w+(\.\w+)?", name) or not timm.is_model(name):
            raise InputError(f"timm knows no model {name!r}; legal are the names that timm.list_models() gives")
        loading = sorted(key for key in arguments if key.startswith(("pretrained", "checkpoint", "cache")))
        if loading:
            raise InputError(f"timm model {name}: the arguments {loading} are not legal: weights come from elsewhere")
        if num_classes is not None:
            arguments["num_classes"] = num_classes
        try:
            model: Any = timm.create_model(name, pretrained=pretrained, **arguments)
        except Exception as error:  # whatever its constructors and its download raise: timm names no base class
            what = "pretrained weights cannot be loaded" if pretrained else f"cannot be built from {arguments}"
            raise InputError(f"timm model {name}: {what}: {error}") from error
        self.model = model
        self.num_features = _check_two_parts(name, model, arguments)
        self.num_classes = int(model.num_classes)

    def pooled(self, x: Tensor) -> Tensor:
        """Normalised images, (B, 3, H, W), to features, (B, F)."""
        return _pooled(self.model, x)

    def classify(self, features: Tensor) -> Tensor:
        """Features, (B, F), to logits, (B, K)."""
        logits: Tensor = self.model.get_classifier()(features)
        return logits


def _pooled(model: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - timm's models share no typed base class
    features: Tensor = model.forward_head(model.forward_features(x), pre_logits=True)
    return features


@torch.no_grad()
def _check_two_parts(name: str, model: Any, arguments: Mapping[str, Any]) -> int:  # noqa: ANN401 - as above
    """Width of the features, after a proof on one image that features and classifier give the model's own logits."""
    size = arguments.get("img_size", model.default_cfg["input_size"][-1])
    x = torch.linspace(-2, 2, 3 * size * size).sin().view(1, 3, size, size)
    model.eval()
    try:
        features = _pooled(model, x)
        same = torch.allclose(model.get_classifier()(features), model(x), rtol=1e-3, atol=1e-4)
    except (AttributeError, TypeError, RuntimeError) as error:
        raise InputError(f"timm model {name}: it does not come apart into features and classifier: {error}") from error
    if not same or features.ndim != 2:
        raise InputError(f"timm model {name}: its classifier on its pooled features is not its own output")
    model.train()
    return features.shape[1]
