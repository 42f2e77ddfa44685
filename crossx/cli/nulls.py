"""Options that set a value to null: the parser gives the parts of a model the text `None` in place of nothing."""

from collections.abc import Iterator, Sequence
from typing import Any


def set_nulls(config: dict[str, Any], options: Sequence[str]) -> list[str]:
    """Set to null in a config what `--model.PLACE null` and `--data.PLACE null` name; the last option of a name counts.

    Args:
        config: The merged config, which is changed.
        options: Words of the command line behind the verb.

    Returns:
        The words that are left for the parser.
    """
    kept: list[tuple[str, list[str]]] = []
    for name, words in _grouped(options):
        value = words[0].partition("=")[2] if "=" in words[0] else " ".join(words[1:])
        if value == "null" and name.startswith(("--model.", "--data.")) and _set_null(config, name[2:].split(".")):
            kept = [(other, group) for other, group in kept if other != name]
        else:
            kept.append((name, words))
    return [word for _, words in kept for word in words]


def _grouped(options: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option with the words behind it."""
    group: list[str] = []
    for word in options:
        if word.startswith("--") and group:
            yield group[0].partition("=")[0], group
            group = []
        group.append(word)
    if group:
        yield group[0].partition("=")[0], group


def _set_null(config: dict[str, Any], place: Sequence[str]) -> bool:
    """Set a value that the config has classes for; returns whether there is such a place."""
    *way, last = [key for key in place if key != "init_args"]
    node: Any = config
    for key in way:
        node = _arguments(node).get(key)
        if not isinstance(node, dict):
            return False
    arguments = _arguments(node)
    if way and way[-1] == "terms" and last in arguments:
        del arguments[last]  # as in a config, where a term that is null goes
    else:
        arguments[last] = None
    return True


def _arguments(node: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a part of a config, which stand beside its class or directly in it."""
    if "class_path" not in node:
        return node
    arguments = node.setdefault("init_args", {})
    return arguments if isinstance(arguments, dict) else {}
