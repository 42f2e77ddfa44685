"""`crossx demo`: from nothing to a gallery that finds what is drawn, in one command."""

import json
from pathlib import Path

import pytest
from support.drawings import as_png, drawing
from support.photo_folders import folder_of

from crossx.cli import main
from crossx.cli.demo import SHIPPED


def test_a_demo_finds_umbrellas_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-page"]) == 0
    (tmp_path / "u.png").write_bytes(as_png(drawing("umbrella")))
    capfd.readouterr()
    assert main(["search", "--gallery", "crossx-demo/gallery", "--sketch", "u.png", "-k", "10", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)[0]["results"]
    assert all(Path(result["path"]).name.startswith("umbrella") for result in found)
    assert found[0]["verdict"] == "likely"

    assert main(["demo", "--no-page"]) == 0
    again = capfd.readouterr().out
    assert "crossx export" not in again
    assert "added: 0 photos; 240 files were known" in again

    other = str(folder_of(tmp_path / "photos", ["a.png"]))
    assert main(["demo", "--no-page", "--photos", other, "--teachers", *SHIPPED]) == 2
    assert "holds a demo of other photos or classifiers" in capfd.readouterr().err


def test_mistakes_are_said_before_anything_is_made(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photos = folder_of(tmp_path / "photos", ["a.png"])
    other = ["--output", str(tmp_path / "new")]
    for words, message in (
        (["--photos", str(photos), *other], "--photos, --teachers: must be given together"),
        (["--photos", str(tmp_path / "photo"), "--teachers", *SHIPPED, *other], "--photos"),
        (["--photos", str(photos), "--teachers", "a.yaml", "b.yaml", *other], "--teachers"),
        (["--output", str(photos)], "--output: must be a new folder or one of an earlier demo"),
        (["--no-pag", *other], "did you mean '--no-page'"),
    ):
        assert main(["demo", "--no-page", *words]) == 2
        said = capfd.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert not (tmp_path / "new").exists()
