"""Encoder folders: both encoders as safetensors and ONNX, with a card, references and calibrated scores."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.core.tensor_files import write_safetensors
from crossx.core.version import __version__
from crossx.data.base import RetrievalData
from crossx.networks.preprocessing import Preprocessing, sides
from crossx.search.card import CARD, EncoderCard, Side
from crossx.search.export_choices import FORMATS, Format, check_choices
from crossx.search.measured import measure
from crossx.search.parity import Examples, Parity, check_parity, examples_of, torch_embed
from crossx.search.predictor import REFERENCE
from crossx.search.stored import SPECS, StoredEncoders
from crossx.teachers.teacher import save_teacher
from crossx.types import MODALITIES, Modality

_REFERENCES = 16
"""Images of each modality in `reference.npz`."""


def export_encoders(
    encoders: StoredEncoders,
    out: str | Path,
    formats: Sequence[Format] = FORMATS,
    data: RetrievalData | None = None,
    size: int | None = None,
) -> EncoderCard:
    """Write an encoder folder, whole or not at all.

    The ONNX files are read back and compared with torch, on batches of sizes that were not traced. The frozen teachers
    that the encoders look through are in the folder, too: their licences hold for it.

    Args:
        encoders: Both encoders, as `load_encoders` or `encoders_of_teachers` returns them.
        out: The folder, which must not exist or be empty.
        formats: Files to write: `safetensors`, `onnx`, or both.
        data: Data set whose validation images calibrate the scores; None leaves them as they are.
        size: Side of the images in pixels; None for the size of the data set, else of each encoder's input.

    Returns:
        The card of the folder.

    Raises:
        InputError: When the folder is in use, an encoder cannot be exported, or its file computes other vectors.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out: must be a new or empty folder, got {str(out)!r}")
    _check(encoders, formats, size)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        folder.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        card = _write(encoders, folder, formats, data, size)
        if out.exists():
            out.rmdir()
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return card


def _check(encoders: StoredEncoders, formats: Sequence[Format], size: int | None) -> None:
    check_choices(formats, size)
    if "safetensors" in formats and not encoders.specs:
        raise InputError(
            "--formats: must be onnx alone for encoders that were built in Python, got safetensors; nothing says how "
            "to build them again"
        )


def _write(
    encoders: StoredEncoders, folder: Path, formats: Sequence[Format], data: RetrievalData | None, size: int | None
) -> EncoderCard:
    wanted = data.size if size is None and data is not None else size
    sizes: dict[Modality, int] = {m: input_side(encoders, m) if wanted is None else wanted for m in MODALITIES}
    pen = None if encoders.teachers is None else encoders.teachers.sketch.card.pen
    examples = {m: examples_of(m, sizes[m], pen) for m in MODALITIES}
    expected = {m: torch_embed(encoders.of(m), examples[m].images) for m in MODALITIES}  # readers take statistics here
    found = {m: _side(encoders, m, sizes[m], folder, formats, examples[m]) for m in MODALITIES}
    if encoders.teachers is not None and "safetensors" in formats:
        for m in MODALITIES:
            teacher = encoders.teachers.of(m)
            save_teacher(folder / f"{m}_teacher.safetensors", teacher.network, teacher.card)
    arrays: dict[str, Any] = {}
    for m in MODALITIES:
        arrays[f"{m}_images"] = examples[m].images[:_REFERENCES]
        arrays[f"{m}_vectors"] = expected[m].vectors[:_REFERENCES]
    with (folder / REFERENCE).open("wb") as file:
        np.savez_compressed(file, **arrays)
    parities = [side.parity for side in found.values() if side.parity is not None]
    knows = expected["sketch"].posterior is not None and encoders.teachers is not None
    measured = None if data is None else measure(encoders, data, pen)
    card = EncoderCard(
        photo=found["photo"].card,
        sketch=found["sketch"].card,
        dim=encoders.photo.dim,
        version=__version__,
        classes=encoders.teachers.vocabulary.union if knows and encoders.teachers is not None else (),
        pen=pen if pen is not None and pen.redraws else None,
        photo_query=encoders.photo.modality_coordinates(),
        calibration=None if measured is None else measured.calibration,
        metrics=None if measured is None else measured.metrics,
        parity={
            "difference": max(parity.difference for parity in parities),
            "one_minus_cosine": max(parity.one_minus_cosine for parity in parities),
        }
        if parities
        else None,
        teachers=None if encoders.teachers is None else {m: encoders.teachers.of(m).hash for m in MODALITIES},
    )
    write_text(folder / CARD, card.to_json())
    return card


@dataclass(frozen=True)
class _Written:
    card: Side
    parity: Parity | None


def _side(
    encoders: StoredEncoders, modality: Modality, size: int, folder: Path, formats: Sequence[Format], examples: Examples
) -> _Written:
    encoder = encoders.of(modality)
    parity = None
    if "onnx" in formats:
        from crossx.search.graph import write_onnx  # needs the extra `onnx`

        path = folder / f"{modality}.onnx"
        write_onnx(encoder, size, path)
        parity = check_parity(encoder, path, examples)
    if "safetensors" in formats:
        specs = json.dumps({"specs": encoders.specs, "aliases": encoders.aliases})
        write_safetensors(folder / f"{modality}.safetensors", encoder.state_dict(), {SPECS: specs})
    card = Side(
        size=size,
        encoder=type(encoder).__name__,
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        weights=_hash(folder / f"{modality}.safetensors"),
        onnx=_hash(folder / f"{modality}.onnx"),
    )
    return _Written(card, parity)


def _hash(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def input_side(encoders: StoredEncoders, modality: Modality) -> int:
    """Side in pixels of the images that suit an encoder: its teacher's, else the largest of its networks' inputs.

    Raises:
        InputError: When the encoder has no network with an input of its own.
    """
    modules = list(encoders.of(modality).modules())
    if encoders.teachers is not None and any(module is encoders.teachers.of(modality) for module in modules):
        return max(sides(encoders.teachers.of(modality).card.input_size))
    found = [max(sides(module.size)) for module in modules if isinstance(module, Preprocessing)]
    if not found:
        raise InputError(f"--size: must be named for {type(encoders.of(modality)).__name__}, which has no input size")
    return max(found)
