"""Pens on cards that people have written in their own ways."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from crossx.core.errors import InputError
from crossx.core.paths import package_file
from crossx.networks.build import build_network
from crossx.pixels.pen import Pen
from crossx.teachers.pens import write_pen
from crossx.teachers.teacher import load_teacher, read_card

PEN = Pen(margin=0.1, line_width=0.05, darkness=0.7, white_on_black=True)
FIELDS: dict[str, Any] = {
    "modality": "sketch",
    "network": "SmallResNet",
    "arguments": {"widths": [8]},
    "classes": ["a: b", "# c"],
    "input_size": 8,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "weights": "w.pt",
}
BLOCK = yaml.safe_dump(FIELDS, sort_keys=False)
FIRST, _, REST = BLOCK.partition("\n")


def indented(text: str, by: str) -> str:
    return "".join(by + line for line in text.splitlines(keepends=True))


CARDS = {
    "no pen": "# mine\n" + BLOCK,
    "no line end": BLOCK.rstrip(),
    "one line": f"{BLOCK}pen: {{margin: 0.2}}\n",
    "null": f"{FIRST}\npen: null # none yet\n{REST}",
    "nothing": f"{FIRST}\npen:\n{REST}",
    "block": f"{FIRST}\npen:\n  margin: 0.2 # wide\n  darkness: 0.5\n# mine\n{REST}",
    "blank line inside": f"{FIRST}\npen:\n  margin: 0.2\n\n  darkness: 0.5\n\n# mine\n{REST}",
    "comment inside": f"{FIRST}\npen:\n  margin: 0.2\n# at the left\n  darkness: 0.5\n{REST}",
    "comment first": f"{FIRST}\npen: # drawn\n# at the left\n\n  margin: 0.2\n{REST}",
    "block at the end": f"{BLOCK}pen:\n  margin: 0.2\n\n# mine",
    "flow over lines": f"{FIRST}\npen: {{\n  margin: 0.2,\n  darkness: 0.5\n}}\n{REST}",
    "quoted key": f'{FIRST}\n"pen": {{"margin": 0.2}}\n{REST}',
    "flow card": yaml.safe_dump(FIELDS, default_flow_style=True),
    "flow card with a pen": yaml.safe_dump({**FIELDS, "pen": {"margin": 0.2}}, default_flow_style=True),
    "JSON": json.dumps(FIELDS),
    "JSON over lines": json.dumps({"pen": {"margin": 0.2}, **FIELDS}, indent=2),
    "JSON with null": json.dumps({**FIELDS, "pen": None}, indent=2),
    "indented": "# mine\n" + indented(BLOCK, "    "),
    "indented with a pen": indented(f"{BLOCK}pen:\n  margin: 0.2\n", "  "),
    "ended": f"---\n{BLOCK}...\n",
    "ended after a pen": f"---\n{BLOCK}pen: {{margin: 0.2}}\n...\n",
    "a text over lines": f"{BLOCK}split: |+\n  pen: none\n  pen: none\n\n\n",
    "pen in a comment": f"# pen: {{margin: 0.2}}\n{BLOCK}\n#pen: 3",
    "pen further in": f"{BLOCK}name: 'the\n  pen: of'\n",
    "an anchor": f"{BLOCK}pen: &old\n  margin: 0.2\n",
    "Windows": BLOCK.replace("\n", "\r\n") + "pen:\r\n  margin: 0.2\r\n",
    "a byte order mark": "\ufeff" + BLOCK,
    "other letters": f"# 筆\n{BLOCK}name: スケッチ\npen: {{margin: 0.2}}\n",
}
IMPOSSIBLE = {
    "an anchor that is used": "pen: &p {margin: 0.2}\narguments: *p\n"
    + BLOCK.replace("arguments:\n  widths:\n  - 8\n", ""),
    "a complex key": f"{BLOCK}? pen\n: {{margin: 0.2}}\n",
}


def card(folder: Path, text: str) -> Path:
    path = folder / "card.yaml"
    path.write_bytes(text.encode())
    torch.save(build_network("SmallResNet", {"widths": [8]}, 2).state_dict(), folder / "w.pt")
    return path


@pytest.mark.parametrize("pen", [PEN, Pen(), Pen(line_width=1e-5)], ids=["pen", "none", "thin"])
@pytest.mark.parametrize("form", CARDS)
def test_all_else_stays(form: str, pen: Pen, tmp_path: Path) -> None:
    path = card(tmp_path, CARDS[form])
    before = yaml.safe_load(CARDS[form].removeprefix("\ufeff"))
    assert write_pen(str(path), pen) == path
    text = path.read_bytes().decode()
    after = yaml.safe_load(text)
    assert {**before, "pen": after.get("pen")} == after | {"pen": after.get("pen")}
    assert read_card(path).pen == (pen if pen.redraws else None)
    assert load_teacher(path).hash
    assert text.count("# mine") == CARDS[form].count("# mine")
    assert (b"\r\n" in path.read_bytes()) == (form == "Windows")
    write_pen(str(path), PEN)
    assert read_card(path).pen == PEN


@pytest.mark.parametrize("form", IMPOSSIBLE)
def test_a_card_whose_text_cannot_be_changed_stays_as_it_is(form: str, tmp_path: Path) -> None:
    text = IMPOSSIBLE[form]
    path = card(tmp_path, text)
    line = r"pen: \{margin: 0.1, line_width: 0.05, darkness: 0.7, white_on_black: true\}"
    with pytest.raises(InputError, match=rf"card\.yaml: .*{line}$"):
        write_pen(str(path), PEN)
    assert path.read_text() == text


def test_a_header_keeps_what_others_wrote(tmp_path: Path) -> None:
    shipped = package_file("assets/shapes_sketch.safetensors")
    with safe_open(shipped, "pt") as file:
        metadata = file.metadata()
    path = tmp_path / "t.safetensors"
    save_file(load_file(shipped), path, {**metadata, "format": "pt"})
    write_pen(str(path), PEN)
    with safe_open(path, "pt") as file:
        assert file.metadata()["format"] == "pt"
    assert read_card(path).pen == PEN


@pytest.mark.parametrize("spec", ["crossx:assets/shapes_sketch.safetensors", "path", "timm:resnet18"])
def test_only_a_file_of_the_user_s_is_written(spec: str, tmp_path: Path) -> None:
    shipped = package_file("assets/shapes_sketch.safetensors")
    shutil.copy(shipped, tmp_path)
    with pytest.raises(InputError, match=r"^TEACHER: must be a file (of yours|with a card)"):
        write_pen(str(shipped) if spec == "path" else spec, PEN, "TEACHER")
    assert shipped.read_bytes() == (tmp_path / shipped.name).read_bytes()
