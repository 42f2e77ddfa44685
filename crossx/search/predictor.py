"""Embedding with an encoder folder: uint8 images in, unit vectors out; onnxruntime by default, torch on request."""

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.pixels.fit import U8
from crossx.search.card import F32, EncoderCard

if TYPE_CHECKING:  # importing it would import torch
    from crossx.types import Modality

Backend = Literal["auto", "onnx", "torch"]
I64 = npt.NDArray[np.int64]
REFERENCE = "reference.npz"
"""Images in an encoder folder, and their vectors: `<modality>_images` (N, 3, S, S) and `<modality>_vectors` (N, D)."""
_TOLERANCE = 1e-4
"""Largest difference from the reference vectors; processors add in other orders than the one that exported."""
MOST_TOGETHER = 256
"""Images that run together at most, each beside its mirror image where the encoder mirrors: more take memory, and no
less time."""


class Embedded(NamedTuple):
    """What an encoder says of B images.

    Attributes:
        vectors: Unit vectors, (B, D).
        posterior: Probabilities of the card's classes, (B, U); None where the encoder knows no classes.
    """

    vectors: F32
    posterior: F32 | None


Run = Callable[[U8], Embedded]


class Predictor:
    """Both encoders of a folder that `crossx export` has written.

    Args:
        folder: The encoder folder.
        backend: `onnx` runs the ONNX files by onnxruntime; `torch` runs the safetensors files; `auto` is `onnx` where
            files and onnxruntime are there. Both rank alike.
        threads: Threads of onnxruntime for one batch.
        device: Device of torch, such as `cuda`; the other backend runs on the CPU.

    Attributes:
        card: The card of the folder.
        backend: `onnx` or `torch`.

    Raises:
        InputError: When the folder has no card, a file is missing or not the one that the card names, the backend
            cannot run, or there is no such device.
    """

    def __init__(self, folder: str | Path, backend: Backend = "auto", threads: int = 1, device: str = "cpu") -> None:
        must_be_one_of("backend", backend, ("auto", "onnx", "torch"))
        must_be_in("threads", threads, "[1, inf)")
        self.folder = Path(folder)
        self.card = EncoderCard.read(self.folder)
        self.backend = _chosen(self.card, backend, device)
        if device != "cpu":
            from crossx.search.torch_run import check_device  # imports torch

            check_device(device)
        self._threads, self._device = threads, device
        self._runs: dict[Modality, Run] = {}

    def embed(self, images: U8, modality: "Modality") -> Embedded:
        """Embed images.

        Args:
            images: uint8 RGB of the card's size, (B, 3, S, S), B from 0: photos by `crossx.pixels.fit.fit_photo`,
                sketches by `crossx.search.sketches`, which also redraws them with the card's pen.
            modality: Which encoder to use.

        Raises:
            InputError: When the images have another type or shape.
        """
        size = self.card.side(modality).size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (3, size, size):
            raise InputError(
                f"images: must be uint8 of the shape (B, 3, {size}, {size}) for this encoder of {modality}s, got "
                f"{images.dtype} of {images.shape}"
            )
        if modality not in self._runs:
            self._runs[modality] = self._opened(modality)
        run = self._runs[modality]
        parts = [run(images[i : i + MOST_TOGETHER]) for i in range(0, len(images), MOST_TOGETHER)]
        if not parts:
            return Embedded(np.empty((0, self.card.dim), np.float32), None)
        posteriors = [part.posterior for part in parts if part.posterior is not None]
        return Embedded(
            np.concatenate([part.vectors for part in parts]), np.concatenate(posteriors) if posteriors else None
        )

    def embed_photos(self, images: U8) -> F32:
        """Embed photos, uint8 (B, 3, S, S), as unit vectors, (B, D)."""
        return self.embed(images, "photo").vectors

    def embed_sketches(self, images: U8) -> F32:
        """Embed sketches, uint8 (B, 3, S, S), as unit vectors, (B, D)."""
        return self.embed(images, "sketch").vectors

    def as_photo_query(self, vectors: F32) -> F32:
        """Make queries for photos of photos' vectors, (Q, D); see `EncoderCard.as_photo_query`."""
        return self.card.as_photo_query(vectors)

    def rank(self, queries: F32, photos: F32, k: int) -> tuple[I64, F32]:
        """Rank photos for queries by their cosine.

        Args:
            queries: Vectors of sketches, or of `as_photo_query`, (Q, D).
            photos: Vectors of photos, (G, D).
            k: Photos of each query, at least 1; all G where there are fewer.

        Returns:
            Indices of the photos and their scores, (Q, min(k, G)); scores fall, and equal ones are in the order of the
            photos.
        """
        must_be_in("k", k, "[1, inf)")
        scores = np.asarray(queries, np.float32) @ np.asarray(photos, np.float32).T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return order.astype(np.int64), np.take_along_axis(scores, order, axis=1)

    def classes_of(self, sketches: U8, k: int = 3) -> list[list[tuple[str, float]]]:
        """Say what sketches look like.

        Args:
            sketches: uint8, (B, 3, S, S).
            k: Classes of each, at least 1.

        Returns:
            The most probable classes and their probabilities, the best first; empty where the encoder knows no classes.
        """
        posterior = self.embed(sketches, "sketch").posterior
        return [self.guesses(row, k) for row in posterior] if posterior is not None else [[] for _ in sketches]

    def guesses(self, posterior: F32, k: int = 3) -> list[tuple[str, float]]:
        """Most probable classes of a posterior, (U,), and their probabilities, the best first."""
        must_be_in("k", k, "[1, inf)")
        best = np.argsort(-posterior, kind="stable")[:k]
        return [(self.card.classes[i], float(posterior[i])) for i in best]

    def check_reference(self) -> None:
        """Embed the images of `reference.npz` and compare their vectors with those that the export has stored.

        Raises:
            InputError: When the file cannot be read, or this machine computes other vectors.
        """
        path = self.folder / REFERENCE
        for modality in ("photo", "sketch"):
            try:
                with np.load(path, allow_pickle=False) as stored:
                    images, expected = stored[f"{modality}_images"], stored[f"{modality}_vectors"]
            except (OSError, ValueError, KeyError, EOFError) as error:
                raise InputError(f"{path}: must hold the images that `crossx export` writes: {error}") from error
            vectors = self.embed(images, modality).vectors
            difference = float(np.abs(vectors - expected).max()) if vectors.shape == expected.shape else np.inf
            if not difference <= _TOLERANCE:
                raise InputError(
                    f"{path}: {modality} vectors must differ by at most {_TOLERANCE} from those of the export, got "
                    f"{difference:.2g} by {self.backend}; export the encoder again"
                )

    def _opened(self, modality: "Modality") -> Run:
        side, path = (
            self.card.side(modality),
            self.folder / f"{modality}.{'onnx' if self.backend == 'onnx' else 'safetensors'}",
        )
        check_hash(path, side.onnx if self.backend == "onnx" else side.weights)
        if self.backend == "onnx":
            from crossx.search.onnx_run import onnx_run

            return onnx_run(path, self._threads)
        from crossx.search.torch_run import torch_run  # imports torch

        return torch_run(self.folder, self.card.hash, modality, self._device)


def check_hash(path: Path, expected: str | None) -> None:
    """Refuse a file of an encoder folder that is not the one that its card names.

    Args:
        path: The file.
        expected: SHA-256 (hex) on the card; None where it names no such file.

    Raises:
        InputError: When the file is missing, or another one.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; export the encoder again") from error
    if found != expected:
        raise InputError(
            f"{path}: must be the file that its card names ({(expected or 'none')[:12]}), got {found[:12]}; export the "
            "encoder again"
        )


def _chosen(card: EncoderCard, backend: Backend, device: str) -> Literal["onnx", "torch"]:
    """The backend that runs.

    Raises:
        InputError: When the folder lacks its files, or its library is not installed.
    """
    has = {"onnx": card.photo.onnx and card.sketch.onnx, "torch": card.photo.weights and card.sketch.weights}
    runs = {name for name, library in (("onnx", "onnxruntime"), ("torch", "torch")) if find_spec(library)}
    best: Literal["onnx", "torch"] = "onnx" if has["onnx"] and "onnx" in runs and device == "cpu" else "torch"
    wish = best if backend == "auto" else backend
    if not has[wish]:
        kind = "ONNX" if wish == "onnx" else "safetensors"
        raise InputError(f"backend: {wish} needs the {kind} files of both encoders, which this folder does not have")
    if wish not in runs:
        raise InputError(f"backend: {wish} needs its library: pip install 'crossx[onnx]'")
    if wish == "onnx" and device != "cpu":
        raise InputError(f"device: must be cpu for backend onnx, got {device!r}; use backend torch")
    return wish
