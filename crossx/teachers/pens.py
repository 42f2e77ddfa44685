"""Writing a pen onto the card of a teacher."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.core.paths import package_file, resolve
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.core.yaml_files import parse_yaml
from crossx.networks.timm_network import TIMM_PREFIX
from crossx.pixels.pen import Pen
from crossx.teachers.files import CARD_KEY, open_teacher


def own_file(spec: str, field: str = "teacher") -> Path:
    """The file of a teacher, onto whose card a pen can be written.

    Args:
        spec: The teacher.
        field: The config field, for messages.

    Raises:
        InputError: When the teacher has no file, or only one of the installed package.
    """
    if spec.startswith(TIMM_PREFIX):
        raise InputError(f"{field}: must be a file with a card, onto which the pen can be written, got {spec!r}")
    path = resolve(spec, field)
    if path.resolve().is_relative_to(package_file("").resolve()):
        raise InputError(f"{field}: must be a file of yours, and none of the installed package, got {spec!r}")
    return path


def write_pen(spec: str, pen: Pen, field: str = "teacher") -> Path:
    """Write a pen onto a teacher's card, in place of the pen that it has; all else stays as it is.

    Args:
        spec: The teacher: a `.safetensors` file with a card in its header, or a `.yaml` card.
        pen: The pen; one that changes nothing takes the card's pen away.
        field: The config field, for messages.

    Returns:
        The file that was written.

    Raises:
        InputError: When the teacher has no file of its own, cannot be read, or is not of sketches, or when the text of
            its card is none into which a pen can be put; the file is then as before.
    """
    path, card = own_file(spec, field), open_teacher(spec, field).card
    card = replace(card, pen=pen if pen.redraws else None)
    if path.suffix == ".safetensors":
        tensors, metadata = read_safetensors(path, field)
        write_safetensors(path, tensors, {**metadata, CARD_KEY: card.to_json()})
    else:
        write_text(path, _with_pen(path.read_bytes().decode("utf-8-sig"), pen, path))
    return path


def _with_pen(text: str, pen: Pen, path: Path) -> str:
    """The text of a YAML card with another pen; comments and all other fields stay.

    Raises:
        InputError: When the new text would not be the card with that pen and nothing else changed.
    """
    before = parse_yaml(text, str(path))
    value = Pen.plain(pen)
    if not isinstance(before, dict) or before.get("pen") == value:
        return text
    new = _edited(text, yaml.compose(text), value)
    try:
        right = parse_yaml(new, str(path)) == {**before, "pen": value}
    except InputError:
        right = False
    if not right:
        line = f"pen: {_flow(value)}"
        raise InputError(f"{path}: the pen cannot be written into the text of this card; write it there: {line}")
    return new


def _edited(text: str, card: Any, value: dict[str, Any] | None) -> str:  # noqa: ANN401 - a node of YAML
    """A text with another value of `pen`, or with `pen` before all other fields."""
    flow = card.flow_style
    for key, old in card.value:
        if key.value == "pen":
            return f"{text[: key.end_mark.index]}: {_flow(value, flow)}{text[_end(old) :]}"
    start = card.start_mark.index
    if flow:
        return f'{text[: start + 1]}"pen": {_flow(value, flow)}, {text[start + 1 :]}'
    return f"{text[:start]}pen: {_flow(value)}\n{' ' * card.start_mark.column}{text[start:]}"


def _end(node: Any) -> int:  # noqa: ANN401 - as above
    """Where a value ends; a block ends with its last line of content, before comments and blank lines."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)


def _flow(value: dict[str, Any] | None, as_json: bool = False) -> str:
    """A value of `pen` in one line."""
    if value is None or as_json:
        return json.dumps(value)
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1 << 20).strip()
