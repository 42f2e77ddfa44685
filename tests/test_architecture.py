"""The map in docs/architecture.md is the tree, and the layers are checked."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = {"__init__.py", "__main__.py", "types.py", "py.typed"}


def _map() -> list[str]:
    page = (ROOT / "docs/architecture.md").read_text()
    block = page[page.index("crossx/\n  cli/") :]
    return re.findall(r"^  (\w+)(?:/|\.py) ", block[: block.index("```")], flags=re.MULTILINE)


def test_map_names_every_package_and_nothing_else() -> None:
    folders = {path.name for path in (ROOT / "crossx").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(_map()) == (folders - {"assets", "configs"}) | {"types"}


def test_root_of_the_package_holds_no_loose_files() -> None:
    assert {path.name for path in (ROOT / "crossx").iterdir() if path.is_file()} == FILES


def test_map_is_in_the_order_of_the_layers() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [re.findall(r"\w+", layer) for layer in settings["contracts"][0]["layers"]]
    level = {name: i for i, names in enumerate(layers) for name in names}
    assert set(level) == set(_map())
    levels = [level[name] for name in _map()]
    assert levels == sorted(levels)


def test_no_file_is_long_without_a_reason() -> None:
    for path in (path for folder in ("crossx", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")):
        lines = path.read_text().splitlines()
        assert len(lines) <= 300 or any("300 lines" in line for line in lines[:10]), f"{path}: {len(lines)} lines"
