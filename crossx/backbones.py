"""Networks seen in two parts, features and classifier, so that one forward gives both.

The teachers, the encoders and the classifiers that crossx trains are all a `Network`. A further architecture is a
subclass; once its module is imported, cards and configs may name it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.errors import InputError
from crossx.subclasses import loaded_subclasses

Norm = Literal["batch", "group", "none"]
TIMM_PREFIX = "timm:"


class Network(nn.Module, ABC):
    """A classifier in two parts: `pooled` gives features, `classify` turns them into logits.

    Attributes:
        num_features: Width F of the pooled features.
        num_classes: Number K of classes; 0 for an encoder, whose `classify` returns the features.
    """

    num_features: int
    num_classes: int

    @abstractmethod
    def pooled(self, x: Tensor) -> Tensor:
        """Normalised images, (B, 3, H, W), to features, (B, F)."""

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features, (B, F), to logits, (B, K)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images, (B, 3, H, W), to logits, (B, K)."""
        return self.classify(self.pooled(x))


class SmallResNet(Network):
    """A ResNet for images of 32 to 64 pixels ("Deep Residual Learning", arXiv 1512.03385): 3x3 stem without stride.

    Args:
        num_classes: Number K of classes; 0 for an encoder.
        widths: Channels of each stage; the first stage keeps the resolution, each further one halves it. The last
            width is F.
        blocks: Residual blocks a stage.
        norm: `batch`, `group` (8 groups, or fewer where they do not divide the width), or `none`.

    Raises:
        InputError: When a width or the number of blocks is not positive, or the norm is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: int = 1,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1 or blocks < 1 or num_classes < 0:
            raise InputError(
                f"SmallResNet: widths {list(widths)}, blocks {blocks} and num_classes {num_classes} are not legal: "
                "at least one width, all of them and blocks from 1, num_classes from 0"
            )
        if norm not in ("batch", "group", "none"):
            raise InputError(f"SmallResNet: norm {norm!r} is not legal; one of batch, group, none")
        self.num_features = widths[-1]
        self.num_classes = num_classes
        self.stem = nn.Sequential(_conv(3, widths[0], norm), *_norm(widths[0], norm), nn.ReLU())
        stages: list[nn.Module] = []
        before = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                stages.append(_Block(before, width, 2 if stage > 0 and block == 0 else 1, norm))
                before = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def pooled(self, x: Tensor) -> Tensor:
        """Normalised images, (B, 3, H, W), to features, (B, F), all >= 0."""
        features: Tensor = self.stages(self.stem(x)).mean((2, 3))
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Features, (B, F), to logits, (B, K)."""
        logits: Tensor = self.head(features)
        return logits


class _Block(nn.Module):
    """Two 3x3 convolutions and a shortcut.

    The last norm starts at 1 and not at 0 (arXiv 1706.02677, section 5.1): that helps deep networks, but in one with a
    block a stage the residual branches are all there is. Six epochs on Shapes photos: 0.46 accuracy against 0.19.
    """

    def __init__(self, before: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _conv(before, width, norm, stride),
            *_norm(width, norm),
            nn.ReLU(),
            _conv(width, width, norm),
            *_norm(width, norm),
        )
        self.shortcut = (
            nn.Identity()
            if before == width and stride == 1
            else nn.Sequential(_conv(before, width, norm, stride, kernel=1), *_norm(width, norm))
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.residual(x))


def _conv(before: int, width: int, norm: Norm, stride: int = 1, kernel: int = 3) -> nn.Conv2d:
    conv = nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, bias=norm == "none")
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _norm(width: int, norm: Norm) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(width)]
    if norm == "group":
        groups = next(n for n in range(min(8, width), 0, -1) if width % n == 0)
        return [nn.GroupNorm(groups, width)]
    return []


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


def prepare(images: Tensor, size: int, mean: Tensor, std: Tensor) -> Tensor:
    """Resize and normalise images as a network wants them, differentiably.

    Args:
        images: (B, 3, H, W) in [0, 1].
        size: Wanted side in pixels; nothing is resized where it agrees.
        mean: (3,).
        std: (3,).

    Returns:
        (B, 3, size, size).
    """
    if images.shape[-2:] != (size, size):
        # Antialias, or the thin strokes of a large sketch fall between the pixels of a small one.
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (images - mean[:, None, None]) / std[:, None, None]


@torch.no_grad()
def last_layer(network: Network) -> Tensor | None:
    """Weight of a network's classifier, (K, F) float32, one row a class, whatever it is called there.

    Returns:
        None when the classifier is more than one linear layer.
    """
    parameter = next(network.parameters())
    unit = torch.eye(network.num_features, device=parameter.device, dtype=parameter.dtype)
    bias = network.classify(torch.zeros_like(unit[:1]))
    weight = (network.classify(unit) - bias).T
    probe = 3 * torch.linspace(-9, 9, len(unit), device=unit.device, dtype=unit.dtype).sin()[None]
    linear = torch.allclose(network.classify(probe), probe @ weight.T + bias, rtol=1e-3, atol=1e-4)
    return weight.float() if linear else None
