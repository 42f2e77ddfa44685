"""FineGrainedModule by itself: what it learns from, what it starts from, and what it refuses."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.runs import Teachers
from torch import Tensor

from crossx.augmentation import Augment, Scribbles
from crossx.augmentation.paste import PasteOnto
from crossx.baselines import ClassifierOnly
from crossx.core.errors import InputError
from crossx.core.tensor_files import write_safetensors
from crossx.encoding.encoders import NetworkEncoder, TeacherEncoder
from crossx.finegrained.pseudo import PseudoSketches, TrueSketches
from crossx.finegrained.retrieval.frozen import FrozenRetrieval
from crossx.finegrained.retrieval.losses import (
    InstanceNCE,
    InstanceTerm,
    InstanceTriplet,
    PhotoContrast,
    PhotoRelation,
    RelationDistillation,
)
from crossx.finegrained.retrieval.module import FineGrainedModule
from crossx.finegrained.types import FineGrainedBatch
from crossx.networks.small_resnet import SmallResNet
from crossx.types import Progress

NETWORK = partial(NetworkEncoder, network=partial(SmallResNet, widths=[4, 8], norm="group"), input_size=16, dim=6)
OTHER = partial(NetworkEncoder, network=partial(SmallResNet, widths=[4, 6], norm="group"), input_size=16, dim=6)
NCE = {"nce": InstanceTerm(InstanceNCE())}
START = Progress(0, 10)


def module(**arguments: Any) -> FineGrainedModule:  # noqa: ANN401 - any argument of the module
    torch.manual_seed(0)
    return FineGrainedModule(**{"encoder": NETWORK, "terms": NCE, **arguments})


def batch(pairs: int = 4, free: int = 3) -> FineGrainedBatch:
    images = torch.rand(2 * pairs + 2 * free, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    photo, sketch, free_photo, free_sketch = images.tensor_split([pairs, 2 * pairs, 2 * pairs + free])
    return FineGrainedBatch(
        photo, sketch, torch.arange(pairs), free_photo, torch.arange(pairs, pairs + free), free_sketch
    )


def save(model: FineGrainedModule, path: Path) -> str:
    tensors = {f"{m}_encoder.{n}": t for m, e in model.encoders.items() for n, t in e.state_dict().items()}
    write_safetensors(path, tensors, {})
    return str(path)


class HalfSure(PseudoSketches):
    """White sketches of which every second one is trusted."""

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        return torch.ones_like(photos)

    def certainty(self, sketches: Tensor, batch: FineGrainedBatch) -> Tensor:
        return (torch.arange(len(sketches)) % 2).float()


def test_a_step_learns_from_labelled_and_pseudo_pairs() -> None:
    model = module(pseudo=TrueSketches())
    pairs = model.pairs(batch())
    assert torch.equal(pairs.sketch[4:], batch().free_sketch)  # type: ignore[arg-type]  # there are some
    assert pairs.instance.tolist() == [0, 1, 2, 3, 4, 5, 6]
    output = model.step(batch(), START)
    assert output.logs.keys() == {"fg/loss", "fg/pair_distance", "fg/certainty", "fg/nce"}
    embeddings = model.embed(batch())
    assert output.loss.item() == pytest.approx(InstanceNCE()(embeddings).item(), rel=1e-5)
    output.loss.backward()  # type: ignore[no-untyped-call]  # torch's
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_without_a_source_free_photos_change_nothing() -> None:
    model = module()
    assert model.step(batch(free=3), START).loss.item() == model.step(batch(free=2), START).loss.item()


def test_the_certainty_of_pseudo_pairs_reaches_the_loss() -> None:
    model = module(pseudo=HalfSure())
    assert model.embed(batch()).certainty.tolist() == [1, 1, 1, 1, 0, 1, 0]
    assert model.step(batch(), START).logs["fg/certainty"].item() == pytest.approx(1 / 3)


def test_training_brings_pairs_together() -> None:
    model, data = module(), batch(6)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    first = model.step(data, START).loss.item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.step(data, START).loss
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        optimizer.step()
    assert loss.item() < 0.5 * first


def test_views_of_a_pair_move_photo_and_sketch_alike() -> None:
    model = module(pair_views=Augment(flip=1.0))
    photo, sketch = model._views(batch().photo, batch().sketch)
    assert torch.allclose(photo, batch().photo.flip(3), atol=1e-5)
    assert torch.allclose(sketch, batch().sketch.flip(3), atol=1e-5)


def test_a_shared_encoder_is_one_network() -> None:
    model = module(shared=True)
    assert model.photo_encoder is model.sketch_encoder
    assert len(list(model.parameters())) == len(list(model.photo_encoder.parameters()))
    images = batch().photo
    assert torch.equal(model.encode(images, "photo"), model.encode(images, "sketch"))


def test_teachers_are_a_start(teachers: Teachers) -> None:
    encoder = partial(TeacherEncoder, dim=6, hidden=0, network_rate=0.3)
    model = module(encoder=encoder, photo_teacher=teachers.photo, sketch_teacher=teachers.sketch)
    assert [rate for _, rate in model.relative_rates()] == [0.3, 0.3]
    assert torch.isfinite(model.step(batch(), START).loss)


@pytest.mark.parametrize("shared", [False, True])
def test_encoders_start_from_those_of_another_run(tmp_path: Path, shared: bool) -> None:
    earlier = module(shared=shared)
    with torch.no_grad():
        for p in earlier.parameters():
            p.add_(0.01)
    later = module(shared=shared, start=save(earlier, tmp_path / "encoders.safetensors"))
    images = batch().photo
    for modality in ("photo", "sketch"):
        assert torch.equal(later.encode(images, modality), earlier.encode(images, modality))


def test_encoders_of_another_network_are_refused(tmp_path: Path) -> None:
    path = save(module(), tmp_path / "encoders.safetensors")
    with pytest.raises(
        InputError, match=r"model\.start: .*encoders as the config states them, got \d+ tensors that dif"
    ):
        module(encoder=OTHER, start=path)
    (tmp_path / "bad.safetensors").write_text("nothing")
    with pytest.raises(InputError, match=r"model\.start.*not a readable safetensors file"):
        module(start=str(tmp_path / "bad.safetensors"))
    with pytest.raises(
        InputError, match=r"model\.start: must be the file encoders\.safetensors of a run, got the fold"
    ):
        module(start=str(tmp_path))


def test_a_frozen_model_teaches_and_does_not_learn(tmp_path: Path) -> None:
    path = save(module(), tmp_path / "encoders.safetensors")
    terms = {**NCE, "relation": InstanceTerm(RelationDistillation())}
    model = module(terms=terms, teacher=FrozenRetrieval(path))
    assert model.teacher is not None
    before = model.teacher.fingerprint()
    assert not any("teacher" in name for name in model.state_dict())
    output = model.step(batch(), START)
    assert output.logs["fg/relation"].item() == pytest.approx(0, abs=1e-5)  # the student still is its teacher
    output.loss.backward()  # type: ignore[no-untyped-call]  # torch's
    assert all(p.grad is None for p in model.teacher.parameters())
    model.train()
    assert not model.teacher.training
    assert model.teacher.fingerprint() == before


def test_classifiers_teach_relations_of_photos(teachers: Teachers) -> None:
    terms = {**NCE, "photo": InstanceTerm(PhotoRelation(), 0.5)}
    model = module(
        terms=terms,
        teacher=FrozenRetrieval(encoder=ClassifierOnly),
        photo_teacher=teachers.photo,
        sketch_teacher=teachers.sketch,
    )
    output = model.step(batch(), START)
    assert output.logs["fg/photo"] > 0
    assert output.loss.item() == pytest.approx((output.logs["fg/nce"] + 0.5 * output.logs["fg/photo"]).item())


def test_contrast_takes_two_views_of_free_photos() -> None:
    terms = {"contrast": InstanceTerm(PhotoContrast())}
    model = module(terms=terms, photo_views=Augment(rotation=20))
    free = model.embed(batch()).free
    assert free is not None
    assert free.view is not None
    assert free.view.shape == free.photo.shape == (3, 6)
    assert not torch.allclose(free.view, free.photo)
    assert model.step(batch(), START).logs["fg/contrast"] > 0


def free_of_photos() -> FineGrainedBatch:
    found = batch()
    found.free_photo = found.free_instance = found.free_sketch = None
    return found


def test_terms_and_sources_say_that_there_are_no_free_photos() -> None:
    terms = {"contrast": InstanceTerm(PhotoContrast())}
    with pytest.raises(InputError, match="PhotoContrast learns from unlabelled photos, and the run has none"):
        module(terms=terms, photo_views=Augment(rotation=20)).step(free_of_photos(), START)
    with pytest.raises(InputError, match="TrueSketches draws unlabelled photos, and the run has none"):
        module(pseudo=TrueSketches()).step(free_of_photos(), START)


RELATION = {"relation": InstanceTerm(RelationDistillation())}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"terms": RELATION}, "terms.relation: RelationDistillation needs a frozen retrieval model; name model"),
        ({"terms": {"c": InstanceTerm(PhotoContrast())}}, "terms.c: PhotoContrast needs random views; name model.pho"),
        ({"teacher": FrozenRetrieval()}, "model.teacher: must be null where no term learns from it"),
        (
            {"teacher": FrozenRetrieval(), "terms": RELATION},
            "model.teacher: must name start .* or encoder, got neither",
        ),
        ({"shared": True, "sketch_encoder": NETWORK}, "sketch_encoder: must be null where shared is true"),
        ({"encoder": TeacherEncoder}, "teachers: must name photo and sketch for the encoder TeacherEncoder, got null"),
        ({"photo_teacher": "x.safetensors"}, "teachers.sketch: must be named beside the other teacher, or neither"),
        (
            {"encoder": partial(NetworkEncoder, network=SmallResNet)},
            "encoder.input_size: must be named in a run withou",
        ),
        ({"sketch_encoder": partial(NETWORK, dim=5)}, "must embed into one space, got .* of length 6 and 5"),
        ({"terms": {"t": InstanceTerm(InstanceTriplet(), weight=-1)}}, "terms.t.weight: must be at least 0, got -1"),
        ({"sketch_views": PasteOnto(Scribbles())}, "model.sketch_views: must be an augmentation that keeps"),
        ({"start": "no.safetensors"}, "model.start: .*no.safetensors"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        module(**arguments)
