"""Embedded pairs without encoders, and what is asked of every loss on them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.factories import complete
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.encoding.losses import EncodingLoss, PairEmbeddings
from crossx.teachers.pair import TeacherPair
from support.runs import CLASSES, Teachers

Array = npt.NDArray[np.float64]

DIM = 5


def random_embeddings(size: int = 6, seed: int = 0, classes: int = len(CLASSES)) -> PairEmbeddings:
    """Pairs whose teachers are fairly sure of few classes, and agree now and then."""
    generator = torch.Generator().manual_seed(seed)
    photo, sketch = F.normalize(torch.randn(2, size, DIM, generator=generator, dtype=torch.float64), dim=2)
    logits = torch.randn(2, size, classes, generator=generator, dtype=torch.float64).mul(2)
    logits[..., :3] += 3
    photo_posterior, sketch_posterior = logits.softmax(dim=2)
    return PairEmbeddings(photo, sketch, photo_posterior, sketch_posterior, torch.zeros(size).long())


def sure_embeddings(classes: list[int], seed: int = 0) -> PairEmbeddings:
    """Pairs of known classes, with embeddings anywhere."""
    x = random_embeddings(len(classes), seed)
    posterior = 0.9 * F.one_hot(torch.tensor(classes), len(CLASSES)).double() + 0.1 / len(CLASSES)
    return PairEmbeddings(x.photo, x.sketch, posterior, posterior.clone(), torch.tensor(classes))


def rows(x: PairEmbeddings, order: list[int]) -> PairEmbeddings:
    """Some pairs of a batch."""
    return PairEmbeddings(
        x.photo[order], x.sketch[order], x.photo_posterior[order], x.sketch_posterior[order], x.target[order]
    )


def array(x: Tensor) -> Array:
    """As numpy sees it."""
    return x.detach().numpy().astype(np.float64)


def built(
    loss: EncodingLoss | Callable[[EmbeddingSpace], EncodingLoss], teachers: Teachers, dim: int = DIM
) -> EncodingLoss:
    """A loss as a module builds it, in double precision."""
    torch.manual_seed(0)
    kind: type[EncodingLoss] = EncodingLoss  # type: ignore[type-abstract]  # compared with, never built
    return complete("loss", loss, kind, space=EmbeddingSpace(TeacherPair(*teachers), dim)).double()


def check_gradient(loss: EncodingLoss, x: PairEmbeddings) -> None:
    """The gradient in a direction is the difference quotient, for embeddings and for every parameter of the loss."""
    tensors = {"photo": x.photo, "sketch": x.sketch, **dict(loss.named_parameters())}

    def value() -> Tensor:
        torch.manual_seed(1)  # the same noise each time, where there is any
        result: Tensor = loss(x)
        return result

    for tensor in (x.photo, x.sketch):
        tensor.requires_grad_()
    gradients = torch.autograd.grad(value(), list(tensors.values()))
    generator = torch.Generator().manual_seed(2)
    step = 1e-6
    for (name, tensor), gradient in zip(tensors.items(), gradients, strict=True):
        direction = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            tensor.add_(step * direction)
            above = value()
            tensor.sub_(2 * step * direction)
            below = value()
            tensor.add_(step * direction)
        slope = (above - below) / (2 * step)
        expected = (gradient * direction).sum()
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-7, msg=f"{name}: {slope} is not {expected}")


def learn(loss: EncodingLoss, x: PairEmbeddings, steps: int = 200, rate: float = 0.02) -> list[float]:
    """Move the embeddings, and the parameters of the loss, down the gradient; the loss at every step."""
    free = torch.stack([x.photo.detach(), x.sketch.detach()]).requires_grad_()
    optimizer = torch.optim.Adam([free, *loss.parameters()], lr=rate)
    values = []
    for _ in range(steps):
        x.photo, x.sketch = F.normalize(free, dim=2)
        value = loss(x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    x.photo, x.sketch = F.normalize(free.detach(), dim=2)
    return values


def gap(queries: Tensor, keys: Tensor, classes: Tensor) -> float:
    """Mean cosine within a class less mean cosine between classes, without an image and itself."""
    cosine = queries @ keys.T
    same = classes[:, None] == classes[None, :]
    others = ~torch.eye(len(queries), dtype=torch.bool) if queries is keys else torch.ones_like(same)
    return (cosine[same & others].mean() - cosine[~same].mean()).item()


MakeLoss = Callable[[], EncodingLoss]
