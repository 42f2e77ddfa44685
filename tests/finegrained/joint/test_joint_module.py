"""The joint module by itself: what its encoders learn from, and what it refuses."""

from functools import partial
from pathlib import Path

import pytest
import torch
from support.drawing_runs import SIZE, drawer, export, matcher, semi_supervised
from support.runs import trainer

from crossx.core.errors import InputError
from crossx.finegrained.certainty.discriminator import PairDiscriminator
from crossx.finegrained.certainty.networks import SharedFeatures
from crossx.finegrained.joint.module import SemiSupervisedModule
from crossx.finegrained.pseudo import GreyViews
from crossx.finegrained.retrieval.frozen import FrozenRetrieval
from crossx.finegrained.retrieval.losses import InstanceNCE, InstanceTerm, RelationDistillation
from crossx.finegrained.types import FineGrainedBatch
from crossx.types import Progress


def batch(flip: bool = False) -> FineGrainedBatch:
    """4 labelled pairs, and 3 unlabelled photos, all mirrored or none."""
    images = torch.rand(11, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    photo, sketch, free = images[:4], images[4:8], images[8:]
    given = FineGrainedBatch(photo, sketch, torch.arange(4), free.flip(3) if flip else free, torch.arange(4, 7))
    given.free_flip = torch.full((3,), flip)
    return given


def ready(folder: Path, **arguments: object) -> SemiSupervisedModule:
    """A module that draws, and has no data module to fit its certainties to."""
    module = semi_supervised(folder, "group", **arguments)  # type: ignore[arg-type]  # any argument of the module
    module.generator.generator.scale.fill_(0.1)
    module.trainer = trainer(folder)
    return module


def test_encoders_learn_from_what_was_drawn(tmp_path: Path) -> None:
    module = ready(tmp_path)
    module.fill(batch(), 0)
    pairs = module.encoding.pairs(batch())
    assert pairs.certainty[:4].tolist() == [1, 1, 1, 1]
    coded = module.bank.get(torch.arange(4, 7))
    assert torch.equal(pairs.certainty[4:], coded.certainty)
    expected = module.discriminator.certainty(pairs.photo[4:], pairs.sketch[4:])
    torch.testing.assert_close(pairs.certainty[4:], expected)


def test_a_mirrored_photo_has_the_mirrored_drawing(tmp_path: Path) -> None:
    """The bank has one drawing a photo, whichever way round the photo came along first."""
    plain, mirrored = ready(tmp_path), ready(tmp_path)
    plain.fill(batch(), 0)
    mirrored.fill(batch(flip=True), 0)
    straight = plain.encoding.pairs(batch()).sketch[4:]
    assert (straight != straight.flip(3)).any()
    assert torch.equal(mirrored.encoding.pairs(batch()).sketch[4:], straight)
    assert torch.equal(mirrored.encoding.pairs(batch(flip=True)).sketch[4:], straight.flip(3))


def test_drawings_are_made_once_a_round(tmp_path: Path) -> None:
    module = ready(tmp_path, refresh=10)
    module.fill(batch(), 3)
    first = module.bank.get(torch.arange(4, 7))
    with torch.no_grad():
        bias = module.generator.get_parameter("generator.decoder.head.bias")
        bias.add_(torch.randn_like(bias))
    module.fill(batch(), 9)
    assert torch.equal(module.bank.get(torch.arange(4, 7)).offset, first.offset)
    module.fill(batch(), 10)
    again = module.bank.get(torch.arange(4, 7))
    assert again.offset.shape != first.offset.shape or not torch.equal(again.offset, first.offset)


def test_drawings_without_weights_are_all_trusted(tmp_path: Path) -> None:
    module = ready(tmp_path, weighted=False)
    logs = module.play("encoding", batch(), Progress(0, 10)).logs
    assert float(logs["fg/certainty"]) == 1


def test_the_teacher_of_the_distillation_rewards_too(tmp_path: Path) -> None:
    file = export(matcher(), tmp_path / "encoders.safetensors")
    terms = {"nce": InstanceTerm(InstanceNCE()), "distillation": InstanceTerm(RelationDistillation())}
    encoding = matcher(terms=terms, teacher=FrozenRetrieval(file))
    module = SemiSupervisedModule(drawer(), partial(PairDiscriminator, network=SharedFeatures), encoding)
    assert module.teacher is encoding.teacher
    assert any(part is encoding.teacher for part in module.discriminator.modules())


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.teacher: must be the encoders\.safetensors of a supervised run"):
        SemiSupervisedModule(drawer(), PairDiscriminator, matcher())
    with pytest.raises(InputError, match=r"model\.encoding\.pseudo: must be left out of a joint run.*got GreyViews"):
        SemiSupervisedModule(drawer(), PairDiscriminator, matcher(pseudo=GreyViews()))
    with pytest.raises(InputError, match=r"model\.temperature: must be above 0, got 0"):
        semi_supervised(tmp_path, temperature=0.0)
    with pytest.raises(InputError, match="generator: must be trained or read from a file before it draws"):
        semi_supervised(tmp_path).play("discriminator", batch(), Progress(0, 10))
    alone = FineGrainedBatch(batch().photo, batch().sketch, batch().instance)
    with pytest.raises(InputError, match="BankSketches draws unlabelled photos, and the run has none"):
        ready(tmp_path).play("encoding", alone, Progress(0, 10))
