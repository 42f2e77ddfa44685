"""Uni-Modal Distillation lives by two common starts: of the heads, and of the classifiers."""

import lightning.pytorch as pl
import torch
from support.runs import Teachers

from crossx.baselines import UniModalDistillationLoss
from crossx.baselines.uni_modal_distillation import UniModalStudent
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES


def test_heads_of_both_modalities_start_from_the_same_weights(teachers: Teachers) -> None:
    pair = TeacherPair(*teachers)

    def heads() -> list[dict[str, torch.Tensor]]:
        return [UniModalStudent(pair, m, dim=4, hidden=6).head.state_dict() for m in MODALITIES]

    torch.manual_seed(3)
    before = torch.get_rng_state()
    photo, sketch = heads()
    assert torch.equal(torch.get_rng_state(), before)  # and the run's generator stays
    assert photo.keys() == sketch.keys()
    assert all(torch.equal(photo[name], sketch[name]) for name in photo)
    assert any(tensor.count_nonzero() for tensor in photo.values())
    pl.seed_everything(1, verbose=False)
    again, _ = heads()
    assert any(not torch.equal(photo[name], again[name]) for name in photo)  # another seed, another start


def test_both_classifiers_start_from_the_same_weights_and_learn_apart(teachers: Teachers) -> None:
    loss = UniModalDistillationLoss(EmbeddingSpace(TeacherPair(*teachers), 4))
    photo, sketch = (loss.classifiers.get_submodule(m).state_dict() for m in MODALITIES)
    assert all(torch.equal(photo[name], sketch[name]) for name in photo)
    assert photo["weight"].count_nonzero()
    with torch.no_grad():
        loss.get_parameter("classifiers.photo.weight").add_(1)
    assert not torch.equal(
        loss.get_parameter("classifiers.photo.weight"), loss.get_parameter("classifiers.sketch.weight")
    )
