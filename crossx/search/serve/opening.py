"""From what a user names to a server's parts."""

from crossx.search.gallery.opening import open_gallery
from crossx.search.opening import encoder_of
from crossx.search.serve.queries import Queries
from crossx.search.serve.server import Server, Settings


def open_server(gallery: str, encoder: str | None, settings: Settings) -> Server:
    """Open a gallery and its encoder.

    Args:
        gallery: Name of the gallery.
        encoder: Folder of its encoder; None for the one that the gallery notes.
        settings: The user's choices.

    Raises:
        InputError: When one of them cannot be used, or they do not belong together.
    """
    opened = open_gallery(gallery)
    try:
        predictor = encoder_of(opened, encoder)
        predictor.check_reference()
        return Server(opened, Queries(predictor), settings)
    except BaseException:
        opened.close()
        raise
