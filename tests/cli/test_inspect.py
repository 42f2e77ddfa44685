"""`crossx inspect`, as a user types it."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from support.inspecting import SHIPPED, SKETCHES, Inspect, card, printed, save_drawings

from crossx.data.images import load_image
from crossx.networks.preprocessing import InputFormat
from crossx.pixels.pen import Pen
from crossx.teachers.teacher import load_teacher, read_card

PHOTO = "crossx:assets/shapes_photo.safetensors"


@pytest.fixture
def inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inspect:
    """Run the command in a folder of its own; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    return partial(printed, capsys)


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Class folders of sketches, in full resolution."""
    return save_drawings(tmp_path / "drawings")


def test_one_teacher(inspect: Inspect) -> None:
    text = inspect(PHOTO)
    for part in ("shapes-photo, classifies photos", "78,042 parameters", "9 layers with statistics", "10: car, cup"):
        assert part in text
    assert "pen" not in text


def test_two_teachers_are_compared_by_their_classes(inspect: Inspect, tmp_path: Path) -> None:
    names = list(load_teacher(SHIPPED).card.classes)
    text = inspect(PHOTO, card(tmp_path, classes=["Ice-Cream" if name == "ice cream" else name for name in names]))
    assert "9 of 10 and 10 classes" in text
    assert "only first   ice cream" in text
    assert "'Ice-Cream': 'ice cream'" in text
    joined = inspect(PHOTO, "card.yaml", "--aliases", '{"Ice-Cream": "ice cream"}')
    assert "10 of 10 and 10 classes" in joined
    assert "look alike" not in joined
    misspelt = inspect(PHOTO, card(tmp_path, classes=["hous" if name == "house" else name for name in names]))
    assert "'hous': 'house'" in misspelt
    assert "look alike" not in inspect(PHOTO, "card.yaml", "--aliases", "{hous: house}")


@pytest.mark.usefixtures("drawings")
def test_class_folders_give_the_accuracy(inspect: Inspect, tmp_path: Path) -> None:
    text = inspect(SHIPPED, "--images", "drawings")
    assert "images       40, 40 of them" in text
    accuracy = float(text.partition("accuracy     ")[2].partition("accuracy     ")[2].split()[0])
    assert accuracy > 0.6
    assert "warning" not in text
    with Image.open(tmp_path / "inspect.png") as sheet:
        assert sheet.width > 1000


@pytest.mark.parametrize("folders", [["cup", "house"], ["cup"]])
def test_the_accuracy_is_among_all_classes_and_among_those_that_occur(
    folders: list[str], inspect: Inspect, drawings: Path, tmp_path: Path
) -> None:
    for folder in folders:
        (tmp_path / "some").mkdir(exist_ok=True)
        (drawings / folder).rename(tmp_path / "some" / folder)
    teacher = load_teacher(SHIPPED)
    paths = sorted((tmp_path / "some").glob("*/*.png"))
    images = torch.stack([load_image(path, "sketch", 32) for path in paths]) / 255
    guesses = [teacher.card.classes[i] for i in teacher(images).logits.argmax(1).tolist()]
    right = sum(guess == path.parent.name for guess, path in zip(guesses, paths, strict=True)) / len(paths)
    text = " ".join(inspect(SHIPPED, "--images", "some").split())
    assert f"accuracy {right:.3f} among all 10 classes (chance" in text
    assert ("among the 2 that occur (chance 0.500)" in text) == (len(folders) == 2)
    assert "are predicted as" not in text


def test_one_class_that_is_another_one_to_the_teacher(inspect: Inspect, drawings: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (drawings / "cup").rename(tmp_path / "some/house")
    text = " ".join(inspect(SHIPPED, "--images", "some").split())
    assert "accuracy 0.000 among all 10 classes" in text
    assert "100% of the images are predicted as 'cup'" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_size", 48),
        ("mean", [0.4, 0.5, 0.5]),
        ("std", [0.4, 0.5, 0.5]),
        ("interpolation", "bicubic"),
        ("crop", 0.875),
        ("arguments", {"widths": [16, 32, 64], "norm": "batch"}),
        ("pen", {"white_on_black": True}),
    ],
)
def test_every_field_that_changes_what_the_network_sees_is_printed(
    name: str, value: object, inspect: Inspect, tmp_path: Path
) -> None:
    assert set(InputFormat._fields) <= {"size", "mean", "std", "interpolation", "crop"}, "a new field is a row here"
    plain = inspect(card(tmp_path))
    changed = inspect(card(tmp_path, **{name: value}))
    assert changed != plain
    numbers = [value] if isinstance(value, float | int) else []
    assert all(f"{number}" in changed for number in numbers)


@pytest.mark.usefixtures("drawings")
def test_classes_in_another_order_are_at_chance(inspect: Inspect, tmp_path: Path) -> None:
    reversed_card = card(tmp_path, classes=list(load_teacher(SHIPPED).card.classes)[::-1])
    assert "is that of chance" in " ".join(inspect(reversed_card, "--images", "drawings").split())


@pytest.mark.usefixtures("drawings")
def test_the_pen_is_written_onto_the_card(inspect: Inspect, tmp_path: Path) -> None:
    """A teacher of light lines: the shipped one with the signs of its first layer's weights turned."""
    spec = card(tmp_path)
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    weights["stem.0.weight"] = -weights["stem.0.weight"]  # mean and std are 0.5, so that -x is the inverted image
    torch.save(weights, tmp_path / "weights.pt")
    warned = " ".join(inspect(spec, "--images", "drawings").split())
    assert "it may have learned light lines on black (--fit-pen)" in warned
    text = inspect(spec, "--images", "drawings", "--fit-pen")
    assert "pen fitted   " in text
    pen = read_card(spec).pen
    assert pen is not None
    assert pen.white_on_black
    assert "warning" not in text
    written = (tmp_path / spec).read_text()
    assert written.startswith("# of a stranger\n")
    assert written.count("pen:") == 1
    assert "white_on_black True" in inspect(spec)


def test_a_pen_is_no_part_of_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = load_teacher(card(tmp_path)).hash
    assert load_teacher(card(tmp_path, pen={"margin": 0.1})).hash == plain
    assert load_teacher(card(tmp_path, name="other")).hash != plain


def test_no_pen_where_none_is_worth_it(inspect: Inspect, drawings: Path, tmp_path: Path) -> None:
    for path in drawings.glob("*/*.png"):  # as the teacher learned them
        Image.fromarray(SKETCHES.image(int(path.stem))[0].numpy()).save(path)
    spec = card(tmp_path, pen={"white_on_black": True})
    assert read_card(spec).pen == Pen(white_on_black=True)
    assert "none: no pen is worth it" in inspect(spec, "--images", "drawings", "--fit-pen")
    assert read_card(spec).pen is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (PHOTO, "--images", "drawings", "--fit-pen"),
            "--fit-pen: must be used with a sketch teacher and sketches",
        ),
        ((SHIPPED, "--fit-pen"), "--fit-pen: must have sketches to look at: name their folder with --images"),
        ((SHIPPED, "--images", "nowhere"), "--images: must be a folder, got 'nowhere'"),
        ((SHIPPED, "--images", "."), "must hold images, or class folders with images"),
        ((SHIPPED, "--aliases", "[a, b]"), "--aliases: must map names to names, such as {automobile: car}, got [a, b]"),
        ((SHIPPED, PHOTO, PHOTO), "TEACHER: must be one teacher or two, got 3"),
        (("nowhere.yaml",), "TEACHER: 'nowhere.yaml' does not exist"),
        ((SHIPPED, "nowhere.yaml"), "TEACHER: 'nowhere.yaml' does not exist"),
        ((SHIPPED, "--images", "drawings", "--modality", "photo", "--fit-pen"), "and sketches, got sketch and photo"),
        ((SHIPPED, "--images", "drawings", "--size", "0"), "--size: must be at least 1, got 0"),
        ((SHIPPED, "--images", "drawings", "--sheet", "a.txt"), "--sheet: must be named *.png, got 'a.txt'"),
        (
            (SHIPPED, "--images", "drawings", "--sheet", "folder.png"),
            "--sheet: must be a file to write, got the",
        ),
        ((SHIPPED, "--images", "drawings", "--sheet", "/proc/a.png"), "error: /proc/a.png: "),
        (("timm:resnet18", "--images", "drawings"), "timm model resnet18: pretrained weights cannot be loaded"),
    ],
)
def test_mistakes_are_one_line(inspect: Inspect, words: tuple[str, ...], message: str, drawings: Path) -> None:
    (drawings.parent / "folder.png").mkdir()
    if words[2:] == (".",):
        for path in drawings.rglob("*.png"):
            path.unlink()
    error = inspect(*words, status=2)
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--imges", "x"), "'--imges' is not an option (did you mean '--images'?); `crossx inspect --help` lists the"),
        (("--fitpen",), "'--fitpen' is not an option (did you mean '--fit-pen'?); `crossx inspect --help` lists the"),
        (("--modality", "skech"), "--modality: must be one of photo, sketch; got 'skech' (did you mean 'sketch'?)"),
        (("--size", "big"), "--size: invalid int value: 'big'"),
        (("--images", "drawngs"), "--images: must be a folder, got 'drawngs' (did you mean 'drawings'?)"),
        (("--images",), "--images: expected one argument"),
    ],
)
@pytest.mark.usefixtures("drawings")
def test_a_mistyped_option_is_one_line(inspect: Inspect, words: tuple[str, ...], message: str) -> None:
    error = inspect(SHIPPED, *words, status=2)
    assert error.startswith(f"crossx: error: {message}")
    assert error.count("\n") == 1


def test_a_mistyped_option_is_answered_without_torch() -> None:
    code = "import sys; from crossx.cli import main; status = main(['inspect', 'a.yaml', '--imges', 'b'])"
    found = subprocess.run(
        [sys.executable, "-c", f"{code}; print(status, 'torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["2", "False"]


def test_another_number_of_classes_names_both_numbers(inspect: Inspect, tmp_path: Path) -> None:
    names = list(load_teacher(SHIPPED).card.classes)
    error = inspect(card(tmp_path, classes=names[1:]), status=2)
    assert "the weights are of 10 classes, and the card names 9: card: classes must be all 10 names" in error
    error = inspect(card(tmp_path, classes=[*names, "a", "b"]), status=2)
    assert "the weights are of 10 classes, and the card names 12: card: classes must be all 10 names" in error
