"""YAML files that users write, and YAML's errors in one line with the place."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.representer import RepresenterError

from crossx.core.errors import InputError
from crossx.core.text_files import read_text

_FAST_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FAST_DUMPER: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Of libyaml, where PyYAML has it: six times as fast.

What is written and read is the same, but that libyaml takes a tab behind a colon, writes characters beyond the first
65,536 as escapes, and refuses surrogates, which names of files have for bytes that are no UTF-8.
"""


class _Keys(yaml.constructor.SafeConstructor):
    """Mappings in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


class _Loader(_Keys, yaml.SafeLoader):
    """YAML in which `1e-3` is a number, and a key stands once."""


class _FastLoader(_Keys, _FAST_LOADER):  # type: ignore[misc,valid-type]  # the type is known at run time
    """The same by libyaml, whose messages are others."""


for _loader in (_Loader, _FastLoader):
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+"), list("-+0123456789")
    )


def read_yaml(path: Path, name: str) -> object:
    """Read a YAML file as plain values.

    Args:
        path: The file.
        name: How messages call it.

    Raises:
        InputError: When the file is no text or no YAML, with line and column.
    """
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not a text file") from error
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> object:
    """As `read_yaml` for a text that is read already."""
    try:
        return _parsed(text)
    except yaml.YAMLError as error:
        marked = error if isinstance(error, yaml.MarkedYAMLError) else yaml.MarkedYAMLError(problem=_line(error))
        mark = marked.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        context = f"{marked.context}: " if marked.context else ""
        raise InputError(
            f"{name}: {place}: not YAML: {context}{marked.problem}; check indentation and brackets"
        ) from error
    except (ValueError, RecursionError) as error:  # such as a date of month 13; brackets in brackets without end
        raise InputError(f"{name}: not YAML: {_line(error)}") from error


def _parsed(text: str) -> object:
    try:
        return yaml.load(text, _FastLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return yaml.load(text, _Loader)  # noqa: S506 - for its message, which is the same on all machines


def plain_yaml(text: str) -> Any:  # noqa: ANN401 - any value
    """Read YAML as PyYAML does, without the rules for users' files: what crossx has written, or a word's value.

    Raises:
        yaml.YAMLError: When it is something else.
    """
    try:
        return yaml.load(text, _FAST_LOADER)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeEncodeError):  # a surrogate, or a mistake, whose message is PyYAML's
        return yaml.safe_load(text)


def dump_yaml(value: object, **style: Any) -> str:  # noqa: ANN401 - PyYAML's arguments
    """Write plain values as YAML, keys in their order.

    Args:
        value: The values.
        style: Arguments of `yaml.dump`, such as `width`.
    """
    style = {"sort_keys": False, **style}
    text: str
    try:
        text = yaml.dump(value, Dumper=_FAST_DUMPER, **style)
    except (UnicodeEncodeError, RepresenterError):  # a surrogate, or a class that only PyYAML's own dumper knows
        text = yaml.safe_dump(value, **style)
    return text


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).partition(' in "<')[0]
