"""Encoders that learn from random views of the pairs."""

from typing import get_args

import pytest
import torch
from runs import SGD, Kind, Teachers, encoder, reconstruction
from torch import Tensor

from crossx.augmentation import Augment
from crossx.data.batches import stack
from crossx.data.latents import LatentDataset
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.types import PairBatch

KINDS: tuple[Kind, ...] = get_args(Kind)


class Mirror(Augment):
    """A view that can be foretold."""

    def __call__(self, images: Tensor) -> Tensor:
        return images.flip(3)


def pairs(teachers: Teachers) -> PairBatch:
    stream = LatentDataset(0, 8, 1)
    return reconstruction(teachers).sample(stack([stream[i] for i in range(12)]))


def module(teachers: Teachers, kind: Kind, photo: Augment | None, sketch: Augment | None) -> EncoderModule:
    torch.manual_seed(0)
    return EncoderModule(
        *teachers,
        encoder(kind),
        encoder(kind),
        {"sup_con": EncodingTerm(SupConLoss(0.2))},
        photo_augmentation=photo,
        sketch_augmentation=sketch,
        optimizer=SGD,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("photo", "sketch"), [(Mirror(), None), (None, Mirror()), (Mirror(), Mirror()), (None, None)])
def test_embeddings_are_of_the_views_and_posteriors_of_the_pairs(
    teachers: Teachers, kind: Kind, photo: Augment | None, sketch: Augment | None
) -> None:
    made, batch = module(teachers, kind, photo, sketch).eval(), pairs(teachers)
    with torch.no_grad():
        embeddings = made.embed(batch, augmented=True)
        plain = module(teachers, kind, None, None).eval().embed(batch, augmented=True)
        for found, without, augmentation, images, side in (
            (embeddings.photo, plain.photo, photo, batch.photo, "photo"),
            (embeddings.sketch, plain.sketch, sketch, batch.sketch, "sketch"),
        ):
            own = made.photo_encoder if side == "photo" else made.sketch_encoder
            view = images if augmentation is None else images.flip(3)
            torch.testing.assert_close(found, own(view), rtol=1e-4, atol=1e-5)
            assert torch.allclose(found, without, atol=1e-4) == (augmentation is None)
    assert torch.equal(embeddings.photo_posterior, plain.photo_posterior)
    assert torch.equal(embeddings.sketch_posterior, plain.sketch_posterior)
    assert torch.equal(embeddings.target, batch.target)


def test_head_asks_its_teacher_about_a_view_and_not_about_a_pair(teachers: Teachers) -> None:
    batch = pairs(teachers)
    asked: list[str] = []
    for photo, sketch, wanted in ((None, None, []), (Mirror(), None, ["photo"]), (None, Mirror(), ["sketch"])):
        made = module(teachers, "head", photo, sketch)
        asked.clear()
        with (
            made.teachers.photo.register_forward_pre_hook(lambda *_: asked.append("photo")),
            made.teachers.sketch.register_forward_pre_hook(lambda *_: asked.append("sketch")),
        ):
            output = made.step(batch, 0)
        assert asked == wanted
        output.loss.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters_to_train())
        assert all(p.grad is None for p in made.teachers.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_critic_and_evaluation_see_images_as_they_are(teachers: Teachers, kind: Kind) -> None:
    batch = pairs(teachers)
    made, plain = (module(teachers, kind, view, view).eval() for view in (Mirror(), None))
    with torch.no_grad():
        assert torch.equal(made.criticise(batch).disagreement, plain.criticise(batch).disagreement)
        assert torch.equal(made.encode(batch.photo, "photo"), plain.encode(batch.photo, "photo"))


def test_views_come_from_torch_s_random_state(teachers: Teachers) -> None:
    batch = pairs(teachers)
    made = module(teachers, "head", Augment(shift=0.3), Augment(rotation=40, padding="white"))
    found = []
    for seed in (0, 1, 0):
        torch.manual_seed(seed)
        found.append(made.embed(batch, augmented=True))
    assert torch.equal(found[0].photo, found[2].photo)
    assert torch.equal(found[0].sketch, found[2].sketch)
    for first, second in ((found[0].photo, found[1].photo), (found[0].sketch, found[1].sketch)):
        assert not torch.allclose(first, second, atol=1e-3)
