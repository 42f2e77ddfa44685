"""Many people drawing at once: `python -m benchmarks.clients --encoder DIR`, where DIR is of `crossx export`.

A server is started on a gallery of drawn vectors around real photos of shapes. Each client adds a stroke to a drawing
twice a second and asks again, as the page does, and starts another drawing when one is done.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.machine import machine, refuse_busy
from crossx.core.atomic import write_text
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError, WorkError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import Photo
from crossx.search.opening import identity
from crossx.search.predictor import Predictor
from crossx.search.serve.run import listen

_PAUSE = 0.5
_EACH = 10
"""Test photos and sketches of each shape."""
_SPREAD = 0.3
_AT_ONCE = 1024
_START = 60.0

Strokes = list[list[list[float]]]


def fill(folder: Path, predictor: Predictor, data: ShapesDataset, count: int) -> None:
    """Make a gallery of vectors around those of real photos."""
    side = data.images("photo", "test")
    real = predictor.embed_photos(np.stack([side.image(i).numpy() for i in range(len(side))]))
    rng = np.random.default_rng(0)
    with LocalGallery(folder, write=True, encoder=identity(predictor.card)) as gallery:
        for start in range(0, count, _AT_ONCE):
            some = real[rng.integers(len(real), size=min(_AT_ONCE, count - start))]
            noise = rng.standard_normal(some.shape)
            moved = some + _SPREAD * noise / np.linalg.norm(noise, axis=1, keepdims=True)
            unit = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
            names = range(start, start + len(unit))
            gallery.add(
                [
                    Photo("/p", f"{i}.jpg", 1, 1, i.to_bytes(32, "big"), 1, 1, v)
                    for i, v in zip(names, unit, strict=True)
                ]
            )


def drawings(data: ShapesDataset) -> list[Strokes]:
    """Test sketches as a page sends them."""
    count = len(data.classes) * _EACH
    return [[(stroke.T * 256).round(1).tolist() for stroke in data.strokes("test", i)] for i in range(count)]


async def draw(
    client: httpx.AsyncClient, drawn: list[Strokes], until: float, seed: int
) -> tuple[list[float], list[str]]:
    """Draw until a time; returns the milliseconds of each answer, and what went wrong."""
    rng, times, errors = random.Random(seed), [], []  # noqa: S311 - which drawing comes next is no secret
    await asyncio.sleep(rng.random() * _PAUSE)
    while time.perf_counter() < until:
        strokes = rng.choice(drawn)
        for number in range(1, len(strokes) + 1):
            start = time.perf_counter()
            if start >= until:
                break
            try:
                answer = await client.post("/api/v1/search/sketch?k=24", json={"strokes": strokes[:number]})
                if answer.status_code != httpx.codes.OK or len(answer.json()["results"]) == 0:
                    errors.append(f"{answer.status_code}: {answer.text[:200]}")
            except httpx.HTTPError as error:
                errors.append(f"{type(error).__name__}: {error}")
            times.append(1000 * (time.perf_counter() - start))
            await asyncio.sleep(max(0.0, start + _PAUSE - time.perf_counter()))
    return times, errors


async def crowd(address: str, drawn: list[Strokes], clients: int, seconds: float) -> tuple[list[float], list[str]]:
    """Let many draw at once."""
    async with httpx.AsyncClient(base_url=address, timeout=30, trust_env=False) as client:
        until = time.perf_counter() + seconds
        found = await asyncio.gather(*(draw(client, drawn, until, seed) for seed in range(clients)))
    return [ms for times, _ in found for ms in times], [error for _, errors in found for error in errors]


def resident(process: int) -> float:
    """Memory of a process in MB, on Linux."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def wait_for(address: str, process: subprocess.Popen[bytes]) -> float:
    """Wait until a server can answer; returns the seconds.

    Raises:
        WorkError: When it ends, or takes too long.
    """
    start = time.perf_counter()
    while time.perf_counter() < start + _START and process.poll() is None:
        try:
            if httpx.get(f"{address}/readyz", trust_env=False, timeout=5).status_code == httpx.codes.OK:
                return time.perf_counter() - start
        except httpx.HTTPError:
            time.sleep(0.05)
    raise WorkError("the server did not start")


def measure(encoder: str, photos: int, clients: int, seconds: float) -> dict[str, Any]:
    """Start a server, let clients draw, and end it."""
    data = ShapesDataset(train=0, validation=0, test=_EACH)
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder) / "gallery"
        fill(gallery, Predictor(encoder), data, photos)
        words = ["serve", "--gallery", str(gallery), "--encoder", encoder, "--port", str(port)]
        server = subprocess.Popen([sys.executable, "-m", "crossx", *words], stdout=subprocess.DEVNULL)
        try:
            started = wait_for(address, server)
            asyncio.run(crowd(address, drawings(data), clients, min(5.0, seconds)))  # warm
            before = resident(server.pid)
            times, errors = asyncio.run(crowd(address, drawings(data), clients, seconds))
            after = resident(server.pid)
        finally:
            server.terminate()
            server.wait()
    return {
        "photos": photos,
        "clients": clients,
        "seconds": seconds,
        "answers": len(times),
        "errors": len(errors),
        "first error": errors[0] if errors else None,
        "ms, median": round(float(np.median(times)), 1),
        "ms, 99th percentile": round(float(np.percentile(times, 99)), 1),
        "ready after, s": round(started, 2),
        "memory of the server grew by, MB": round(after - before, 1),
    }


def main(argv: list[str]) -> None:
    """Measure, print, and write where that is wanted."""
    parser = argparse.ArgumentParser("benchmarks.clients", description=__doc__.partition("\n")[0])
    parser.add_argument("--encoder", required=True, help="folder of crossx export --teachers, of the shapes")
    parser.add_argument("--photos", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=600.0, help="(%(default)s)")
    parser.add_argument("--out", help="JSON file; refused on a busy machine")
    arguments = parser.parse_args(argv)
    must_be_in("--photos", arguments.photos, "[1, inf)")
    must_be_in("--clients", arguments.clients, "[1, 1000]")
    must_be_in("--seconds", arguments.seconds, "(0, inf)")
    refuse_busy(arguments.out)
    about = machine("numpy", "faiss-cpu")
    figures = measure(arguments.encoder, arguments.photos, arguments.clients, arguments.seconds)
    text = json.dumps({"machine": about, **figures}, indent=1)
    print(text)
    if arguments.out is not None:
        write_text(Path(arguments.out), text + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (InputError, WorkError) as error:
        sys.exit(f"benchmarks.clients: error: {error}")
