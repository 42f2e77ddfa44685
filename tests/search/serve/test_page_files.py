"""The page is a fixed list of packaged files, small, complete, and from nowhere else."""

import hashlib
import re
from importlib.resources import files

from crossx.search.serve.page_files import read_page

PAGE = files("crossx.search.serve") / "page"


def test_every_address_in_the_page_is_a_file_of_the_list() -> None:
    index, page = read_page()
    texts = [index.decode(), *(file.content.decode() for file in page.values())]
    named = {name for text in texts for name in re.findall(r'(?:"/static/|from "\./)([^"]+)"', text)}
    assert named == set(page)
    assert all(re.fullmatch(r"\w+\.[0-9a-f]{8}\.\w+", name) for name in page)


def test_names_follow_the_content() -> None:
    for name, file in read_page()[1].items():
        assert hashlib.sha256(file.content).hexdigest().startswith(name.split(".")[1])


def test_the_whole_page_is_small() -> None:
    index, page = read_page()
    assert len(index) + sum(len(file.content) for file in page.values()) <= 60 * 1024


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_inline() -> None:
    index, page = read_page()
    for name, file in page.items():
        addresses = re.findall(r"https?://[^\s\"'`)]+", file.content.decode())
        allowed = ("http://www.w3.org/", "https://github.com/szimek/signature_pad")  # names, which nobody opens
        assert all(address.startswith(allowed) for address in addresses), name
    text = index.decode()
    assert "http" not in text
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", text)


def test_the_vendored_file_is_the_published_one() -> None:
    """Version, licence and hash stand beside it."""
    licences = (PAGE / "vendor/LICENSES").read_text()
    assert "signature_pad 5.1.4" in licences
    assert "MIT License" in licences
    assert hashlib.sha256((PAGE / "vendor/signature_pad.js").read_bytes()).hexdigest() in licences
    assert "Signature Pad v5.1.4" in (PAGE / "vendor/signature_pad.js").read_text()
