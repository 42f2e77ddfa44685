"""The steps of a joint run with `model/head.yaml` in plain PyTorch: the yardsticks of crossx's own."""

import copy
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.cotraining.module import CoTrainingModule
from crossx.encoding.encoders import TeacherHeadEncoder
from crossx.types import MODALITIES

_ONE_HOT, _ENTROPY, _ACTIVATION = 4.0, 15.0, 0.1
"""Weights of the terms of `model/joint.yaml`; that of the statistics is 1."""
_TEMPERATURE, _SHARPNESS = 0.1, 3
_REPLAYED, _POOL = 0.75, 8192
GENERATOR_RATE, ENCODER_RATE = 0.002, 0.003


@dataclass
class _Side:
    """Networks of one modality."""

    generator: nn.Module
    teacher: nn.Module
    mean: Tensor
    std: Tensor
    head: nn.Module

    def normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class BareLoop:
    """The same networks, terms, optimisers and precision as in a joint run, and nothing around them.

    What the encoders take is kept in a pool, without the images, which heads on frozen teachers do not look at.

    Args:
        module: A joint run with `model/head.yaml` whose teachers take images of the generators' size; it is copied.
        batch: B.
        bfloat16: Whether forwards run in bfloat16 by autocast.
    """

    def __init__(self, module: CoTrainingModule, batch: int, bfloat16: bool) -> None:
        generators, teachers, encoders = module.reconstruction.generators, module.teachers, module.encoding.encoders
        self.batch, self.latent_dim = batch, generators.latent_dim
        self.device = next(generators.parameters()).device
        self._bfloat16 = bfloat16
        self.sides: list[_Side] = []
        for modality in MODALITIES:
            teacher, encoder = teachers.of(modality), encoders[modality]
            if not isinstance(encoder, TeacherHeadEncoder):
                raise TypeError(f"module: must have TeacherHeadEncoders, got a {type(encoder).__name__}")
            mean, std = (x[:, None, None] for x in (teacher.preprocessing.mean, teacher.preprocessing.std))
            parts = (getattr(generators, modality), teacher.network, encoder.head)
            generator, network, head = (copy.deepcopy(part) for part in parts)
            self.sides.append(_Side(generator.train(), network.eval(), mean, std, head.train()))
        self._of_generators = torch.optim.Adam(
            [p for side in self.sides for p in side.generator.parameters()], lr=GENERATOR_RATE, betas=(0.5, 0.999)
        )
        self._of_encoders = torch.optim.Adam(
            [p for side in self.sides for p in side.head.parameters()], lr=ENCODER_RATE
        )
        self._pool: list[tuple[Tensor, Tensor]] = []
        self._place = 0

    def generator_step(self, noise: Tensor | None = None) -> Tensor:
        """Train the generators on a batch, and return the loss."""
        noise = self.noise(self.batch) if noise is None else noise
        self._of_generators.zero_grad()
        with self.precision():
            losses = [self.generator_loss(side, side.generator(noise)) for side in self.sides]
        loss = torch.stack(losses).mean()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self._of_generators.step()
        return loss.detach()

    def generator_loss(self, side: _Side, images: Tensor) -> Tensor:
        """Objective of one generator; the teacher runs once."""
        logits, features, misfits = with_statistics(side.teacher, side.normalised(images))
        return terms(logits, features, misfits)

    def encoder_step(self) -> Tensor:
        """Train the encoders on a batch, and return the loss."""
        old = round(_REPLAYED * self.batch) if self._pool else 0
        with torch.no_grad(), self.precision():
            noise = self.noise(self.batch - old)
            new = [self.teacher_outputs(side, side.generator(noise)) for side in self.sides]
        return self.encoders_learn(self._with_earlier(new, old))

    def teacher_outputs(self, side: _Side, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features of images; the teacher runs once."""
        features = side.teacher.pooled(side.normalised(images))  # type: ignore[operator]  # a Network
        return side.teacher.classify(features), features  # type: ignore[operator]  # a Network

    def encoders_learn(self, outputs: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Train the heads on the teachers' logits and features of photos and of sketches, and return the loss."""
        self._of_encoders.zero_grad()
        with self.precision():
            vectors = [
                F.normalize(side.head(head_input(*output)).float(), dim=1)
                for side, output in zip(self.sides, outputs, strict=True)
            ]
        posteriors = [logits.float().softmax(1) for logits, _ in outputs]
        loss = sup_con(vectors[0], vectors[1], posteriors[0], posteriors[1])
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self._of_encoders.step()
        return loss.detach()

    def _with_earlier(self, new: list[tuple[Tensor, Tensor]], count: int) -> list[tuple[Tensor, Tensor]]:
        """Return new outputs and as many earlier ones as are asked for, and keep the new ones."""
        size = len(new[0][0])
        if not self._pool:
            self._pool = [(a.new_zeros(_POOL, a.shape[1]), b.new_zeros(_POOL, b.shape[1])) for a, b in new]
        filled = min(self._place, _POOL)
        chosen = torch.randint(filled, (count,), device=self.device) if count else None
        rows = (self._place + torch.arange(size, device=self.device)) % _POOL
        joined = []
        for pool, fresh in zip(self._pool, new, strict=True):
            old = (
                fresh if chosen is None else tuple(torch.cat([b, a[chosen]]) for a, b in zip(pool, fresh, strict=True))
            )
            joined.append((old[0], old[1]))
        for pool, fresh in zip(self._pool, new, strict=True):
            for a, b in zip(pool, fresh, strict=True):
                a[rows] = b
        self._place += size
        return joined

    def noise(self, count: int) -> Tensor:
        """Latents, (count, Z)."""
        return torch.randn(count, self.latent_dim, device=self.device)

    def precision(self) -> torch.autocast | nullcontext[None]:
        """Autocast where the run has it."""
        return torch.autocast(self.device.type, torch.bfloat16) if self._bfloat16 else nullcontext()


class PublishedLoop(BareLoop):
    """The same steps by the published procedure (CrossX-DFL's code, commit 7e775a9), apart from its one precision.

    Each teacher runs twice an image, once for the logits and once for the features; its weights are not frozen, so that
    they get gradients which nobody uses; and no image is used twice.
    """

    def __init__(self, module: CoTrainingModule, batch: int, bfloat16: bool) -> None:
        super().__init__(module, batch, bfloat16)
        for side in self.sides:
            side.teacher.requires_grad_(True)

    def generator_loss(self, side: _Side, images: Tensor) -> Tensor:
        """Objective of one generator; the teacher runs twice, and its weights get gradients."""
        side.teacher.zero_grad()
        logits = side.teacher(side.normalised(images))
        _, features, misfits = with_statistics(side.teacher, side.normalised(images))
        return terms(logits, features, misfits)

    def encoder_step(self) -> Tensor:
        """Train the encoders on a batch of new images, and return the loss."""
        with torch.no_grad(), self.precision():
            noise = self.noise(self.batch)
            outputs = [self.teacher_outputs(side, side.generator(noise)) for side in self.sides]
        return self.encoders_learn(outputs)

    def teacher_outputs(self, side: _Side, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features of images; the teacher runs twice."""
        logits = side.teacher(side.normalised(images))
        return logits, side.teacher.pooled(side.normalised(images))  # type: ignore[operator]  # a Network


def with_statistics(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Logits and features of a teacher, and the misfit of each BatchNorm layer's input to its running statistics."""
    misfits: list[Tensor] = []

    def misfit(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].float()
        mean = x.mean((0, 2, 3))
        var = (x - mean[:, None, None]).square().mean((0, 2, 3))
        misfits.append((mean - layer.running_mean).norm() + (var - layer.running_var).norm())  # type: ignore[operator]  # tensors

    handles = [m.register_forward_pre_hook(misfit) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    features = network.pooled(images)  # type: ignore[operator]  # a Network
    logits = network.classify(features)  # type: ignore[operator]  # a Network
    for handle in handles:
        handle.remove()
    return logits, features, misfits


def terms(logits: Tensor, features: Tensor, misfits: list[Tensor]) -> Tensor:
    """Weighted terms of `model/joint.yaml` for one modality."""
    one_hot = F.cross_entropy(logits.float(), logits.argmax(1))
    mean = logits.float().softmax(1).mean(0)
    entropy = (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()
    activation = -features.float().abs().mean()
    return _ONE_HOT * one_hot + _ENTROPY * entropy + _ACTIVATION * activation + torch.stack(misfits).mean()


def head_input(logits: Tensor, features: Tensor) -> Tensor:
    """What a head sees: features and posterior, each normalised."""
    parts = (features.float(), logits.float().softmax(1))
    return torch.cat([F.layer_norm(part, part.shape[1:]) for part in parts], dim=1)


def sup_con(photo: Tensor, sketch: Tensor, photo_posterior: Tensor, sketch_posterior: Tensor) -> Tensor:
    """The soft supervised contrast of `model/joint.yaml` in both directions."""
    weight = (sketch_posterior @ photo_posterior.T) ** _SHARPNESS
    cosines = sketch @ photo.T / _TEMPERATURE
    losses = []
    for scores, w in ((cosines, weight), (cosines.T, weight.T)):
        share = w / w.sum(1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
        losses.append(-(share * scores.log_softmax(1)).sum(1).mean())
    return torch.stack(losses).mean()
