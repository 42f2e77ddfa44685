"""The files of the page: a fixed list, read once, under names with their hash so that a browser keeps them."""

import hashlib
from importlib.resources import files
from typing import NamedTuple

_SOURCES = (  # a file comes after those that it names
    ("icon.svg", "image/svg+xml"),
    ("app.css", "text/css; charset=utf-8"),
    ("vendor/signature_pad.js", "text/javascript; charset=utf-8"),
    ("api.js", "text/javascript; charset=utf-8"),
    ("address.js", "text/javascript; charset=utf-8"),
    ("draw.js", "text/javascript; charset=utf-8"),
    ("results.js", "text/javascript; charset=utf-8"),
    ("app.js", "text/javascript; charset=utf-8"),
)


class PageFile(NamedTuple):
    """A file of the page.

    Attributes:
        content: What is sent.
        media_type: Its type.
    """

    content: bytes
    media_type: str


def read_page() -> tuple[bytes, dict[str, PageFile]]:
    """Read the page.

    Returns:
        index.html, and the other files by the last part of their address, such as `app.0a1b2c3d.js`.
    """
    folder = files("crossx.search.serve") / "page"
    found: dict[str, PageFile] = {}
    renamed: dict[bytes, bytes] = {}

    def read(source: str) -> bytes:
        content = folder.joinpath(*source.split("/")).read_bytes()
        for old, new in renamed.items():
            content = content.replace(b'"/static/' + old + b'"', b'"/static/' + new + b'"')
            content = content.replace(b'"./' + old + b'"', b'"./' + new + b'"')
        return content

    for source, media_type in _SOURCES:
        content = read(source)
        name = source.rpartition("/")[2]
        stem, _, ending = name.rpartition(".")
        hashed = f"{stem}.{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
        renamed[name.encode()] = hashed.encode()
        found[hashed] = PageFile(content, media_type)
    return read("index.html"), found
