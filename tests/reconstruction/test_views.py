"""Teachers that see random views of the generated images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.runs import Teachers, data, reconstruction, trainer
from torch import Tensor

from crossx.augmentation import Augment, Compose, DeadLeaves, PasteOnto, view_of
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import make_pairs
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss, ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.types import Criticism, LatentBatch, PairBatch


class Mirror(Augment):
    """A view that can be foretold."""

    def __call__(self, images: Tensor) -> Tensor:
        return images.flip(3)


class Seen(ReconstructionLoss):
    """Keeps what it is given."""

    needs_critic = True

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        self.given = reconstruction
        return reconstruction.pairs.photo_teacher.logits.mean() + reconstruction.pairs.sketch_teacher.logits.mean()


def indifferent(pairs: PairBatch) -> Criticism:
    return Criticism(torch.zeros(len(pairs.photo)))


def latents(count: int = 8) -> LatentBatch:
    stream = LatentDataset(0, 8, 1)
    return stack([stream[i] for i in range(count)])


def watched(teachers: Teachers, photo: Augment | None, sketch: Augment | None) -> tuple[ReconstructionModule, Seen]:
    seen = Seen()
    module = reconstruction(teachers, photo_augmentation=photo, sketch_augmentation=sketch)
    return ReconstructionModule(
        *teachers,
        module.generators.photo,
        module.generators.sketch,
        {"seen": ReconstructionTerm(seen)},
        photo_augmentation=photo,
        sketch_augmentation=sketch,
    ), seen


@pytest.mark.parametrize(("photo", "sketch"), [(Mirror(), None), (None, Mirror()), (Mirror(), Mirror()), (None, None)])
def test_teachers_and_critic_see_one_view_and_images_stay(
    teachers: Teachers, photo: Augment | None, sketch: Augment | None
) -> None:
    module, seen = watched(teachers, photo, sketch)
    judged: list[PairBatch] = []

    def critic(pairs: PairBatch) -> Criticism:
        judged.append(pairs)
        return Criticism(pairs.photo.mean((1, 2, 3)))

    output = module.step(latents(), 0, critic)
    pairs = seen.given.pairs
    plain = make_pairs(module.generators, module.teachers, latents())
    assert torch.equal(pairs.photo, plain.photo)
    assert torch.equal(pairs.sketch, plain.sketch)
    views = view_of(plain.photo, photo), view_of(plain.sketch, sketch)
    expected = module.teachers(*views)
    for found, wanted, moved, of in (
        (pairs.photo_teacher, expected.photo_teacher, photo, plain.photo_teacher),
        (pairs.sketch_teacher, expected.sketch_teacher, sketch, plain.sketch_teacher),
    ):
        torch.testing.assert_close(found.logits, wanted.logits)
        assert torch.allclose(found.features, of.features, atol=1e-4) == (moved is None)
    assert torch.equal(judged[0].photo, views[0])
    assert torch.equal(judged[0].sketch, views[1])
    assert judged[0].photo_teacher is pairs.photo_teacher
    torch.testing.assert_close(seen.given.disagreement, views[0].mean((1, 2, 3)))
    output.loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.generators.parameters())


def test_gradient_of_a_view_is_that_of_the_image(teachers: Teachers) -> None:
    """A teacher behind a mirror pulls each pixel as the mirrored teacher would: by central differences."""
    module, _ = watched(teachers, Mirror(), None)
    optimizer = torch.optim.SGD(module.generators.parameters(), lr=0)
    bias = module.generators.photo.get_parameter("body.9.bias")
    optimizer.zero_grad()
    module.step(latents(), 0, indifferent).loss.backward()  # type: ignore[no-untyped-call]
    assert bias.grad is not None
    values: list[float] = []
    with torch.no_grad():
        for change in (0.01, -0.02):
            bias[0] += change
            values.append(float(module.step(latents(), 0, indifferent).loss))
    assert float(bias.grad[0]) == pytest.approx((values[0] - values[1]) / 0.02, rel=0.05, abs=1e-4)


def test_pairs_for_the_encoders_are_not_augmented(teachers: Teachers) -> None:
    module, _ = watched(teachers, Mirror(), Mirror())
    pairs = module.sample(latents())
    plain = reconstruction(teachers).sample(latents())
    assert torch.equal(pairs.photo, plain.photo)
    assert torch.equal(pairs.sketch_teacher.logits, plain.sketch_teacher.logits)


def test_views_differ_from_batch_to_batch_and_agree_in_a_second_run(teachers: Teachers, tmp_path: Path) -> None:
    def run() -> tuple[float, float]:
        plain = reconstruction(teachers, photo_augmentation=Augment(flip=0.5, shift=0.2, colour=0.3))
        fit = trainer(tmp_path, 2, limit_val_batches=0)
        fit.fit(plain, datamodule=data(teachers))
        return float(fit.callback_metrics["recon/loss"]), float(fit.callback_metrics["recon/photo_confidence"])

    assert run() == run()
    module, seen = watched(teachers, Augment(shift=0.3), None)
    logits = []
    for seed in (0, 1, 0):
        torch.manual_seed(seed)
        module.step(latents(), 0, indifferent)
        logits.append(seen.given.pairs.photo_teacher.logits.detach())
    assert torch.equal(logits[0], logits[2])
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


@pytest.mark.parametrize("side", ["photo", "sketch"])
def test_generators_are_not_judged_by_views_of_other_content(teachers: Teachers, side: str) -> None:
    paste = Compose([Augment(flip=0.5), PasteOnto(DeadLeaves(), num_backgrounds=4)])
    views: dict[str, Any] = {f"{side}_augmentation": paste}
    message = rf"{side}_augmentation: must be an augmentation that keeps the content of images, got Compose"
    with pytest.raises(InputError, match=message):
        reconstruction(teachers, **views)
