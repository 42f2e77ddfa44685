"""`crossx synthesize`: photos of all kinds in, SVG files and pages out."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.drawing import drawing_generator

from crossx.cli import main
from crossx.core.errors import InputError
from crossx.core.tensor_files import write_safetensors
from crossx.finegrained.drawing.files import load_generator, save_generator
from crossx.finegrained.joint.judge import load_judge
from crossx.strokes.svg import from_svg


@pytest.fixture
def generator(tmp_path: Path) -> str:
    path = tmp_path / "generator.safetensors"
    drawing = drawing_generator(seed=3)
    drawing.decoder.head.bias.data[2] = -2.0  # few drawings end at once
    save_generator(path, drawing)
    return str(path)


def photo(folder: Path, kind: str) -> Path:
    """A photo with noise in one of the forms that users have."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    path = folder / f"{kind}.{'jpg' if kind in ('jpeg', 'cmyk', 'exif') else 'png'}"
    if kind == "cmyk":
        image.convert("CMYK").save(path)
    elif kind == "alpha":
        image.convert("RGBA").save(path)
    elif kind == "exif":
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(path, exif=exif)
    elif kind == "pixel":
        Image.new("RGB", (1, 1), "red").save(path)
    elif kind == "huge":
        Image.new("L", (5000, 3000), 77).save(path)
    else:
        image.save(path)
    return path


@pytest.mark.parametrize("kind", ["png", "jpeg", "cmyk", "alpha", "exif", "pixel", "huge"])
def test_every_kind_of_photo(
    kind: str, generator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out, page = tmp_path / "out.svg", tmp_path / "page.html"
    words = ["--generator", generator, "--photo", str(photo(tmp_path, kind)), "--temperature", "1"]
    assert main(["synthesize", *words, "--out", str(out), "--html", str(page)]) == 0
    said = capsys.readouterr().out
    match = re.search(r"(\d+) points in (\d+) strokes, (ended by itself|cut at 20 points)", said)
    assert match is not None, said
    strokes = from_svg(out.read_bytes())
    assert len(strokes) == int(match[2])
    assert "http" not in page.read_text().replace("http://www.w3.org/2000/svg", "")


def test_same_seed_same_file(generator: str, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.svg", "b.svg", "c.svg")]
    for file, seed in zip(files, ("5", "5", "6"), strict=True):
        words = ["--generator", generator, "--photo", str(photo(tmp_path, "png")), "--out", str(file), "--seed", seed]
        assert main(["synthesize", *words, "--temperature", "1"]) == 0
    assert files[0].read_text() == files[1].read_text() != files[2].read_text()


def test_folder_in_folder_out_and_copies(generator: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for kind in ("jpeg", "alpha"):
        photo(photos, kind)
    (photos / "notes.txt").write_text("no photo")
    words = ["--generator", generator, "--photo", str(photos), "--out", str(tmp_path / "svg"), "--temperature", "1"]
    assert main(["synthesize", *words, "--copies", "2", "--html", str(tmp_path / "pages")]) == 0
    names = ["alpha-0", "alpha-1", "jpeg-0", "jpeg-1"]
    assert sorted(path.name for path in (tmp_path / "svg").iterdir()) == [f"{name}.svg" for name in names]
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == [f"{name}.html" for name in names]
    assert (tmp_path / "svg/alpha-0.svg").read_text() != (tmp_path / "svg/alpha-1.svg").read_text()
    alone = ["--generator", generator, "--photo", str(photos / "jpeg.jpg"), "--out", str(tmp_path / "alone.svg")]
    assert main(["synthesize", *alone, "--temperature", "1"]) == 0
    assert (tmp_path / "alone.svg").read_text() == (tmp_path / "svg/jpeg-0.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "0"], "--temperature: must be above 0, got 0.0"),
        (["--copies", "0"], "--copies: must be at least 1, got 0"),
        (["--out", "x.png"], "--out: must be named *.svg for one photo, got 'x.png'"),
        (["--copies", "2", "--out", "x.svg"], "--out: must be a folder for several copies, got 'x.svg'"),
        (["--temprature", "1"], "did you mean '--temperature'?"),
        (["--seed", "-1"], "--seed: must be in [0, 4294967295], got -1"),
    ],
)
def test_mistakes(
    words: list[str], message: str, generator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synthesize", "--generator", generator, "--photo", str(photo(tmp_path, "png")), *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.png", None, "does not exist"),
        ("empty.png", b"", "cannot be read as an image"),
        ("folder", None, "must hold an image, got the folder"),
    ],
)
def test_photos_that_cannot_be_drawn(
    name: str,
    content: bytes | None,
    message: str,
    generator: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    elif name == "folder":
        path.mkdir()
    assert main(["synthesize", "--generator", generator, "--photo", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_files_that_are_no_generator(tmp_path: Path, generator: str) -> None:
    other = tmp_path / "other.safetensors"
    write_safetensors(other, {"x": load_generator(generator).scale}, {})
    with pytest.raises(InputError, match="does not hold a generator of drawings"):
        load_generator(other)
    broken = drawing_generator()
    broken.scale.fill_(7.0)
    save_generator(other, broken)
    with pytest.raises(InputError, match=r"must have a scale in \(0, 1\), got 7\.0"):
        load_generator(other)


@pytest.fixture(scope="module")
def joint_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Last checkpoint of a joint run: a batch of the generator, one of the discriminator, one of the joint phase."""
    folder = tmp_path_factory.mktemp("joint")
    words = ["--trainer.max_steps", "3", "--data.batch_size", "4", "--data.free_batch_size", "4"]
    words += ["--model.schedule.warmup_generator", "1", "--model.schedule.warmup_discriminator", "1"]
    words += ["--dataset.train", "20", "--dataset.validation", "1", "--trainer.default_root_dir", str(folder)]
    words += ["--trainer.logger.save_dir", str(folder), "--reports.pictures", "false", "--reports.health", "false"]
    assert main(["fit", "--config", "fg_quick.yaml", *words, "--trainer.enable_progress_bar", "false"]) == 0
    return folder / "fg_quick/version_0/checkpoints/last.ckpt"


def test_a_discriminator_says_how_far_a_drawing_is_trusted(
    joint_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = photo(tmp_path, "png")
    words = ["--photo", str(drawn), "--out", str(tmp_path / "a.svg")]
    assert main(["synthesize", *words, "--discriminator", str(joint_checkpoint)]) == 0
    match = re.search(r", certainty (0\.\d\d) -> ", capsys.readouterr().out)
    assert match is not None
    judge = load_judge(joint_checkpoint)
    assert judge.form.size == 32
    assert judge.form.line_width is not None, "lines of shapes are thinner than those of Quick, Draw!"
    expected = judge.certainty(drawn, from_svg((tmp_path / "a.svg").read_bytes()))
    assert float(match[1]) == pytest.approx(expected, abs=0.02)  # the file has whole hundredths of a pixel
    other = judge.certainty(drawn, [np.array([[0.1, 0.1], [0.9, 0.9]], dtype=np.float32)])
    assert other != expected


def test_a_discriminator_is_of_a_joint_run(joint_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--photo", str(photo(tmp_path, "png")), "--out", str(tmp_path / "a.svg")]
    assert main(["synthesize", *words, "--discriminator", str(joint_run / "checkpoints/last.ckpt")]) == 2
    assert "--discriminator: must be a checkpoint of a SemiSupervisedModule, got one of " in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()


def test_drawing_alone_loads_no_lightning() -> None:
    code = "import sys, crossx.cli.synthesize; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
