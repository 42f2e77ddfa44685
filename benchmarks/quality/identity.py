"""Digests of everything that a figure depends on: equal digests mean that a run need not be repeated."""

import ast
import gc
import hashlib
import io
import json
import tokenize
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import crossx
from benchmarks.quality.configs import data_of, resolved_config
from crossx.core.errors import InputError
from crossx.core.paths import resolve

PACKAGE = Path(crossx.__file__).parent
DRAWINGS = ("reports/pictures", "reports/wandb.py")
"""Parts of the package that no figure depends on: they draw and send what a run has computed."""
_PLACES = ("trainer.logger", "trainer.default_root_dir", "ckpt_path", "model.init_args.output")
"""Fields that state where something is put."""
_SPEED = ("data.init_args.workers", "trainer.enable_progress_bar", "trainer.enable_model_summary")
"""Fields that change no figure."""
_FILES = (".safetensors", ".json", ".tsv", ".yaml")
"""Endings of the files that a config names; they count by their content."""


def digest(content: object) -> str:
    """SHA-256 (hex) of a JSON value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file.

    Raises:
        InputError: When the file is missing.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: delete what was made from it, and run the command again")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def code_digest(package: Path = PACKAGE) -> str:
    """SHA-256 (hex) of the package's code; comments, docstrings and blank lines do not count.

    All modules count, and not only those that one row uses: the command line imports them all, and a list of the
    modules that a row's classes reach would be wrong in silence when one is forgotten.

    Args:
        package: Folder of the package.
    """
    left_out = [package / name for name in DRAWINGS]
    files = [p for p in sorted(package.rglob("*.py")) if not any(p.is_relative_to(part) for part in left_out)]
    return digest([[str(path.relative_to(package)), code_of(path.read_text(encoding="utf-8"))] for path in files])


@cache
def code_of(source: str) -> str:
    """Source text without comments, docstrings and blank lines, independent of the version of Python.

    A text is read once: the code is compared before and after each run.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _tree(source: str) -> ast.Module:
    """Syntax tree of a source text, while the garbage collector rests.

    Python 3.11 counts the depth of trees in one place: a collection amid a tree whose finalizers parse, or let another
    thread parse, ends in `SystemError: AST constructor recursion depth mismatch` (gh-106905).
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collecting:
            gc.enable()


known_code_digest = cache(code_digest)
"""The code digest when it was first asked for: of the code that this process runs."""


@cache
def run_digest(argv: tuple[str, ...], *, with_code: bool) -> str:
    """Digest of the config that a command line resolves to, of the gallery and of the code; kept, as it takes a second.

    Args:
        argv: Command line, starting with the subcommand.
        with_code: Whether the code counts.

    Raises:
        InputError: For a user's mistake.
    """
    return digest([config_digest(resolved_config(argv)), known_code_digest() if with_code else None])


def config_digest(config: Mapping[str, Any]) -> str:
    """Digest of a resolved config and of the gallery; fields that state places or change only the speed do not count.

    The gallery counts by the data set's `split_hash` (which images are in which part, and of which class) and by the
    config of its readers; the code that decodes images is in `code_digest`.

    Args:
        config: The resolved config.
    """
    data = data_of(config)
    return digest({"config": _contents(config), "gallery": None if data is None else data.split_hash})


def check_unchanged(argv: tuple[str, ...], *, with_code: bool) -> None:
    """Make sure that the config, and the code where it counts, are those from before a run.

    Args:
        argv: As in `run_digest`.
        with_code: As in `run_digest`.

    Raises:
        InputError: When a file of either has been changed meanwhile.
    """
    now = digest([config_digest(resolved_config(argv)), code_digest() if with_code else None])
    if now != run_digest(argv, with_code=with_code):
        raise InputError("a config or the code has been changed during a run that uses it; run the command again")


def _contents(value: Any, place: str = "") -> Any:  # noqa: ANN401 - any config value
    if isinstance(value, Mapping):
        parts = {key: (f"{place}.{key}" if place else key, part) for key, part in value.items()}
        return {key: _contents(part, at) for key, (at, part) in parts.items() if at not in (*_PLACES, *_SPEED)}
    if isinstance(value, list):
        return [_contents(part, place) for part in value]
    if isinstance(value, str) and value.endswith(_FILES):
        return file_digest(resolve(value, place))
    if isinstance(value, str) and place.endswith(".root") and PurePath(value).is_absolute():
        return PurePath(value).name  # the same folder below another data root
    return value
