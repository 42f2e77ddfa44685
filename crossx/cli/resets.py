"""Options that set a value to null or empty it, as a config would.

The parser gives the parts of a model the text `None` in place of null, and an empty mapping changes nothing for it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

_RESETS: dict[str, dict[str, Any] | None] = {"null": None, "{}": {}}


def take_resets(config: dict[str, Any], options: Sequence[str]) -> list[str]:
    """Set in a config what `--model.PLACE` or `--data.PLACE` set to `null` or `{}`; the last option of a name counts.

    Args:
        config: The merged config, which is changed.
        options: Words of the command line behind the verb.

    Returns:
        The words that are left for the parser.
    """
    kept: list[tuple[str, list[str]]] = []
    for name, words in _grouped(options):
        text = words[0].partition("=")[2] if "=" in words[0] else " ".join(words[1:])
        is_part = name.startswith(("--model.", "--data."))
        if is_part and text in _RESETS and _set(config, name[2:].split("."), _RESETS[text]):
            kept = [(other, group) for other, group in kept if not f"{other}.".startswith(f"{name}.")]
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


def _set(config: dict[str, Any], place: Sequence[str], value: dict[str, Any] | None) -> bool:
    """Set a value that the config has classes for; returns whether there is such a place."""
    *way, last = [key for key in place if key != "init_args"]
    node: Any = config
    for key in way:
        node = _arguments(node).get(key)
        if not isinstance(node, dict):
            return False
    arguments = _arguments(node)
    below = arguments.get(last)
    if value is None and way and way[-1] == "terms" and last in arguments:
        del arguments[last]  # as in a config, where a term that is null goes
    elif value is not None and isinstance(below, dict) and "class_path" in below:
        return False  # changes no argument of a part
    else:
        arguments[last] = value
    return True


def _arguments(node: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a part of a config, which stand beside its class or directly in it."""
    if "class_path" not in node:
        return node
    arguments = node.setdefault("init_args", {})
    return arguments if isinstance(arguments, dict) else {}
