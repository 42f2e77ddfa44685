"""What figures depend on, as a hash: equal hashes mean that a run need not be made again."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from benchmarks.quality.resolve import ONE_AT_A_TIME, resolved_config
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.version import __version__

_PLACES = ("trainer.logger", "trainer.default_root_dir", "ckpt_path", "model.init_args.output")
"""Fields that say where something is put, and not what it is."""
_SPEED = ("data.init_args.workers", "trainer.enable_progress_bar", "trainer.enable_model_summary")
"""Fields that change no figure."""
_FILES = (".safetensors", ".json", ".tsv", ".yaml")
"""Endings of the files that a config names: what counts is what is in them."""


def digest(content: object) -> str:
    """SHA-256 (hex) of a JSON value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file.

    Raises:
        InputError: When there is none.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: delete what was made from it, and run the command again")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def config_digest(config: Mapping[str, Any]) -> str:
    """Hash of a resolved config and of the package's version.

    Left out is where things are put and what only changes the speed. Files count by their content.

    Args:
        config: The resolved config.
    """
    return digest({"config": _contents(config), "version": __version__})


@cache
def words_digest(words: tuple[str, ...]) -> str:
    """Hash of the config that a command line resolves to; kept, because reading one takes a second.

    Raises:
        InputError: For a user's mistake.
    """
    with ONE_AT_A_TIME:  # its files are found from the working directory, too
        return config_digest(resolved_config(words))


def check_unchanged(words: tuple[str, ...]) -> None:
    """Make sure that a command line still resolves to the config that it had before it ran.

    Raises:
        InputError: When one of its files has been changed.
    """
    if words_digest.__wrapped__(words) != words_digest(words):
        raise InputError("a config has been changed while a run with it was under way; run the command again")


def _contents(value: Any, place: str = "") -> Any:  # noqa: ANN401 - any config value
    if isinstance(value, Mapping):
        parts = {key: (f"{place}.{key}" if place else key, part) for key, part in value.items()}
        return {key: _contents(part, at) for key, (at, part) in parts.items() if at not in (*_PLACES, *_SPEED)}
    if isinstance(value, list):
        return [_contents(part, place) for part in value]
    if isinstance(value, str) and value.endswith(_FILES):
        return file_digest(resolve(value, place))
    if isinstance(value, str) and place.endswith(".root") and PurePath(value).is_absolute():
        return PurePath(value).name  # as the data root's folders are called, wherever that is
    return value
