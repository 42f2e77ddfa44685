"""Run the server: open gallery and encoder, take the port, and say what becomes visible."""

import ipaddress
import socket
import sys
import webbrowser
from contextlib import closing, suppress

import uvicorn

from crossx.core.errors import InputError
from crossx.search.serve.app import create_app
from crossx.search.serve.server import Server

_BACKLOG = 128


def run(server: Server, host: str, port: int, open_page: bool) -> None:
    """Serve until Ctrl-C.

    Args:
        server: The server's parts.
        host: Address to listen at.
        port: Port to listen at.
        open_page: Whether to open the page in a browser.

    Raises:
        InputError: When the address or the port cannot be taken.
    """
    app = create_app(server)
    with closing(listen(host, port)) as listening:
        page = f"http://{_name(host)}:{port}"
        print(f"{server.gallery.count()} photos; the page is {page}, Ctrl-C ends it", flush=True)  # noqa: T201
        if not _is_local(host):
            print(_visible(server, host), file=sys.stderr, flush=True)  # noqa: T201
        if open_page:  # the port listens already, so the browser waits until the server answers
            webbrowser.open(page)
        config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=3)
        with suppress(KeyboardInterrupt):  # the way to end it, and no mistake
            uvicorn.Server(config).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        InputError: When it is in use, or the address is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f"--host: must be an address or a name of this machine, got {host!r}") from error
    taken = socket.socket(family, kind, protocol)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart waits a minute
    try:
        taken.bind(address)
        taken.listen(_BACKLOG)
    except PermissionError as error:
        taken.close()
        raise InputError(f"--port: must be one that you may use, such as 8321, got {port}") from error
    except OSError as error:
        taken.close()
        if port and _in_use(host, port):
            raise InputError(
                f"--port: {port} is in use by another program; choose another, such as {port + 1}"
            ) from error
        raise InputError(f"--host: must be an address of this machine, got {host!r}") from error
    return taken


def _in_use(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _visible(server: Server, host: str) -> str:
    what = (
        "the photo files themselves, with all that is in them" if server.settings.originals else "photos without EXIF"
    )
    return (
        f"crossx: warning: everybody who reaches {host} can search this gallery and see {what}; there is no password, "
        "and nothing is encrypted"
    )
