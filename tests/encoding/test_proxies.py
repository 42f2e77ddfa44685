"""Where proxies start."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.embedded import array
from support.runs import CLASSES, MODALITIES, SIZE, Teachers, save_teachers
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.losses.proxies import class_geometry, class_rows, start_proxies
from crossx.networks.small_resnet import SmallResNet
from crossx.teachers.card import TeacherCard
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher


class Squared(SmallResNet):
    """Its classifier is not linear."""

    def classify(self, features: Tensor) -> Tensor:
        return super().classify(features) ** 2


def test_the_class_rows_is_the_weight_matrix(teachers: Teachers) -> None:
    pair = TeacherPair(*teachers)
    for teacher in (pair.photo, pair.sketch):
        torch.testing.assert_close(class_rows(teacher), teacher.network.state_dict()["head.weight"])


def test_a_classifier_that_is_not_linear_is_refused() -> None:
    card = TeacherCard("photo", "Squared", CLASSES, SIZE, (0.5,) * 3, (0.5,) * 3, name="odd")
    with pytest.raises(InputError, match=r"start: the last layer of teacher 'odd' is not linear.*; use start: random"):
        class_rows(FrozenTeacher(Squared(len(CLASSES), (8, 8)), card))


def test_geometry_keeps_the_angles_of_the_centred_rows() -> None:
    weight = torch.randn(6, 20, generator=torch.Generator().manual_seed(0)) + 3
    centred = array(weight) - array(weight).mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    for dim in (5, 12):
        rows = class_geometry(weight, dim)
        assert rows.shape == (6, dim)
        np.testing.assert_allclose(array(rows @ rows.T), centred @ centred.T, atol=1e-5)
    few = class_geometry(weight, 2)
    torch.testing.assert_close(few.norm(dim=1), torch.ones(6))


def test_shared_classes_start_near_each_other(teachers: Teachers) -> None:
    """Two teachers with the same last layer up to a turn have the same proxies."""
    pair = TeacherPair(*teachers)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0]
    head = pair.sketch.network.get_parameter("head.weight")
    before = head.detach().clone()
    try:
        head.copy_(class_rows(pair.photo) @ turn)
        photo, sketch = start_proxies(pair, 8, "teachers")
    finally:
        head.copy_(before)
    torch.testing.assert_close(photo, sketch, atol=1e-4, rtol=0)
    photo, sketch = start_proxies(pair, 8, "teachers")
    assert 0.05 < (photo * sketch).sum(1).mean() < 0.99
    torch.testing.assert_close(photo.norm(dim=1), torch.ones(len(CLASSES)))
    torch.testing.assert_close(sketch.norm(dim=1), torch.ones(len(CLASSES)))


def test_a_class_that_one_teacher_does_not_know_starts_where_the_other_has_it(tmp_path: Path) -> None:
    pair = TeacherPair(*save_teachers(tmp_path, classes={"photo": CLASSES[:7], "sketch": CLASSES[3:][::-1]}))
    photo, sketch = start_proxies(pair, 6, "teachers")
    assert photo.shape == sketch.shape == (len(CLASSES), 6)
    known = [pair.vocabulary.known(modality) for modality in MODALITIES]
    same = (photo == sketch).all(dim=1)
    assert torch.equal(same, ~(known[0] & known[1]))
    own = class_geometry(class_rows(pair.photo), 6)
    torch.testing.assert_close(photo[:7], own)


def test_random_proxies_are_unit_vectors_that_differ(teachers: Teachers) -> None:
    torch.manual_seed(0)
    photo, sketch = start_proxies(TeacherPair(*teachers), 3, "random")
    torch.testing.assert_close(photo.norm(dim=1), torch.ones(len(CLASSES)))
    assert not torch.allclose(photo, sketch, atol=0.1)
