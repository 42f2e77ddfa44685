"""`crossx inspect`, as a user types it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from crossx.cli import main
from crossx.data.pen import FINER, Pen
from crossx.data.shapes.dataset import ShapesDataset
from crossx.teachers.teacher import load_teacher, read_card

SHIPPED = "crossx:assets/shapes_sketch.safetensors"
PHOTO = "crossx:assets/shapes_photo.safetensors"
SKETCHES = ShapesDataset(size=32, validation=4).images("sketch", "validation")

Inspect = Callable[..., str]


@pytest.fixture
def inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inspect:
    """Run the command in a folder of its own; returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def inspect(*words: str, status: int = 0) -> str:
        assert main(["inspect", *words]) == status
        printed = capsys.readouterr()
        text: str = printed.err if status else printed.out
        if not status:
            assert max(map(len, text.splitlines())) <= 80 or "/" in text
        return text

    return inspect


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Class folders of sketches, in full resolution."""
    for i in range(len(SKETCHES)):
        folder = tmp_path / "drawings" / SKETCHES.classes[SKETCHES.labels[i]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(SKETCHES.read(i, FINER)[0].numpy()).save(folder / f"{i}.png")
    return tmp_path / "drawings"


def card(folder: Path, **changes: object) -> str:
    """A YAML card of the shipped sketch teacher, with a comment, beside its weights."""
    teacher = load_teacher(SHIPPED)
    torch.save(teacher.network.state_dict(), folder / "weights.pt")
    values = {
        "modality": "sketch",
        "network": "SmallResNet",
        "arguments": teacher.card.arguments,
        "classes": list(teacher.card.classes),
        "input_size": 32,
        "mean": list(teacher.card.mean),
        "std": list(teacher.card.std),
        "weights": "weights.pt",
        **changes,
    }
    (folder / "card.yaml").write_text("# of a stranger\n" + yaml.safe_dump(values, sort_keys=False))
    return "card.yaml"


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


@pytest.mark.usefixtures("drawings")
def test_class_folders_give_the_accuracy(inspect: Inspect, tmp_path: Path) -> None:
    text = inspect(SHIPPED, "--images", "drawings")
    assert "images       40, 40 of them" in text
    accuracy = float(text.partition("accuracy     ")[2].partition("accuracy     ")[2].split()[0])
    assert accuracy > 0.6
    assert "warning" not in text
    with Image.open(tmp_path / "inspect.png") as sheet:
        assert sheet.width > 1000


def test_a_flat_folder_needs_no_label(inspect: Inspect, drawings: Path) -> None:
    for path in drawings.glob("*/*.png"):
        path.rename(drawings / path.name)
    for folder in drawings.glob("*/"):
        folder.rmdir()
    text = inspect(SHIPPED, "--images", "drawings", "--sheet", "s.png").partition("images")[2]
    assert "40, 0 of them" in text
    assert "accuracy" not in text
    assert "nats, mutual information" in text


def test_a_folder_that_is_no_class_is_named_with_the_nearest_one(inspect: Inspect, drawings: Path) -> None:
    (drawings / "cup").rename(drawings / "cups")
    text = " ".join(inspect(SHIPPED, "--images", "drawings").split())
    assert "no class of the teacher is called 'cups' (did you mean 'cup'?)" in text
    assert "images 36, 36 of them" in text


@pytest.mark.usefixtures("drawings")
def test_classes_in_another_order_are_at_chance(inspect: Inspect, tmp_path: Path) -> None:
    reversed_card = card(tmp_path, classes=list(load_teacher(SHIPPED).card.classes)[::-1])
    assert "is that of chance" in " ".join(inspect(reversed_card, "--images", "drawings").split())


def test_blank_images(inspect: Inspect, tmp_path: Path) -> None:
    (tmp_path / "blank").mkdir()
    for i in range(3):
        Image.new("L", (40, 40), 255).save(tmp_path / "blank" / f"{i}.png")
    text = " ".join(inspect(SHIPPED, "--images", "blank").split())
    assert "3 of 3 images are blank" in text
    assert "100% of the images are predicted as" in text


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
        ((PHOTO, "--images", "drawings", "--fit-pen"), "--fit-pen: must be used with a sketch teacher, got photo"),
        ((SHIPPED, "--fit-pen"), "--fit-pen: must have sketches to look at: name their folder with --images"),
        ((SHIPPED, "--images", "nowhere"), "--images: must be a folder, got 'nowhere'"),
        ((SHIPPED, "--images", "."), "must hold images, or class folders with images"),
        ((SHIPPED, "--aliases", "{a: b}"), "--aliases: must be JSON such as"),
        ((SHIPPED, PHOTO, PHOTO), "TEACHER: must be one teacher or two, got 3"),
        (("nowhere.yaml",), "'nowhere.yaml' does not exist"),
        (("timm:resnet18", "--images", "drawings"), "timm model resnet18: pretrained weights cannot be loaded"),
    ],
)
def test_mistakes_are_one_line(inspect: Inspect, words: tuple[str, ...], message: str, drawings: Path) -> None:
    if words[2:] == (".",):
        for path in drawings.rglob("*.png"):
            path.unlink()
    error = inspect(*words, status=2)
    assert message in error
    assert "Traceback" not in error
