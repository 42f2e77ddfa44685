"""Finding shipped configs, and letting a checkpoint's own config stand below the user's."""

import importlib.util
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml

import crossx
from crossx.errors import InputError

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_TRUSTED_PACKAGES = ("crossx.", "torch.optim.")


def shipped_configs() -> Path:
    """Folder of the shipped configs: inside an installed wheel, beside the package in a checkout."""
    package = Path(crossx.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def find_config(name: str) -> str:
    """A config that is no file of the user's is looked up among the shipped ones.

    Raises:
        InputError: When it is neither, with the shipped names.
    """
    if Path(name).is_file():
        return name
    folder = shipped_configs()
    for candidate in (folder / name, folder / f"{name}.yaml"):
        if candidate.is_file():
            return str(candidate)
    known = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.yaml"))
    raise InputError(f"--config: {name!r} is neither a file nor a shipped config; shipped are {', '.join(known)}")


def _values(words: Sequence[str], *options: str) -> Iterator[tuple[int, int, str]]:
    """Each use of an option: (place of its first word, number of words, value)."""
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in options and equals:
            yield i, 1, value
        elif word in options and i + 1 < len(words):
            yield i, 2, words[i + 1]


def with_shipped_configs(words: Sequence[str]) -> list[str]:
    """Replace the names of shipped configs by their paths."""
    words = list(words)
    for place, count, name in list(_values(words, "--config", "-c")):
        found = find_config(name)
        words[place : place + count] = [f"--config={found}"] if count == 1 else ["--config", found]
    return words


@contextmanager
def with_checkpoint_config(words: Sequence[str]) -> Iterator[list[str]]:
    """Put the config that a checkpoint was made with before the user's own ones.

    The order is checkpoint < config < command line; Lightning's own would let the checkpoint win over both.

    Args:
        words: Command line, starting with the subcommand.

    Raises:
        InputError: When the checkpoint cannot be read, or names classes that are not loaded.
    """
    paths = [value for _, _, value in _values(words, "--ckpt_path")]
    config = checkpoint_config(Path(paths[-1])) if paths and paths[-1] not in ("null", "last", "best") else {}
    if not config:
        yield list(words)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.yaml"
        path.write_text(yaml.safe_dump(config))
        yield [*words[:1], "--config", str(path), *words[1:]]


def checkpoint_config(path: Path) -> dict[str, Any]:
    """The config (model, data, teachers) that a checkpoint keeps; empty for one that was trained from Python.

    Raises:
        InputError: When the file cannot be read as plain tensors and values, or names something that is not loaded.
    """
    if not path.is_file():
        raise InputError(f"--ckpt_path: {str(path)!r} is not a file")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile or damaged file can fail in any way inside the unpickler
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"--ckpt_path: {path} is not a checkpoint that can be read safely ({reason})") from error
    config = checkpoint.get("crossx", {}).get("config", {}) if isinstance(checkpoint, dict) else {}
    _check_names(config, path)
    return dict(config)


def _check_names(value: object, path: Path) -> None:
    """Refuse a config that would import something: a checkpoint is data, not code.

    Raises:
        InputError: Naming what is not loaded.
    """
    if isinstance(value, dict):
        for part in value.values():
            _check_names(part, path)
    elif isinstance(value, list):
        for part in value:
            _check_names(part, path)
    elif isinstance(value, str) and _DOTTED.fullmatch(value) and not _is_trusted(value):
        raise InputError(
            f"--ckpt_path: {path} names {value!r}, which is not loaded; a checkpoint cannot import anything. Give the "
            "config that names it with --config, or import it first"
        )


def _is_trusted(name: str) -> bool:
    if name.startswith(_TRUSTED_PACKAGES):
        module, _, attribute = name.rpartition(".")
        return isinstance(getattr(sys.modules.get(module), attribute, None), type)
    module, _, attribute = name.rpartition(".")
    loaded = getattr(sys.modules.get(module), attribute, None)
    if isinstance(loaded, type):
        return any(base.__module__.startswith("crossx.") for base in loaded.__mro__)
    # Not a class: harmless if it can name nothing, such as the file `photo.safetensors`.
    return importlib.util.find_spec(name.partition(".")[0]) is None
