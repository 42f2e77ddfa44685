"""What an encoder folder holds, in words, and whether it computes what its card says."""

from pathlib import Path

from crossx.core.errors import InputError
from crossx.search.card import EncoderCard
from crossx.search.predictor import Predictor, check_hash
from crossx.types import MODALITIES


def lines_about(card: EncoderCard) -> list[str]:
    """Describe a card in a few lines."""
    sides = [(m, card.side(m)) for m in MODALITIES]
    lines = [
        f"{m:<12}{side.encoder}, {side.parameters:,} parameters, images of {side.size} x {side.size} pixels"
        for m, side in sides
    ]
    lines.append(f"vectors     {card.dim} numbers, float32, of length 1")
    if card.parity is not None:
        lines.append(
            f"onnx        differs from torch by at most {card.parity['difference']:.1e} (cosine "
            f"{card.parity['one_minus_cosine']:.1e})"
        )
    if card.calibration is None:
        lines.append("scores      not calibrated: name validation images with --data, or answers have no verdicts")
    else:
        lines.append(f"scores      calibrated on the validation images of {card.calibration.data}")
    if card.metrics is not None and "map_all" in card.metrics:
        lines.append(f"mAP@all     {card.metrics['map_all']:.3f} on the same images")
    if card.photo_query is None:
        lines.append("photos      cannot be compared with each other")
    if card.teachers is not None:
        lines.append("licences    the folder holds the weights of both classifiers, whose licences hold for it")
    return lines


def verify(folder: Path) -> list[str]:
    """Check the files of an encoder folder, and embed its reference images with each backend.

    Args:
        folder: The folder.

    Returns:
        Lines that say what was checked.

    Raises:
        InputError: When a file is missing, another one than the card names, or computes other vectors.
    """
    card = EncoderCard.read(folder)
    lines = lines_about(card)
    for backend, ending in (("onnx", "onnx"), ("torch", "safetensors")):
        hashes = {m: getattr(card.side(m), "onnx" if backend == "onnx" else "weights") for m in MODALITIES}
        if None in hashes.values():
            continue
        for m in MODALITIES:
            check_hash(folder / f"{m}.{ending}", hashes[m])
        Predictor(folder, backend).check_reference()  # type: ignore[arg-type]  # one of the two literals
        lines.append(f"verified    {ending}: hashes, and the vectors of the reference images")
    if not lines[-1].startswith("verified"):
        raise InputError(f"{folder}: must have the files of both encoders in one format")
    return lines
