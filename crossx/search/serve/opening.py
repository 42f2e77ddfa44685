"""From what a user names to a server's parts."""

import os
from pathlib import Path

from crossx.core.errors import InputError
from crossx.search.gallery.local import LocalGallery
from crossx.search.predictor import Predictor
from crossx.search.serve.queries import Queries
from crossx.search.serve.server import Server, Settings

ENCODER_FOLDER = "encoder_folder"
"""Setting of a gallery: where the encoder's folder was when photos were indexed."""


def open_server(gallery: str, encoder: str | None, settings: Settings) -> Server:
    """Open a gallery and its encoder.

    Args:
        gallery: Folder of the gallery.
        encoder: Folder of its encoder; None for the one that the gallery notes.
        settings: The user's choices.

    Raises:
        InputError: When one of them cannot be used, or they do not belong together.
    """
    opened = LocalGallery(Path(gallery))
    try:
        predictor = Predictor(encoder or _noted(opened))
        if predictor.card.hash != opened.encoder.sha256:
            raise InputError(
                f"--encoder: must be the encoder that {gallery} was made with ({opened.encoder.sha256[:12]}), got "
                f"{predictor.card.hash[:12]} in {predictor.folder}"
            )
        predictor.check_reference()
        return Server(opened, Queries(predictor), settings)
    except BaseException:
        opened.close()
        raise


def _noted(gallery: LocalGallery) -> str:
    folder = gallery.truth.setting(ENCODER_FOLDER, "")
    if not folder or not os.path.isdir(folder):
        where = f"it is not in {folder} any more" if folder else "the gallery does not say where it is"
        raise InputError(f"--encoder: must name the folder of the gallery's encoder, because {where}")
    return folder
