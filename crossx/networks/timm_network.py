"""Networks of timm, split into features and classifier."""

import re
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError
from crossx.networks.base import Network
from crossx.networks.preprocessing import InputFormat, Interpolation

TIMM_PREFIX = "timm:"


class TimmNetwork(Network):
    """A network of timm (https://github.com/huggingface/pytorch-image-models) by name.

    Args:
        name: Name of a timm model, such as `resnet18.a1_in1k`.
        pretrained: Load timm's weights, from its cache or the internet.
        num_classes: Number K of classes, 0 for an encoder; None keeps the number of the pretrained model.
        arguments: Further arguments of the model, such as `{"img_size": 64}`, and `{"in_chans": 1}` for one grey
            channel.

    Raises:
        InputError: When timm has no model of that name, the model cannot be built from the arguments, its weights
            cannot be loaded, or `classify(pooled(x))` differs from the model's own output.
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
        check_timm_name(name)
        # A card comes from a stranger, and must not make timm load the files that its arguments name.
        loading = sorted(key for key in arguments if key.startswith(("pretrained", "checkpoint", "cache")))
        if loading:
            raise InputError(f"timm model {name}: must have no arguments that load weights, got {loading}")
        if num_classes is not None:
            arguments["num_classes"] = num_classes
        try:
            model: Any = timm.create_model(name, pretrained=pretrained, **arguments)
        except Exception as error:  # timm documents no base class for what its constructors and downloads raise
            what = "pretrained weights cannot be loaded" if pretrained else f"cannot be built from {arguments}"
            raise InputError(f"timm model {name}: {what}: {error}") from error
        self.model = model
        self.num_features = _check_two_parts(name, model, arguments)
        self.num_classes = int(model.num_classes)
        if pretrained:
            self.input_format = timm_format(name, arguments)

    def pooled(self, x: Tensor) -> Tensor:
        """Compute the features, (B, F), of normalised images, (B, 3, H, W)."""
        return _pooled(self.model, x)

    def map(self, x: Tensor) -> Tensor:
        """Compute the features before they are pooled, (B, C, h, w), of normalised images, (B, 3, H, W).

        Raises:
            InputError: When the model has tokens in their place, as transformers do, or the channels come last.
        """
        features: Tensor = self.model.forward_features(x)
        if features.ndim != 4 or features.shape[1] < features.shape[-1] == self.num_features:
            raise InputError(
                f"network: must have a map of features, (B, C, h, w), as convolutional networks do; this one's has the "
                f"shape {tuple(features.shape)}"
            )
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Map features, (B, F), to logits, (B, K)."""
        logits: Tensor = self.model.get_classifier()(features)
        return logits


def check_timm_name(name: str) -> None:
    """Refuse what is no name of a timm model.

    Raises:
        InputError: When timm has no such model. timm would also take `hf-hub:owner/model`, and load it.
    """
    if not is_timm_name(name):
        raise InputError(f"timm knows no model {name!r}{nearest_timm_name(name)}; it must be one of timm.list_models()")


def is_timm_name(name: str) -> bool:
    """Whether timm has a model of that name, with or without the name of its weights."""
    return re.fullmatch(r"\w+(\.\w+)?", name) is not None and timm.is_model(name)


def nearest_timm_name(name: str, pretrained: bool = False) -> str:
    """` (did you mean 'x'?)` with the most similar model of timm, with or without the name of its weights.

    Args:
        name: What a user wrote.
        pretrained: Whether only models with pretrained weights are meant.
    """
    weights: list[str] = timm.list_pretrained()
    architectures = {full.partition(".")[0] for full in weights} if pretrained else timm.list_models()
    return did_you_mean(name, sorted({*architectures, *weights}))


def timm_format(name: str, arguments: Mapping[str, Any]) -> InputFormat:
    """What a timm model's pretrained weights take as input, by timm's own configuration of it.

    Args:
        name: Name of a timm model.
        arguments: Arguments of the model: `img_size` is another size, `in_chans: 1` makes one grey channel of three.

    Raises:
        InputError: When timm has no model of that name.
    """
    check_timm_name(name)
    config: Any = timm.get_pretrained_cfg(name)
    if config is None:
        raise InputError(f"timm model {name}: must have a configuration of its preprocessing, and has none")
    channels, height, width = config.input_size
    size = arguments.get("img_size") or (height, width)
    height, width = size if isinstance(size, list | tuple) else (size, size)
    mean, std = tuple(config.mean), tuple(config.std)
    if arguments.get("in_chans", channels) == 1:  # timm's weights of three channels become their sum
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    interpolation: Interpolation = "bicubic" if config.interpolation == "bicubic" else "bilinear"
    return InputFormat(height if height == width else (height, width), mean, std, interpolation, config.crop_pct)


def _pooled(model: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - timm's models share no typed base class
    features: Tensor = model.forward_head(model.forward_features(x), pre_logits=True)
    return features


@torch.no_grad()
def _check_two_parts(name: str, model: Any, arguments: Mapping[str, Any]) -> int:  # noqa: ANN401 - as above
    """Width of the features, after a check on one image that features and classifier give the model's own logits."""
    usual = model.default_cfg["input_size"]
    size, channels = arguments.get("img_size") or usual[-1], arguments.get("in_chans") or usual[0]
    model.eval()
    try:
        height, width = size if isinstance(size, list | tuple) else (size, size)
        x = torch.linspace(-2, 2, channels * height * width).sin().view(1, channels, height, width)
        features = _pooled(model, x)
        same = torch.allclose(model.get_classifier()(features), model(x), rtol=1e-3, atol=1e-4)
    except Exception as error:  # there is no base class for what its forward raises, either
        raise InputError(f"timm model {name}: it cannot be split into features and classifier: {error}") from error
    if not same or features.ndim != 2:
        raise InputError(f"timm model {name}: its classifier must give the model's output on the pooled features")
    model.train()
    return features.shape[1]
