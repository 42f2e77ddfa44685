"""Alternative Data are of classes that no teacher knows, whatever a teacher calls them."""

import pytest
from support.runs import CLASSES, SIZE, Teachers

from crossx.baselines import AlternativePairs
from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.teachers.pair import TeacherPair


def shapes(*classes: str) -> ShapesDataset:
    """Drawings under other class names, without images being drawn."""
    data = ShapesDataset(size=SIZE, train=2, validation=2, test=2)
    data.classes = classes
    return data


@pytest.mark.parametrize("known", CLASSES)
def test_a_class_that_a_teacher_knows_is_refused(teachers: Teachers, known: str) -> None:
    with pytest.raises(InputError, match=rf"pairs\.data: must hold only classes that no teacher has, got {known};"):
        AlternativePairs(TeacherPair(*teachers), shapes("moon", known))


def test_an_alias_of_a_known_class_is_refused(teachers: Teachers) -> None:
    pair = TeacherPair(*teachers, aliases={"luna": CLASSES[0]})
    with pytest.raises(InputError, match=r"no teacher has, got luna;"):
        AlternativePairs(pair, shapes("moon", "luna"))


def test_other_classes_are_taken(teachers: Teachers) -> None:
    assert AlternativePairs(TeacherPair(*teachers), shapes("moon", "star")).real
