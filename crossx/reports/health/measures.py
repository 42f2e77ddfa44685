"""What is measured of a training batch, as pure functions: how varied, how evenly used, how well paired, how moved."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossx.core.precision import full_precision

FloatArray = npt.NDArray[np.floating]


def class_counts(predicted: Tensor, classes: int) -> Tensor:
    """How many images of each class there are, (B,) int64 to (classes,) float32."""
    ones = torch.ones(len(predicted), device=predicted.device)
    return ones.new_zeros(classes).index_add(0, predicted, ones)


def class_spread(features: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """How far apart images of one class lie, in units of how far apart the classes lie.

    Both are root mean square distances in a teacher's feature space. Where the classes lie closer together than a
    quarter of the features' own length, or there is only one class, that quarter is the unit.

    Args:
        features: (B, F).
        predicted: Class of each image, (B,) int64 in [0, classes).
        classes: Number of classes.

    Returns:
        Scalar >= 0: 0 for copies of one image a class, about 0.8 for real images of ten classes; NaN where no two
        images are of one class.
    """
    features = full_precision(features)
    count = class_counts(predicted, classes)
    sums = features.new_zeros(classes, features.shape[1]).index_add(0, predicted, features)
    centre = sums / count.clamp_min(1)[:, None]
    present = count > 0
    used = present.sum()
    # Twice the variance is the mean squared distance of two draws.
    within = 2 * (features - centre[predicted]).square().sum() / (len(features) - used)
    middle = centre.sum(0) / used
    between = 2 * ((centre - middle) * present[:, None]).square().sum() / (used - 1).clamp_min(1)
    length = features.square().sum(1).mean()
    unit = torch.maximum(between, length / 16).clamp_min(torch.finfo(features.dtype).tiny)
    return (within / unit).sqrt()


def within_class_distance(features: Tensor, predicted: Tensor) -> Tensor:
    """Mean distance of two images of one class in a teacher's feature space, each class counting once.

    Args:
        features: (N, F).
        predicted: Class of each image, (N,) int64.

    Returns:
        Scalar >= 0; NaN where no two images are of one class.
    """
    # On the CPU: not every device has this kernel, and its matrix of pairs grows with the square of a class.
    features, predicted = full_precision(features).cpu(), predicted.cpu()
    classes = (features[predicted == c] for c in torch.unique(predicted))
    distances = [torch.nn.functional.pdist(images).mean() for images in classes if len(images) > 1]
    return torch.stack(distances).mean() if distances else features.new_tensor(float("nan"))


def pair_correlation(photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
    """Correlation over pairs between what the two teachers say.

    Each class's log-posterior is centred over the batch, so that classes that are common on both sides do not count as
    agreement. The share of pairs with one class on both sides says the same with several times the noise.

    Args:
        photo_logits: The photo teacher's logits of the shared classes, (B, S).
        sketch_logits: The sketch teacher's logits of the same classes, (B, S).

    Returns:
        Scalar in [-1, 1]; 0 in expectation for pairs put together at random, and where a side does not vary.
    """
    photo, sketch = (torch.log_softmax(full_precision(x), dim=1) for x in (photo_logits, sketch_logits))
    photo, sketch = photo - photo.mean(0), sketch - sketch.mean(0)
    scale = (photo.square().sum() * sketch.square().sum()).sqrt()
    return (photo * sketch).sum() / scale.clamp_min(torch.finfo(scale.dtype).tiny)


def grip(disagreement: Tensor, gradient: Tensor) -> Tensor:
    """How much an adversarial term can still turn the embeddings of the pairs that it counts.

    A disagreement d is half the cosine distance of two unit vectors, whose derivative with respect to their angle is
    sqrt(d (1 - d)): none at either bound.

    Args:
        disagreement: (B,) in [0, 1].
        gradient: The loss's gradient with respect to it, (B,); 0 for pairs that do not count.

    Returns:
        Scalar in [0, 1]: the mean of 2 sqrt(d (1 - d)), weighted by the size of the gradient; 0 when no pair counts.
    """
    weight = full_precision(gradient).abs()
    turn = 2 * (full_precision(disagreement).clamp(0, 1) * (1 - full_precision(disagreement)).clamp(0, 1)).sqrt()
    return (weight * turn).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)


def gradient_size(parameters: Iterable[torch.nn.Parameter]) -> Tensor:
    """Root mean square of a gradient's elements, over the parameters that learn; 0 where none has a gradient."""
    learning = [p for p in parameters if p.requires_grad]
    gradients = [p.grad for p in learning if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norms = torch.stack([full_precision(norm) for norm in torch._foreach_norm(gradients)])
    size: Tensor = torch.linalg.vector_norm(norms) / sum(p.numel() for p in learning) ** 0.5
    return size


def class_use(counts: FloatArray, known: int) -> float:
    """How evenly classes are used: the entropy of their use as a share of its maximum.

    Args:
        counts: Images of each class, (U,); 0 for classes that the teacher does not know.
        known: Number of classes that it knows.

    Returns:
        In [0, 1]: 0 when all images are of one class, 1 when all classes are used alike; 1 where there is no choice.
    """
    total = counts.sum()
    most = np.log(min(known, total)) if total > 0 else 0.0
    if most <= 0:
        return 1.0
    share = counts[counts > 0] / total
    return max(0.0, float(-(share * np.log(share)).sum() / most))


def chance_agreement(photo_counts: FloatArray, sketch_counts: FloatArray) -> float:
    """Share of pairs that would be of one class if photos and sketches with these classes were paired at random."""
    return float((photo_counts * sketch_counts).sum() / max(photo_counts.sum() * sketch_counts.sum(), 1))


def mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Mean over steps, (N,) with N >= 2, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
