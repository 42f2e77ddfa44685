"""Each loss alone moves what it names: 200 steps on free pixels against tiny random teachers."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.reconstruction.losses import (
    ActivationLoss,
    AdversarialLoss,
    BatchNormStatisticsLoss,
    ClassAlignmentLoss,
    InformationEntropyLoss,
    OneHotLoss,
    OneSidedAlignmentLoss,
    Reconstruction,
    ReconstructionLoss,
)
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import CriticOutput, LayerStatistics, PairBatch, TeacherOutput

CLASSES = ["cat", "dog", "car", "owl", "bus"]
VOCABULARY = Vocabulary(CLASSES, CLASSES[::-1])
PAIRS = 16


class TinyTeacher(nn.Module):
    """Two convolutions with BatchNorm in eval mode, whose statistics stem from some random images."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolutions = nn.ModuleList([nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 12, 3, 2, 1)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(8, momentum=1), nn.BatchNorm2d(12, momentum=1)])
        self.classifier = nn.Linear(12, len(CLASSES))
        self.classifier.weight.data.mul_(4)
        self(torch.rand(64, 3, 8, 8).square())
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> TeacherOutput:
        statistics = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = convolution(x)
            var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
            statistics.append(
                LayerStatistics(mean, var, norm.get_buffer("running_mean"), norm.get_buffer("running_var"))
            )
            x = F.relu(norm(x))
        features = x.mean(dim=(2, 3))
        return TeacherOutput(self.classifier(features), features, statistics)


class Pixels(nn.Module):
    """Pairs whose images are parameters, seen by two teachers and by a student that plays the critic."""

    def __init__(self) -> None:
        super().__init__()
        self.photo_teacher, self.sketch_teacher, self.student = TinyTeacher(1), TinyTeacher(2), TinyTeacher(3)
        torch.manual_seed(4)
        # All images alike at first, so that classes are not balanced.
        self.pixels = nn.Parameter(torch.randn(2, 1, 3, 8, 8) + 0.05 * torch.randn(2, PAIRS, 3, 8, 8))

    def forward(self) -> Reconstruction:
        photo, sketch = self.pixels.sigmoid()
        of_photo, of_sketch = self.photo_teacher(photo), self.sketch_teacher(sketch)
        pairs = PairBatch(photo, sketch, of_photo, of_sketch, torch.arange(PAIRS) % len(CLASSES))
        hardness = 1 - F.cosine_similarity(self.student(photo).features, self.student(sketch).features)
        return Reconstruction(pairs, VOCABULARY, CriticOutput(hardness.clamp(0, 1)))


def posteriors(x: Reconstruction) -> Tensor:
    return torch.stack([VOCABULARY.union_posterior(t.logits, modality) for modality, t in x.teachers.items()])


def entropy(posterior: Tensor) -> Tensor:
    result: Tensor = torch.special.entr(posterior).sum(dim=-1)
    return result


def confidence(x: Reconstruction) -> Tensor:
    return posteriors(x).amax(dim=2).mean()


def agreed_confidence(x: Reconstruction) -> Tensor:
    return posteriors(x).prod(dim=0).amax(dim=1).mean()


def class_entropy(x: Reconstruction) -> Tensor:
    return entropy(posteriors(x).mean(dim=1)).mean()


def mean_activation(x: Reconstruction) -> Tensor:
    return torch.stack([t.features.abs().mean() for t in x.teachers.values()]).mean()


def divergence(x: Reconstruction) -> Tensor:
    posterior = posteriors(x)
    return (entropy(posterior.mean(dim=0)) - entropy(posterior).mean(dim=0)).mean()


def distance_to_stored(x: Reconstruction) -> Tensor:
    layers = [layer for t in x.teachers.values() for layer in t.statistics]
    pairs = [(v.mean, v.running_mean) for v in layers] + [(v.var, v.running_var) for v in layers]
    return torch.stack([(seen - stored).square().sum().sqrt() for seen, stored in pairs]).mean()


def hardness_of_agreeing_pairs(x: Reconstruction) -> tuple[float, int]:
    assert x.critic is not None
    photo, sketch = posteriors(x).argmax(dim=2)
    agreeing = x.critic.hardness[photo == sketch]
    return agreeing.mean().item(), len(agreeing)


def train(images: Pixels, loss: ReconstructionLoss) -> None:
    optimizer = torch.optim.Adam([images.pixels], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss(images()).backward()
        optimizer.step()


CASES: list[tuple[ReconstructionLoss, Callable[[Reconstruction], Tensor], float]] = [
    (OneHotLoss("predicted"), confidence, 0.3),
    (OneHotLoss("agreed"), agreed_confidence, 0.5),
    (InformationEntropyLoss(), class_entropy, 0.3),
    (ActivationLoss(), mean_activation, 1),
    (ClassAlignmentLoss(), divergence, -0.1),
    (OneSidedAlignmentLoss(), divergence, -0.1),
    (BatchNormStatisticsLoss(), distance_to_stored, -0.2),
]


@pytest.mark.parametrize(("loss", "quantity", "margin"), CASES, ids=lambda x: getattr(x, "__name__", type(x).__name__))
def test_the_loss_moves_what_it_names(
    loss: ReconstructionLoss, quantity: Callable[[Reconstruction], Tensor], margin: float
) -> None:
    images = Pixels()
    before = quantity(images()).item()
    train(images, loss)
    moved = quantity(images()).item() - before
    assert moved > margin if margin > 0 else moved < margin


def test_the_adversarial_loss_raises_the_hardness_of_agreeing_pairs() -> None:
    images = Pixels()
    train(images, OneHotLoss("agreed"))
    before, agreeing = hardness_of_agreeing_pairs(images())
    train(images, AdversarialLoss())
    after, still_agreeing = hardness_of_agreeing_pairs(images())
    assert min(agreeing, still_agreeing) > PAIRS / 2
    assert after > before + 0.3
