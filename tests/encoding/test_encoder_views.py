"""Encoders that learn from random views of the pairs."""

from typing import get_args

import pytest
import torch
from support.runs import SGD, Kind, Teachers, encoder, reconstruction
from torch import Tensor

from crossx.augmentation import Augment, Augmentation, Compose, PasteOnto, Scribbles
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.pairs.latents import LatentDataset
from crossx.types import PairBatch, Progress

KINDS: tuple[Kind, ...] = get_args(Kind)


class Mirror(Augment):
    """A view that is known beforehand."""

    def __call__(self, images: Tensor) -> Tensor:
        return images.flip(3)


def pairs(teachers: Teachers) -> PairBatch:
    stream = LatentDataset(0, 8, 1)
    return reconstruction(teachers).sample(stack([stream[i] for i in range(12)]))


def module(
    teachers: Teachers,
    kind: Kind,
    photo: Augmentation | None,
    sketch: Augmentation | None,
    judge_views: bool = False,
) -> EncoderModule:
    torch.manual_seed(0)
    return EncoderModule(
        *teachers,
        encoder(kind),
        {"sup_con": EncodingTerm(SupConLoss(0.2))},
        photo_augmentation=photo,
        sketch_augmentation=sketch,
        judge_views=judge_views,
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
            torch.testing.assert_close(found, own.embed_trainable(view, None).unit, rtol=1e-4, atol=1e-5)
            assert torch.allclose(found, without, atol=1e-4) == (augmentation is None)
    assert torch.equal(embeddings.photo_posterior, plain.photo_posterior)
    assert torch.equal(embeddings.sketch_posterior, plain.sketch_posterior)
    assert torch.equal(embeddings.target, batch.target)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("photo", "sketch"), [(Mirror(), None), (None, Mirror()), (Mirror(), Mirror())])
def test_teachers_classify_views_where_that_is_wanted(
    teachers: Teachers, kind: Kind, photo: Augment | None, sketch: Augment | None
) -> None:
    made, batch = module(teachers, kind, photo, sketch, judge_views=True), pairs(teachers)
    forwards: list[str] = []
    with (
        made.teachers.photo.register_forward_pre_hook(lambda *_: forwards.append("photo")),
        made.teachers.sketch.register_forward_pre_hook(lambda *_: forwards.append("sketch")),
    ):
        embeddings = made.embed(batch, augmented=True)
    # One forward a view and no more: an encoder on top of its teacher gets the teacher's output.
    assert forwards == [side for side, view in (("photo", photo), ("sketch", sketch)) if view is not None]
    for side, view, images, found in (
        ("photo", photo, batch.photo, embeddings.photo_posterior),
        ("sketch", sketch, batch.sketch, embeddings.sketch_posterior),
    ):
        teacher = made.teachers.photo if side == "photo" else made.teachers.sketch
        logits = teacher(images if view is None else images.flip(3)).logits
        wanted = made.teachers.vocabulary.union_posterior(logits, "photo" if side == "photo" else "sketch", 1.0)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(embeddings.target, batch.target)
    output = made.step(batch, Progress(0))
    output.loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters_to_train())
    assert all(p.grad is None for p in made.teachers.parameters())


def test_predictions_are_compared_with_the_features_of_the_views(teachers: Teachers) -> None:
    made, batch = module(teachers, "student", Mirror(), None, judge_views=True), pairs(teachers)
    of_photo, of_sketch = made.embed(batch, augmented=True).features
    torch.testing.assert_close(of_photo.teacher, made.teachers.photo(batch.photo.flip(3)).features)
    assert torch.equal(of_sketch.teacher, batch.sketch_teacher.features)


def test_new_content_needs_new_soft_labels(teachers: Teachers) -> None:
    paste = PasteOnto(Scribbles(), num_backgrounds=4)
    message = r"^judge_views: must be true beside {}_augmentation: {}, whose views show"
    with pytest.raises(InputError, match=message.format("sketch", "PasteOnto")):
        module(teachers, "head", None, paste)
    with pytest.raises(InputError, match=message.format("photo", "Compose")):
        module(teachers, "head", Compose([Augment(flip=0.5), paste]), None)
    module(teachers, "head", None, paste, judge_views=True)
    with pytest.raises(InputError, match=r"^judge_views: must be false without an augmentation, got true"):
        module(teachers, "head", None, None, judge_views=True)


def test_head_runs_its_teacher_on_a_view_and_not_on_a_pair(teachers: Teachers) -> None:
    batch = pairs(teachers)
    forwards: list[str] = []
    for photo, sketch, wanted in ((None, None, []), (Mirror(), None, ["photo"]), (None, Mirror(), ["sketch"])):
        made = module(teachers, "head", photo, sketch)
        forwards.clear()
        with (
            made.teachers.photo.register_forward_pre_hook(lambda *_: forwards.append("photo")),
            made.teachers.sketch.register_forward_pre_hook(lambda *_: forwards.append("sketch")),
        ):
            output = made.step(batch, Progress(0))
        assert forwards == wanted
        output.loss.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters_to_train())
        assert all(p.grad is None for p in made.teachers.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_critic_and_evaluation_take_images_as_they_are(teachers: Teachers, kind: Kind) -> None:
    batch = pairs(teachers)
    made, plain = (module(teachers, kind, view, view).eval() for view in (Mirror(), None))
    with torch.no_grad():
        assert torch.equal(made.criticise(batch).hardness, plain.criticise(batch).hardness)
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
