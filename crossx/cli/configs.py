"""Finding shipped configs, and letting a checkpoint's own config stand below the user's."""

import tempfile
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import crossx
from crossx.core.errors import InputError
from crossx.core.untrusted import read_as_config, read_checkpoint, refuse_imports, texts


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


def checkpoints_named(words: Sequence[str]) -> list[str]:
    """Values of --ckpt_path on a command line, the last one counts."""
    return [value for _, _, value in _values(words, "--ckpt_path")]


@contextmanager
def with_checkpoint_config(words: Sequence[str]) -> Iterator[list[str]]:
    """Put the config that a checkpoint was made with before the user's own ones.

    The order is checkpoint < config < command line; Lightning's own would let the checkpoint win over both.

    Args:
        words: Command line, starting with the subcommand.

    Raises:
        InputError: When the checkpoint cannot be read, or names classes that are not loaded.
    """
    paths = checkpoints_named(words)
    asked = paths and paths[-1] not in ("null", "last", "best")
    config = checkpoint_config(Path(paths[-1]), named=_names(words)) if asked else {}
    if not config:
        yield list(words)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.yaml"
        path.write_text(yaml.safe_dump(config))
        yield [*words[:1], "--config", str(path), *words[1:]]


def checkpoint_config(path: Path, named: Set[str] = frozenset()) -> dict[str, Any]:
    """The config (model, data, teachers, seed, precision) that a checkpoint keeps; empty for one made from Python.

    Args:
        path: The checkpoint.
        named: Names that the user gives too: those are not the checkpoint's choice.

    Raises:
        InputError: When the file cannot be read as plain tensors and values, or names something that is not loaded.
    """
    stored = read_checkpoint(path, "--ckpt_path").get("crossx", {})
    stored = stored.get("config", {}) if isinstance(stored, dict) else None
    if not isinstance(stored, dict) or not _is_teachers(stored.get("teachers", {})):
        raise InputError(f"--ckpt_path: {path} holds no config of crossx that can be read")
    parts = ("model", "data", "teachers", "seed_everything", "trainer")
    config = {part: stored[part] for part in parts if part in stored}
    if not (isinstance(config.get("seed_everything", 0), int) and _is_precision(config.get("trainer"))):
        raise InputError(f"--ckpt_path: {path} holds no config of crossx that can be read")
    # The teachers are names of files and nothing else.
    refuse_imports([config.get("model"), config.get("data")], f"--ckpt_path: {path}", named)
    return config


def _is_precision(value: object) -> bool:
    """Whether a value is one of Lightning's precisions and nothing else of the trainer, or missing."""
    known = [f"{bits}-{kind}" for bits in ("16", "bf16", "32", "64") for kind in ("true", "mixed")]
    return value is None or value in [{"precision": name} for name in known]


def _is_teachers(value: object) -> bool:
    """Whether a value is two names of files and a mapping of class names, and can be nothing else."""
    if not isinstance(value, dict) or not value.keys() <= {"photo", "sketch", "aliases"}:
        return False
    aliases = value.get("aliases") or {}
    files = [value.get(side) for side in ("photo", "sketch")]
    texts = [*aliases, *aliases.values()] if isinstance(aliases, dict) else [None]
    return all(isinstance(t, str) for t in texts) and all(f is None or isinstance(f, str) for f in files)


def _names(words: Sequence[str]) -> set[str]:
    """All texts on a command line and in its configs."""
    configs = [read_as_config(value) for _, _, value in _values(words, "--config", "-c")]
    return {*texts(configs), *(part for word in words for part in word.split("=", 1))}
