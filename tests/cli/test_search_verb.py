"""`crossx search`: drawings in every form find photos of what they show."""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.drawings import as_png, drawing
from support.served import Say

from crossx.search.asking.answers import answer
from crossx.search.asking.questions import Question
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import F32, Hit
from crossx.search.opening import remember_encoder
from crossx.search.predictor import Predictor
from crossx.strokes.svg import to_svg

pytest_plugins = ["support.serving"]


@pytest.fixture
def gallery(gallery_folder: Path, predictor: Predictor) -> str:
    with LocalGallery(gallery_folder, write=True) as opened:
        remember_encoder(opened, predictor.folder)
    return str(gallery_folder)


def test_a_photo_that_is_removed_after_it_was_found_is_left_out(
    gallery_folder: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalGallery(shutil.copytree(gallery_folder, tmp_path / "g"), write=True) as opened:
        question = Question("a photo", "photo", opened.photo(3).vector, b"", (), ())
        search = opened.search

        def search_and_lose(vectors: F32, k: int, under: str, exact: bool) -> list[list[Hit]]:
            hits = search(vectors, k, under=under, exact=exact)
            opened.remove([hits[0][0].id])
            return hits

        monkeypatch.setattr(opened, "search", search_and_lose)
        found = answer(question, opened, predictor.card, 3, "", None, exact=False).found
        assert len(found) == 2
        assert 3 not in [one.photo.id for one in found]


def svg() -> bytes:
    strokes = [np.array(stroke, np.float32).T / np.float32(256) for stroke in drawing("umbrella")]
    return to_svg(strokes).encode()


def inverted() -> bytes:
    buffer = io.BytesIO()
    ImageOps.invert(Image.open(io.BytesIO(as_png(drawing("umbrella"))))).save(buffer, "JPEG")
    return buffer.getvalue()


def asked(say: Say, *words: str) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = json.loads(say(["search", *words, "--json"]))
    return answers


def shapes(answer: dict[str, Any]) -> list[str]:
    return [Path(result["path"]).name.rpartition("-")[0] for result in answer["results"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("u.png", as_png(drawing("umbrella"))),
        ("inverted.jpg", inverted()),
        ("u.svg", svg()),
        ("u.json", json.dumps({"strokes": drawing("umbrella")}).encode()),
        ("named like a picture.png", json.dumps({"drawing": drawing("umbrella")}).encode()),
    ],
)
def test_drawn_umbrellas_of_every_form_find_umbrellas(
    gallery: str, say: Say, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    answer = asked(say, "--gallery", gallery, "--sketch", str(tmp_path / name), "-k", "5")[0]
    assert shapes(answer) == ["umbrella"] * 5
    assert answer["guesses"][0]["class"] == "umbrella"
    assert answer["results"][0]["verdict"] == "likely"
    assert Image.open(io.BytesIO(base64.b64decode(answer["seen"].partition(",")[2]))).width >= 128
    assert answer["warnings"] == (["inverted"] if "inverted" in name else [])


def test_the_lines_of_a_file_are_several_questions(gallery: str, say: Say, tmp_path: Path) -> None:
    lines = [json.dumps({"word": name, "drawing": drawing(name)}) for name in ("fish", "tree")]
    (tmp_path / "two.ndjson").write_text("\n".join(lines) + "\n")
    answers = asked(say, "--gallery", gallery, "--sketch", str(tmp_path / "two.ndjson"), "-k", "1")
    assert [shapes(answer) for answer in answers] == [["fish"], ["tree"]]


def test_photos_find_photos_like_them(gallery: str, say: Say, photos: Path) -> None:
    answer = asked(say, "--gallery", gallery, "--photo", str(photos / "fish-0002.jpg"), "-k", "5")[0]
    assert shapes(answer).count("fish") >= 4
    assert answer["kind"] == "photo"


def test_hits_are_filtered_by_folder_and_score(gallery: str, say: Say, tmp_path: Path) -> None:
    (tmp_path / "u.png").write_bytes(as_png(drawing("umbrella")))
    words = ("--gallery", gallery, "--sketch", str(tmp_path / "u.png"))
    odd = asked(say, *words, "--under", "odd")[0]["results"]
    assert odd
    assert all("/odd/" in result["path"] for result in odd)
    whole = asked(say, *words)[0]["results"]
    least = whole[3]["score"]
    assert len(asked(say, *words, "--min-score", str(least - 1e-5))[0]["results"]) == 4


def test_table_page_and_picture_say_the_same(gallery: str, say: Say, tmp_path: Path) -> None:
    (tmp_path / "u.png").write_bytes(as_png(drawing("umbrella")))
    files = ["--html", str(tmp_path / "o.html"), "--show-query", str(tmp_path / "q.png")]
    table = say(["search", "--gallery", gallery, "--sketch", str(tmp_path / "u.png"), "-k", "3", *files])
    names = [line.split()[-1] for line in table.splitlines() if "likely" in line]
    assert "looks like umbrella" in table
    assert "every photo was compared" in table
    text = (tmp_path / "o.html").read_text()
    assert len(names) == 3
    assert all(name in text for name in names)
    assert text.count("data:image/jpeg") == 3
    assert "http" not in text
    assert np.asarray(Image.open(tmp_path / "q.png")).min() < 128


def test_copies_are_one_hit(gallery: str, say: Say, photos: Path) -> None:
    answer = asked(say, "--gallery", gallery, "--photo", str(photos / "cup-0000.jpg"), "-k", "100")[0]
    assert [len(result["copies"]) for result in answer["results"] if result["copies"]] == [1]
    assert len(answer["results"]) == 80


def test_mistakes_are_one_line(gallery: str, refused: Say, tmp_path: Path, photos: Path) -> None:
    good = tmp_path / "u.png"
    good.write_bytes(as_png(drawing("umbrella")))
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("RGB", (50, 50), "white").save(tmp_path / "blank.png")
    (tmp_path / "nan.json").write_text('{"strokes": [[[NaN], [1]]]}')
    (tmp_path / "evil.svg").write_text('<!DOCTYPE s [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg>&e;</svg>')
    base = ["search", "--gallery", gallery]
    for more, message in (
        ([], "--sketch, --photo: must name at least one file"),
        (["--sketch", str(tmp_path / "u.pn")], "did you mean"),
        (["--sketch", str(tmp_path / "empty.png")], "empty.png: picture: must be a PNG"),
        (["--sketch", str(tmp_path / "blank.png")], "blank.png"),
        (["--sketch", str(tmp_path / "nan.json")], "must be finite numbers"),
        (["--sketch", str(tmp_path / "evil.svg")], "evil.svg"),
        (["--photo", str(tmp_path / "evil.svg")], "--photo: "),
        (["--sketch", str(good), "-k", "0"], "-k: must be in [1, 10000]"),
        (["--sketch", str(good), "--min-score", "2"], "--min-score: must be in [-1, 1]"),
        (["--sketch", str(good), "--html", "out.pdf"], "--html: must be named *.html"),
        (["--sketch", str(good), "--encoder", str(photos)], "encoder: must be a folder that `crossx export`"),
        (["--sketch", str(good), str(good), "--show-query", str(tmp_path / "a.png")], "--show-query"),
        (["--scetch", str(good)], "did you mean '--sketch'"),
    ):
        assert message in refused([*base, *more])
    message = refused(["search", "--gallery", str(photos), "--sketch", str(good)])
    assert "gallery" in message


def test_a_gallery_whose_encoder_has_moved_says_so(gallery_folder: Path, refused: Say, tmp_path: Path) -> None:
    (tmp_path / "u.png").write_bytes(as_png(drawing("umbrella")))
    with LocalGallery(gallery_folder, write=True) as opened:
        opened.set_setting("encoder_folder", "/nowhere/encoder")
    message = refused(["search", "--gallery", str(gallery_folder), "--sketch", str(tmp_path / "u.png")])
    assert "it is not in /nowhere/encoder any more" in message
