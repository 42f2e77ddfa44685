"""Search in large galleries: recall for sketch queries, time of a query on one thread, and time to build.

    python -m benchmarks.search                      # one million photos and one hundred thousand, about ten minutes
    python -m benchmarks.search --out figures.json   # the same for a document: refused on a busy machine

Vectors are drawn: photos lie in dense clusters, as those of one class do, and sketches lie off the clusters' clouds, on
one side of them, as another modality does. The gallery is the one of `crossx index`, its index as `auto` chooses it.
"""

# ruff: noqa: E402 - the number of threads must stand in the environment before numpy and FAISS are loaded

import argparse
import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, refuse_busy
from crossx.core.atomic import write_text
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.search.engines.exact import TIE
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import F32, EncoderIdentity, Photo

_CLUSTERS = 1000
_SPREAD, _OFF = 0.7, 0.8
"""Length of the noise of a photo, and of the shift of all sketches, against cluster centres of length 1."""
_AT_ONCE = 1024
_PROBES = 500
_FIRST = 10
_SEED = 0

Figures = dict[str, Any]


class Vectors:
    """Drawn photos and sketches.

    Args:
        dim: Length D of the vectors.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        rng = np.random.default_rng(_SEED)
        self._centres = _unit(rng.standard_normal((_CLUSTERS, dim)))
        self._shift = _OFF * _unit(rng.standard_normal((1, dim)))

    def photos(self, count: int) -> Iterator[F32]:
        """Photos, (n, D) at a time."""
        for start in range(0, count, _AT_ONCE):
            yield self._drawn(1, start, min(_AT_ONCE, count - start))

    def sketches(self, count: int, stream: int) -> F32:
        """Sketches, (count, D)."""
        return _unit(self._drawn(stream, 0, count) + self._shift)

    def _drawn(self, stream: int, start: int, count: int) -> F32:
        rng = np.random.default_rng((_SEED, stream, start))
        noise = _unit(rng.standard_normal((count, self.dim), dtype=np.float32))
        return _unit(self._centres[rng.integers(_CLUSTERS, size=count)] + _SPREAD * noise)


def _unit(x: np.ndarray) -> F32:
    unit: F32 = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return unit


def measure(folder: Path, photos: int, dim: int, queries: int, kind: str) -> Figures:
    """Fill a gallery, build its index, and search.

    Args:
        folder: Folder of the gallery, which must not exist.
        photos: Number of photos.
        dim: Length D of the vectors.
        queries: Number of sketches that are searched with, one at a time.
        kind: How the gallery is searched, as `crossx index --index` takes it.
    """
    vectors = Vectors(dim)
    asked = vectors.sketches(queries, 2)
    exact = _Exact(asked)
    with LocalGallery(folder, write=True, encoder=EncoderIdentity("b" * 64, dim, "{}")) as gallery:
        gallery.choose(kind)
        gallery.set_probes(vectors.sketches(_PROBES, 3))
        adding, first = 0.0, 0
        for matrix in vectors.photos(photos):
            rows = [
                Photo("/p", f"{first + i}.jpg", 1, 1, (first + i).to_bytes(32, "big"), 1, 1, vector)
                for i, vector in enumerate(matrix)
            ]
            adding += _seconds(time.perf_counter, lambda rows=rows: gallery.add(rows))  # type: ignore[misc]
            exact.see(matrix)
            first += len(matrix)
        building = _seconds(time.process_time, gallery.rebuild)
    with LocalGallery(folder) as gallery:
        opening = _seconds(time.perf_counter, lambda: gallery.search(asked[:1], _FIRST))
        times, computing, good = [], [], 0
        for query, least in zip(asked, exact.tenth(), strict=True):
            start, before = time.perf_counter(), time.thread_time()
            (hits,) = gallery.search(query[None], _FIRST)
            times.append(1000 * (time.perf_counter() - start))
            computing.append(1000 * (time.thread_time() - before))
            good += sum(hit.score >= least - TIE for hit in hits)
        status = gallery.status()
    return {
        "photos": photos,
        "dim": dim,
        "queries": queries,
        "kind": status.kind,
        "parameters": status.parameters,
        "recall@10": round(good / (queries * min(_FIRST, photos)), 4),
        "recall@10 when built": status.recall,
        "ms, median": round(float(np.median(times)), 3),
        "ms, 99th percentile": round(float(np.percentile(times, 99)), 3),
        "ms of CPU, median": round(float(np.median(computing)), 3),
        "build, CPU s": round(building, 1),
        "added, photos a second": round(photos / adding),
        "opened, s": round(opening, 2),
        "memory of the process at most, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "files, MB": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) >> 20,
    }


class _Exact:
    """The tenth best score of each query, while all vectors pass by."""

    def __init__(self, queries: F32) -> None:
        self._queries, self._best = queries, np.full((len(queries), _FIRST), -np.inf, np.float32)

    def see(self, matrix: F32) -> None:
        scores = np.concatenate([self._best, self._queries @ matrix.T], axis=1)
        self._best = np.partition(scores, -_FIRST, axis=1)[:, -_FIRST:]

    def tenth(self) -> F32:
        finite = np.where(np.isfinite(self._best), self._best, np.inf)
        least: F32 = finite.min(axis=1)
        return least


def _seconds(clock: Callable[[], float], work: Callable[[], object]) -> float:
    start = clock()
    work()
    return clock() - start


def main(argv: list[str]) -> None:
    """Measure, print, and write where that is wanted."""
    parser = argparse.ArgumentParser("benchmarks.search", description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=1_000_000, help="of the large gallery (%(default)s)")
    parser.add_argument("--exact-photos", type=int, default=100_000, help="of the exact one (%(default)s)")
    parser.add_argument("--dim", type=int, default=128, help="length of the vectors (%(default)s)")
    parser.add_argument("--queries", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--index", default="auto", choices=("auto", "ivf"), help="of the large gallery (%(default)s)")
    parser.add_argument("--folder", help="for the galleries, about 1.3 GB a million photos (a temporary one)")
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args(argv)
    for name in ("photos", "exact_photos", "dim", "queries"):
        must_be_in(f"--{name.replace('_', '-')}", getattr(arguments, name), "[1, inf)")
    refuse_busy(arguments.out)
    about, galleries = machine("numpy", "faiss-cpu"), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for number, (photos, kind) in enumerate(
            [(arguments.exact_photos, "exact"), (arguments.photos, arguments.index)]
        ):
            found = measure(Path(folder) / str(number), photos, arguments.dim, arguments.queries, kind)
            galleries.append(found)
            print(json.dumps(found, indent=1), flush=True)
    print(json.dumps(about))
    if arguments.out is not None:
        write_text(Path(arguments.out), json.dumps({"machine": about, "galleries": galleries}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"benchmarks.search: error: {error}")
