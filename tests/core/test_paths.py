import re
from pathlib import Path

import pytest

import crossx
from crossx.core.errors import InputError
from crossx.core.paths import looked_up_in_former, package_file, resolve, starting_folders


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and no data root."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("CROSSX_DATA", raising=False)
    return tmp_path / "here"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/sketchy").mkdir(parents=True)
    (tmp_path / "root/a.txt").write_text("of the root")
    return tmp_path / "root"


def test_file_of_the_package() -> None:
    found = resolve("crossx:types.py", "field")
    assert found == package_file("types.py")
    assert found.samefile(Path(crossx.__file__).parent / "types.py")


def test_package_is_not_shadowed(here: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSX_DATA", str(root))
    for folder in (here, root):
        (folder / "crossx:types.py").touch()
        (folder / "nothing.txt").touch()
    assert resolve("crossx:types.py", "field").parent == Path(crossx.__file__).parent
    with pytest.raises(InputError, match=r"^field: 'crossx:nothing\.txt' does not exist \(tried [^,]*nothing\.txt\)$"):
        resolve("crossx:nothing.txt", "field")


def test_relative_path_is_looked_up_here_first(here: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSX_DATA", str(root))
    assert resolve("a.txt", "field") == root / "a.txt"
    assert resolve(Path("sketchy"), "field") == root / "sketchy"
    (here / "a.txt").touch()
    assert resolve("a.txt", "field") == Path("a.txt")
    with pytest.raises(InputError, match=r"'b\.txt' does not exist"):
        resolve("b.txt", "field")


def test_absolute_path_is_itself(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSX_DATA", "/nowhere")
    assert resolve(root / "a.txt", "field") == root / "a.txt"
    missing = str(root / "b.txt")
    with pytest.raises(
        InputError,
        match=rf"^field: '{re.escape(missing)}' does not exist \(tried {re.escape(missing)}\) "
        r"\(did you mean 'a\.txt'\?\)$",
    ):
        resolve(missing, "field")


def test_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(InputError, match=r"^data\.root: must be the name of a file or folder, got an empty text"):
        resolve("", "data.root")


def test_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    assert resolve("~/a.txt", "field") == root / "a.txt"


def test_message_names_every_place(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as error:
        resolve("b.txt", "data.root")
    assert str(error.value) == "data.root: 'b.txt' does not exist (tried b.txt; CROSSX_DATA is not set)"
    monkeypatch.setenv("CROSSX_DATA", str(root))
    with pytest.raises(InputError) as error:
        resolve("b.txt", "data.root")
    near = " (did you mean 'a.txt'?)"
    assert str(error.value) == f"data.root: 'b.txt' does not exist (tried b.txt, {root / 'b.txt'})" + near


def test_folders_of_earlier_runs_come_last(here: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with looked_up_in_former([str(root), "/nowhere"]):
        assert resolve("a.txt", "field") == root / "a.txt"
        assert starting_folders() == [str(here), str(root), "/nowhere"]
        with pytest.raises(InputError, match=rf"does not exist \(tried b.txt, {root}/b.txt, /nowhere/b.txt;"):
            resolve("b.txt", "field")
        (here / "a.txt").touch()
        assert resolve("a.txt", "field") == Path("a.txt")
        (root / "c.txt").touch()
        monkeypatch.setenv("CROSSX_DATA", str(root / "sketchy"))
        (root / "sketchy/c.txt").touch()
        assert resolve("c.txt", "field") == root / "sketchy/c.txt"
    assert starting_folders() == [str(here)]
    (root / "sketchy/c.txt").unlink()
    with pytest.raises(InputError, match=r"'c\.txt' does not exist"):
        resolve("c.txt", "field")
