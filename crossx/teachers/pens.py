"""Writing a pen onto the card of a teacher."""

import re
from dataclasses import replace
from pathlib import Path

import yaml
from safetensors.torch import load_file

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.tensor_files import write_safetensors, write_text
from crossx.core.text_files import read_text
from crossx.data.pen import Pen
from crossx.networks.timm_network import TIMM_PREFIX
from crossx.teachers.files import CARD_KEY, open_teacher


def write_pen(spec: str, pen: Pen, field: str = "teacher") -> Path:
    """Write a pen onto a teacher's card, in place of the pen that it has; all else stays as it is.

    Args:
        spec: The teacher: a `.safetensors` file with a card in its header, or a `.yaml` card.
        pen: The pen; one that changes nothing takes the card's pen away.
        field: The config field, for messages.

    Returns:
        The file that was written.

    Raises:
        InputError: When the teacher has no file of its own, cannot be read, or is not of sketches.
    """
    if spec.startswith(TIMM_PREFIX):
        raise InputError(f"{field}: must be a file with a card, onto which the pen can be written, got {spec!r}")
    path, card = resolve(spec, field), open_teacher(spec, field).card
    card = replace(card, pen=pen if pen.redraws else None)
    if path.suffix == ".safetensors":
        write_safetensors(path, load_file(path), {CARD_KEY: card.to_json()})
    else:
        write_text(path, _with_pen(read_text(path), pen))
        open_teacher(spec, field)
    return path


def _with_pen(text: str, pen: Pen) -> str:
    """The text of a YAML card with another pen; comments stay."""
    text = re.sub(r"^pen:.*\n?(?:[ \t]+.*\n?)*", "", text, flags=re.MULTILINE)
    if not pen.redraws:
        return text
    line = yaml.safe_dump({"pen": pen.to_mapping()}, default_flow_style=None, sort_keys=False)
    return f"{text.rstrip()}\n{line}"
