"""Class names that two teachers spell differently."""

from pathlib import Path

import pytest
from support.commands import RECONSTRUCTION, config, edit, run
from support.runs import CLASSES, save_teachers

from crossx.core.errors import InputError
from crossx.teachers.lookalikes import lookalikes
from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import Modality


@pytest.mark.parametrize(
    ("photo", "sketch"),
    [
        ("car", "Car"),
        ("ice cream", "ice-cream"),
        ("ice cream", "ice_cream"),
        ("sailboat", "sail boat"),
        ("cup", "cup "),
        ("T-shirt", "t shirt"),
        ("café", "cafe"),
        ("car (sedan)", "car sedan"),
        ("jack-o'-lantern", "jack o lantern"),
        ("shoe", "shoes"),
        ("glass", "glasses"),
        ("bus", "Buses"),
        ("box", "boxes"),
        ("butterfly", "butterflies"),
        ("knife", "knives"),
        ("wolf", "wolves"),
        ("tomato", "tomatoes"),
        ("house", "houses"),
        ("sports car", "sport-car"),
        ("СОБАКА", "собака"),
    ],
)
def test_spellings_of_one_class_are_found_both_ways(photo: str, sketch: str) -> None:
    assert lookalikes(["x", photo], [sketch, "y"]) == [(photo, sketch)]
    assert lookalikes([sketch], [photo]) == [(sketch, photo)]


@pytest.mark.parametrize(
    ("photo", "sketch"),
    [("cat", "cap"), ("car", "cart"), ("can", "canes"), ("brass", "bras"), ("bus", "bu"), ("gas", "ga"), ("+", "-")],
)
def test_other_words_are_not(photo: str, sketch: str) -> None:
    assert lookalikes([photo], [sketch]) == []


def test_names_that_both_have_are_in_no_pair() -> None:
    assert lookalikes(["crane", "Crane", "dog"], ["crane", "dogs", "dog"]) == []
    assert lookalikes(["crane", "Dogs"], ["crane", "cranes", "dog"]) == [("Dogs", "dog")]


def test_each_pair_is_named_once_in_the_order_of_the_photo_classes() -> None:
    assert lookalikes(["b box", "a"], ["A", "B-box", "bbox", "B-box"]) == [
        ("b box", "B-box"),
        ("b box", "bbox"),
        ("a", "A"),
    ]


def test_long_lists_take_no_time() -> None:
    names = [f"class number {i}" for i in range(20_000)]
    assert len(lookalikes(names, [name.upper() for name in names])) == len(names)


def test_a_run_without_a_data_set_warns_at_its_start(tmp_path: Path) -> None:
    lists: dict[Modality, tuple[str, ...]] = {"photo": CLASSES, "sketch": (CLASSES[0].upper(), *CLASSES[1:4])}
    teachers = save_teachers(tmp_path, classes=lists)
    content = config(teachers, tmp_path, RECONSTRUCTION)
    edit(content, "data.dataset", None)
    edit(content, "trainer.max_steps", 1)
    edit(content, "data.batches_per_epoch", 1)
    alike = lookalikes(lists["photo"], lists["sketch"])
    assert len(alike) == 1
    with pytest.warns(UserWarning, match=r"teachers: 1 classes look alike .* join .* in teachers\.aliases") as record:
        run("fit", tmp_path / "c.yaml", content)
    (message,) = [str(w.message) for w in record if "look alike" in str(w.message)]
    assert "\n" not in message
    assert all(repr(name) in message for name in alike[0])


def test_teachers_without_a_common_class_are_told_an_alias() -> None:
    with pytest.raises(InputError, match=r"share no class.* such as \{'Ice-Cream': 'ice cream'\}"):
        Vocabulary(["car", "ice cream"], ["Ice-Cream", "x"])


def test_aliases_end_the_warning(tmp_path: Path) -> None:
    lists: dict[Modality, tuple[str, ...]] = {"photo": ("car", "cup"), "sketch": ("Car", "cup")}
    teachers = save_teachers(tmp_path, classes=lists)
    assert "'car' and 'Car'" in TeacherPair(*teachers).spelled_differently()
    assert TeacherPair(*teachers, {"Car": "car"}).spelled_differently() == ""
