"""Safe reading of checkpoints, which are files from strangers: no code, and no imports but of crossx's own parts."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from crossx.core.errors import InputError
from crossx.core.file_kinds import ForeignError
from crossx.core.paths import resolve
from crossx.core.version import __version__

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_DEEPEST = 50
_FILE_ENDINGS = (".ckpt", ".csv", ".json", ".pt", ".pth", ".safetensors", ".tsv", ".txt", ".yaml", ".yml")


def read_checkpoint(path: Path, field: str) -> dict[str, Any]:
    """Read a checkpoint as tensors and plain values, on the CPU.

    Args:
        path: The checkpoint.
        field: The config field, for the message.

    Returns:
        What Lightning has written, at least the weights of a module and the version of Lightning.

    Raises:
        InputError: When the file does not exist, is no checkpoint of Lightning, is of another version of crossx, or
            holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise InputError(f"{field}: {str(path)!r} is not a file")
    from crossx.core.torch_files import read_tensors  # late, because a mistake in a command line is found without torch

    where = f"{field}: {path}"
    try:
        content = read_tensors(path)
    except ForeignError as error:
        found = error.foreign
        raise InputError(f"{where}: {found.what}; {found.again or f'must be {_CHECKPOINT}'}") from None
    if isinstance(content, dict):
        check_version(content.get("crossx"), where)
        version = content.get(_VERSION)
        if isinstance(content.get("state_dict"), dict) and isinstance(version, str) and version[:1].isdigit():
            return content
    raise InputError(f"{where}: must be {_CHECKPOINT}, got {_described(content)}")


def check_resumable(checkpoint: Mapping[str, Any], where: str) -> None:
    """Refuse to resume a checkpoint that was saved without the state of the training.

    Args:
        checkpoint: Content of the checkpoint.
        where: The field and the file, for the message.

    Raises:
        InputError: When entries are missing.
    """
    if missing := [key for key in _OF_TRAINING if key not in checkpoint]:
        raise InputError(
            f"{where}: must hold the state of a training to be resumed, lacks {missing}; `crossx validate` measures it"
        )


_VERSION = "pytorch-lightning_version"
_OF_TRAINING = ("epoch", "global_step", "loops", "optimizer_states", "lr_schedulers")
_CHECKPOINT = "a checkpoint that crossx has written, such as checkpoints/last.ckpt in the folder of a run"


def _described(content: object) -> str:
    """What a file holds, and where it belongs if it holds a classifier."""
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    entries = f"a mapping with the entries {[str(key)[:40] for key in content][:4]}"
    return f"{entries}; a classifier is named under teachers, see docs/how-to/teachers.md"


def check_version(stored: object, where: str) -> None:
    """Refuse a checkpoint of an older crossx, whose configs and names of tensors are others.

    Args:
        stored: What crossx keeps in a checkpoint beside the weights.
        where: The field and the file, for the message.

    Raises:
        InputError: When the versions differ in their first two numbers.
    """
    version = stored.get("version") if isinstance(stored, dict) else None
    if isinstance(version, str) and version.split(".")[:2] != __version__.split(".")[:2]:
        raise InputError(
            f"{where} is a checkpoint of crossx {version[:20]}, and this is {__version__}: measure it with "
            f"crossx {version[:20]}, or train it again; CHANGELOG.md has the table of old and new names"
        )


def former_folders(checkpoint: Mapping[str, Any]) -> list[str]:
    """Folders in which the run of a checkpoint was started; none for a checkpoint that does not say."""
    stored = checkpoint.get("crossx")
    folders = stored.get("folders") if isinstance(stored, dict) else None
    return [folder for folder in folders if isinstance(folder, str)] if isinstance(folders, list) else []


def as_paths(config: Any, named: Set[str] = frozenset(), depth: int = 0) -> Any:  # noqa: ANN401 - whatever it holds
    """Write names of files so that no parser can take them for names of modules: `test.tsv` becomes `./test.tsv`.

    Python has a module `test`, and a parser that expects a class would import it for `test.tsv`. With `./` before it
    the text still names the file and nothing that can be imported, so a checkpoint that lies about files gains nothing.

    Args:
        config: Nested values of a checkpoint.
        named: Names that the user's own config gives too, which stay as they are.
        depth: Levels around the values; what is nested too deeply stays as it is, and `refuse_imports` refuses it.

    Returns:
        A copy, in which each value that looks like the name of a class, is none that is trusted, and is the name of an
        existing file or folder or has the ending of a file, is a path.
    """
    if depth > _DEEPEST:
        return config
    if isinstance(config, dict):
        return {key: as_paths(value, named, depth + 1) for key, value in config.items()}
    if isinstance(config, list | tuple):
        values = [as_paths(value, named, depth + 1) for value in config]
        return values if isinstance(config, list) else tuple(values)
    if isinstance(config, str) and _DOTTED.fullmatch(config) and config not in named and _is_file_name(config):
        return f"./{config}"
    return config


def _is_file_name(name: str) -> bool:
    return (name.endswith(_FILE_ENDINGS) or _exists(name)) and not _is_trusted(name)


def _exists(name: str) -> bool:
    try:
        return resolve(name, "").exists()
    except InputError:
        return False


def refuse_imports(config: object, where: str, named: Set[str] = frozenset()) -> None:
    """Refuse values of a checkpoint for which a parser would import a module that is not loaded.

    Args:
        config: Nested values of the checkpoint.
        where: The checkpoint, for the message.
        named: Names that the user's own config gives too, which are allowed.

    Raises:
        InputError: When classes or modules are not loaded; the message names them all.
    """
    dotted = (name for name in texts(config, where) if _DOTTED.fullmatch(name) and name not in named)
    if unknown := list(dict.fromkeys(name for name in dotted if not _is_trusted(name))):
        them = "it" if len(unknown) == 1 else "them"
        raise InputError(
            f"{where} names {', '.join(map(repr, unknown))}, which {'is' if them == 'it' else 'are'} not loaded; a "
            f"checkpoint cannot import anything. Give the config that names {them} with --config, or import {them} "
            "first"
        )


def texts(value: object, where: str = "--config", depth: int = 0) -> Iterator[str]:
    """All texts in nested values, including values that the parser would read from a text, or from a file it names.

    Args:
        value: Nested values.
        where: Field and file that they come from, for the message.
        depth: Levels around the value.

    Raises:
        InputError: When the values are nested too deeply, as where files name each other.
    """
    if depth > _DEEPEST:
        raise InputError(f"{where} is nested too deeply: must have at most {_DEEPEST} levels, got more")
    parts: list[object] = []
    if isinstance(value, str):
        yield value
        inner = read_as_config(value)
        parts = [] if inner == value else [inner]
    elif isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple):
        parts = list(value)
    for part in parts:
        yield from texts(part, where, depth + 1)


def read_as_config(text: str) -> object:
    """Value that jsonargparse reads from a text where it expects an object."""
    try:
        file = Path(text)
        return yaml.safe_load(file.read_text() if file.is_file() else text)
    except (OSError, ValueError, yaml.YAMLError):  # not text, not YAML, or no name that a file can have
        return None


_PACKAGES = ("augmentation", "baselines", "classification", "cotraining", "data", "encoding", "networks", "pairs")
_PARTS = tuple(f"crossx.{package}." for package in (*_PACKAGES, "reconstruction", "training"))
"""Packages whose classes a config may name. The command is not among them: importing it could run it."""


def _is_trusted(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    if module.startswith(_PARTS):  # our own: a checkpoint chooses among classes of crossx, and brings in no code
        with suppress(ImportError):
            importlib.import_module(module)
    loaded = getattr(sys.modules.get(module), attribute, None)
    if isinstance(loaded, type):
        return name.startswith("torch.optim.") or any(base.__module__.startswith("crossx.") for base in loaded.__mro__)
    # Not a class: harmless where it cannot be a module, such as the file `photo.safetensors`.
    package = name.partition(".")[0]
    return package not in sys.modules and importlib.util.find_spec(package) is None
