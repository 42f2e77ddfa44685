"""A gallery with its encoder: which one it was made with, where that is, and that both belong together."""

import os
from pathlib import Path

from crossx.core.errors import InputError
from crossx.search.card import EncoderCard
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import EncoderIdentity
from crossx.search.predictor import Predictor

ENCODER_FOLDER = "encoder_folder"
"""Setting of a gallery: where the encoder's folder was when photos were indexed."""


def identity(card: EncoderCard) -> EncoderIdentity:
    """An encoder as a gallery knows it."""
    return EncoderIdentity(card.hash, card.dim, card.to_json())


def remember_encoder(gallery: Gallery, folder: Path) -> None:
    """Note in a gallery where its encoder is, so that a search needs the gallery's name alone."""
    place = os.path.realpath(folder)
    if gallery.setting(ENCODER_FOLDER) != place:
        gallery.set_setting(ENCODER_FOLDER, place)


def encoder_of(gallery: Gallery, encoder: str | None, threads: int = 1) -> Predictor:
    """Open the encoder of a gallery.

    Args:
        gallery: The gallery.
        encoder: Folder of the encoder; None for the one that the gallery notes.
        threads: Threads for one batch.

    Raises:
        InputError: When the encoder is not there, cannot be used, or is another one.
    """
    predictor = Predictor(encoder or _noted(gallery), threads=threads)
    if predictor.card.hash != gallery.encoder.sha256:
        raise InputError(
            f"--encoder: must be the encoder that {gallery.name} was made with ({gallery.encoder.sha256[:12]}), got "
            f"{predictor.card.hash[:12]} in {predictor.folder}"
        )
    return predictor


def _noted(gallery: Gallery) -> str:
    folder = gallery.setting(ENCODER_FOLDER)
    if not folder or not os.path.isdir(folder):
        where = f"it is not in {folder} any more" if folder else "the gallery does not say where it is"
        raise InputError(f"--encoder: must name the folder of the gallery's encoder, because {where}")
    return folder
