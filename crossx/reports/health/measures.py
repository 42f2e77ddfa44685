"""Measures of a training batch as pure functions: variety, use of classes, agreement of pairs, gradients."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossx.core.precision import full_precision

FloatArray = npt.NDArray[np.floating]


def class_counts(predicted: Tensor, classes: int) -> Tensor:
    """Count the images of each class, (B,) int64 to (classes,) float32."""
    ones = torch.ones(len(predicted), device=predicted.device)
    return ones.new_zeros(classes).index_add(0, predicted, ones)


def class_spread(features: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Distance between images of one class, in units of the distance between classes.

    Both are root mean square distances in a teacher's feature space. Where the distance between classes is below a
    quarter of the features' length, or there is only one class, that quarter is the unit.

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
    """Correlation over pairs between the log-posteriors of the two teachers.

    Each class's log-posterior is centred over the batch, so that classes that are frequent in both modalities do not
    count as agreement. The share of pairs with one class in both modalities measures the same with several times the
    noise.

    Args:
        photo_logits: The photo teacher's logits of the shared classes, (B, S).
        sketch_logits: The sketch teacher's logits of the same classes, (B, S).

    Returns:
        Scalar in [-1, 1]; 0 in expectation for photos and sketches paired at random, and where a modality does not
        vary.
    """
    photo, sketch = (torch.log_softmax(full_precision(x), dim=1) for x in (photo_logits, sketch_logits))
    photo, sketch = photo - photo.mean(0), sketch - sketch.mean(0)
    scale = (photo.square().sum() * sketch.square().sum()).sqrt()
    return (photo * sketch).sum() / scale.clamp_min(torch.finfo(scale.dtype).tiny)


def gradient_factor(hardness: Tensor, gradient: Tensor) -> Tensor:
    """Gradient that a cosine distance leaves an adversarial term, as a share of the largest one.

    A hardness h is half the cosine distance of two unit vectors, whose derivative with respect to their angle is
    sqrt(h (1 - h)): none at either bound. The formula holds for no other hardness.

    Args:
        hardness: (B,) in [0, 1].
        gradient: The loss's gradient with respect to the hardness, (B,); 0 for pairs that do not count.

    Returns:
        Scalar in [0, 1]: the mean of 2 sqrt(h (1 - h)), weighted by the size of the gradient; 0 when no pair counts.
    """
    weight = full_precision(gradient).abs()
    turn = 2 * (full_precision(hardness).clamp(0, 1) * (1 - full_precision(hardness)).clamp(0, 1)).sqrt()
    return (weight * turn).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)


def gradient_size(parameters: Iterable[torch.nn.Parameter]) -> Tensor:
    """Root mean square of the gradient's elements, over trainable parameters; 0 where no parameter has a gradient."""
    learning = [p for p in parameters if p.requires_grad]
    gradients = [p.grad for p in learning if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norms = torch.stack([full_precision(norm) for norm in torch._foreach_norm(gradients)])
    size: Tensor = torch.linalg.vector_norm(norms) / sum(p.numel() for p in learning) ** 0.5
    return size


def class_use(counts: FloatArray, known: int, shared: npt.NDArray[np.bool_] | None = None) -> float:
    """Evenness of the predicted classes: the entropy of their counts as a share of its maximum.

    Where the shared classes are less than half of the teacher's, they are to have half of the images, as
    `InformationEntropyLoss` has it, and the entropy is relative to that prior.

    Args:
        counts: Images of each class, (U,); 0 for classes that the teacher does not know.
        known: Number of classes that the teacher knows.
        shared: Mask of the classes that both teachers know, (U,); None for all classes.

    Returns:
        In [0, 1]: 0 when all images are of one class, 1 when all classes are as frequent as they should be, or only one
        is possible.
    """
    total = counts.sum()
    most = np.log(min(known, total)) if total > 0 else 0.0
    if most <= 0:
        return 1.0
    wanted = np.ones(len(counts))  # in units of 1 / known
    if shared is not None and 0 < 2 * shared.sum() < known:
        wanted = known / 2 / np.where(shared, shared.sum(), known - shared.sum())
    share = counts[counts > 0] / total
    relative = (share * (np.log(wanted[counts > 0]) - np.log(share))).sum()
    return min(1.0, max(0.0, float(relative / most)))


def chance_agreement(photo_counts: FloatArray, sketch_counts: FloatArray) -> float:
    """Share of pairs with one class if photos and sketches with these counts of classes were paired at random."""
    return float((photo_counts * sketch_counts).sum() / max(photo_counts.sum() * sketch_counts.sum(), 1))


def mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Mean over steps, (N,) with N >= 2, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
