"""Run the server: open gallery and encoder, take the port, and say what becomes visible."""

import ipaddress
import socket
import webbrowser
from contextlib import suppress

import uvicorn

from crossx.core.errors import InputError
from crossx.search.serve.app import create_app
from crossx.search.serve.queries import Queries
from crossx.search.serve.server import Server, Settings

_BACKLOG = 128
_HEADER_SECONDS = 20


def run(gallery: str, encoder: str | None, host: str, port: int, open_page: bool, settings: Settings) -> None:
    """Serve a gallery until Ctrl-C.

    Args:
        gallery: The gallery.
        encoder: The encoder's folder; None for the one that the gallery was made with.
        host: Address to listen at.
        port: Port to listen at.
        open_page: Whether to open the page in a browser.
        settings: Further choices.

    Raises:
        InputError: When the gallery or the encoder cannot be used, or the address or the port cannot be taken.
    """
    listening = listen(host, port)
