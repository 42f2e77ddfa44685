import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.galleries import made, photos, unit

from crossx.search.names import escaped_folder, folder_of, printable

FOLDERS = {
    "holidays/2026": "holidays/2026",
    "100%/ü": "100%25/ü",
    "%41": "%2541",
    "family \N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}": "family \N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}",
    "می\N{ZERO WIDTH NON-JOINER}خواهم": "می\N{ZERO WIDTH NON-JOINER}خواهم",
    "gpj\N{RIGHT-TO-LEFT OVERRIDE}x": "gpj%E2%80%AEx",
    "line\nbreak": "line%0Abreak",
    os.fsdecode(b"caf\xe9"): "caf%E9",
}


@pytest.mark.parametrize(("folder", "text"), FOLDERS.items())
def test_a_folder_is_found_by_the_name_that_an_answer_gives(folder: str, text: str, tmp_path: Path) -> None:
    assert escaped_folder(folder) == text
    sent = json.loads(json.dumps(text).encode())
    assert printable(sent) == sent  # nothing in it is hidden or turns it
    with made(tmp_path / "g") as gallery:
        here, other = photos(2)
        ids = gallery.add([replace(here, path=f"{folder}/x.jpg"), replace(other, path="x.jpg")])
        assert [hit.id for hit in gallery.search(unit(1), 9, under=folder_of(sent))[0]] == ids[:1]


def test_names_lose_what_is_hidden_but_for_joiners() -> None:
    shown = [printable(folder) for folder in FOLDERS]
    assert shown[3:5] == list(FOLDERS)[3:5]
    assert [name.replace("\N{REPLACEMENT CHARACTER}", "?") for name in shown[5:]] == ["gpj?x", "line?break", "caf?"]
