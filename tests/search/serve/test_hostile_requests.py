"""A thousand hostile requests from one seed: each is refused or answered in two seconds, and no other file is read."""

import json
import os
import random
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.drawings import as_png, drawing

from crossx.search.gallery.local import LocalGallery
from crossx.search.serve.server import Server

pytest_plugins = ["support.serving"]

CANARY = b"canary-0f3a-of-a-file-outside"
Request = tuple[str, str, bytes, str]  # method, address, body, media type
NAMES = [
    "../../etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..",
    "a%00b",
    "a%0ab",
    "%E2%80%AE",
    "static/../app.py",
]
NUMBERS = ["0", "-1", str(2**63), str(2**64), "9" * 400, "1e3", "0x1", "NaN", "null", "1.5", "%00", "１"]


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "canary.png"
    path.write_bytes(CANARY)
    return path


SVG = '<svg xmlns="http://www.w3.org/2000/svg"'


def pictures() -> dict[str, bytes]:
    made = {"image/png": as_png(drawing("fish"))}
    for kind, name in (("image/jpeg", "JPEG"), ("image/webp", "WEBP")):
        buffer = BytesIO()
        Image.open(BytesIO(made["image/png"])).convert("RGB").save(buffer, name)
        made[kind] = buffer.getvalue()
    return made


def png_bomb(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min(side * (side + 1), 30_000_000)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def fixed(canary: Path) -> list[Request]:
    """Inputs with names: bombs, other formats, references, strokes out of range, paths."""
    sketch, photo = "/api/v1/search/sketch", "/api/v1/search/photo"
    red, eps = (
        Image.new("RGB", (40, 40), "red"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(" + os.fsencode(canary) + b") run",
    )
    bodies = [
        *((kind, png_bomb(side)) for side in (6_000, 30_000, 65_535) for kind in ("image/png", "image/jpeg")),
        ("image/jpeg", saved(Image.new("L", (65_500, 400)), "JPEG")),
        *(("image/png", saved(red, kind)) for kind in ("EPS", "TIFF", "PPM", "ICO", "PCX", "SGI", "TGA", "BMP", "GIF")),
        ("image/jpeg", saved(red.convert("CMYK"), "JPEG")),
        ("image/png", saved(Image.new("I;16", (40, 40), 9), "PNG")),
        ("image/png", eps),
        ("image/jpeg", b"%PDF-1.4"),
        ("image/webp", b"8BPS"),
        ("image/png", b"SIMPLE  =  T"),
    ]
    link = f"file://{canary}"
    svgs = [
        f'{SVG} xmlns:x="http://www.w3.org/1999/xlink"><image x:href="{canary}" href="{link}"/></svg>',
        f'<!DOCTYPE s [<!ENTITY e SYSTEM "{link}">]><svg xmlns="http://www.w3.org/2000/svg"><text>&e;</text></svg>',
        "<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><svg>&b;</svg>",
        f'<?xml-stylesheet href="{link}"?>{SVG}><style>@import "{link}";</style></svg>',
        f'<svg xmlns="http://www.w3.org/2000/svg"><use href="{link}#a"/><path d="M0 0L1e999 1"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg">' + "<g>" * 50_000 + "</g>" * 50_000 + "</svg>",
        '<svg xmlns="http://www.w3.org/2000/svg"><path d="' + "M0 0L9 9" * 60_000 + '"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><use href="#a"/><use href="#a"/></g></svg>',
        "<svg" + " a='1'" * 90_000 + "/>",
        "\x00\x01",
        "<svg>" + "a" * 2**20,
    ]
    texts = [
        '{"strokes": [[[NaN], [1]]]}',
        '{"strokes": [[[1e308, 1], [1, 1e308]]]}',
        '{"strokes": []}',
        "[" * 100_000,
        "{",
        '{"strokes": [[[1],[1,2]]]}',
        '{"strokes": "' + "a" * 10**6 + '"}',
        '{"strokes": [[["1"], [true]]]}',
        "null",
        "",
        json.dumps({"strokes": [[[1] * 300_000, [1] * 300_000]]}),
        json.dumps({"strokes": [[[1], [1]]] * 600}),
        '{"strokes": [[[' + "9" * 5000 + "], [1]]]}",
        '{"id": 9223372036854775808}',
        '{"id": true}',
        '{"id": [1]}',
        '{"id": -5}',
    ]
    return [
        *(("POST", address, body, kind) for address in (sketch, photo) for kind, body in bodies),
        *(("POST", address, text.encode(), "image/svg+xml") for address in (sketch, photo) for text in svgs),
        *(
            ("POST", address, text.encode(), "application/json")
            for address in (sketch, photo, "/api/v1/search/class")
            for text in texts
        ),
        *(
            ("GET", f"/api/v1/photos/{number}{end}", b"", "")
            for number in (*NUMBERS, *NAMES)
            for end in ("", "/thumb", "/full")
        ),
        *(
            ("GET", f"/static/{name}", b"", "")
            for name in (*NAMES, "app.js", "../page/index.html", "vendor%2fLICENSES")
        ),
        *(
            ("POST", f"{sketch}?{name}={number}", b"{}", "application/json")
            for name in ("k", "offset", "exact")
            for number in NUMBERS
        ),
        *(
            ("POST", f"{sketch}?under={name}", b'{"strokes": [[[1], [1]]]}', "application/json")
            for name in (*NAMES, "/etc", "x" * 5000)
        ),
        ("POST", sketch, b"x" * (8 * 2**20 + 1), "image/png"),
        ("POST", sketch, b"a=b", "application/x-www-form-urlencoded"),
        ("PUT", sketch, b"", ""),
        ("TRACE", "/", b"", ""),
        ("GET", "/api/v1/photos/1/thumb?size=100000", b"", ""),
    ]


def spoilt(seed: int, number: int) -> Iterator[Request]:
    """Pictures and drawings, cut, flipped or joined at random."""
    rng, whole = random.Random(seed), pictures()  # noqa: S311 - a test's numbers must come again
    whole["image/svg+xml"] = SVG.encode() + b'><path d="M1 1C2 2 9 3 4 4A9 9 0 0 1 5 5z" transform="scale(2)"/></svg>'
    whole["application/json"] = json.dumps({"strokes": drawing("cup")}).encode()
    for _ in range(number):
        kind = rng.choice(sorted(whole))
        body = bytearray(whole[kind])
        way = rng.randrange(4)
        if way == 0:
            body = body[: rng.randrange(len(body))]
        elif way == 3:
            body += whole[rng.choice(sorted(whole))][rng.randrange(40) :]
        else:
            for _ in range(rng.choice((1, 3, 30))):
                body[rng.randrange(len(body) if way == 1 else min(64, len(body)))] = rng.randrange(256)
        kind = kind if rng.random() < 0.9 else rng.choice([*sorted(whole), "text/html", ""])
        yield "POST", f"/api/v1/search/{rng.choice(('sketch', 'sketch', 'photo'))}", bytes(body), kind


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Names of the files that this process opens, by Python's own audit events."""
    seen: list[str] = []
    active = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active[0] and event == "open":
            seen.append(str(arguments[0]))

    sys.addaudithook(hook)  # stays for ever, and so is turned off
    yield seen
    active[0] = False


def test_each_of_a_thousand_is_refused_or_answered_in_time(
    client: TestClient, server: Server, canary: Path, opened: list[str]
) -> None:
    requests = fixed(canary)
    requests += spoilt(25, 1000 - len(requests))
    assert len(requests) == 1000
    assert isinstance(server.gallery, LocalGallery)
    roots = {photo.root for photo in server.gallery.scan()}
    places = [os.fsencode(root) for root in roots] + [
        os.fsencode(server.gallery.folder),
        b"/site-packages/",
        b"Traceback",
    ]
    client.get("/readyz")
    opened.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB; earlier tests of the process may have taken more
    for method, address, body, kind in requests:
        start = time.process_time()  # of all threads, the server's among them; other processes do not count
        answer = client.request(method, address, content=body, headers={"Content-Type": kind} if kind else {})
        what = (method, address[:80], kind, body[:60], answer.status_code, answer.text[:200])
        assert time.process_time() - start < 2, what
        assert answer.status_code < 500, what
        assert CANARY not in answer.content, what
        assert not [place for place in places if place in answer.content], what
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", what
    named = [name for name in opened if "canary" in name or name.startswith("/etc")]
    assert named == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 2**20
    assert client.get("/readyz").status_code == 200


def test_photos_that_became_something_else_are_not_shown(
    client: TestClient, photos: Path, server: Server, canary: Path, tmp_path: Path
) -> None:
    """A file of the gallery is replaced: by a link out, a link's folder, a FIFO, a device's link, or another file."""
    photo = next(photo for photo in server.gallery.scan() if photo.path == "tree-0004.jpg")
    place, aside = photos / photo.path, tmp_path / "aside.jpg"
    place.rename(aside)
    makers: list[Callable[[], object]] = [
        lambda: place.symlink_to(canary),
        lambda: place.symlink_to("/dev/zero"),
        lambda: os.mkfifo(place),
        lambda: place.mkdir(),
        lambda: place.write_bytes(CANARY),
    ]
    try:
        for make in makers:
            make()
            for end in ("/full", "/thumb?size=640"):
                start = time.perf_counter()
                answer = client.get(f"/api/v1/photos/{photo.id}{end}")
                assert (answer.status_code, CANARY in answer.content) == (404, False)
                assert time.perf_counter() - start < 2
            place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()
    finally:
        aside.rename(place)
    assert client.get(f"/api/v1/photos/{photo.id}/full").status_code == 200


def test_the_server_imports_neither_torch_nor_lightning() -> None:
    names = "crossx.search.serve.app, crossx.search.serve.opening, crossx.search.serve.run, crossx.cli.serve"
    code = f"import sys, {names}; print([n for n in ('torch', 'lightning', 'torchvision') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
