"""`crossx serve`: a page to draw on, and the photos of a gallery that fit."""

import os
from collections.abc import Sequence

from crossx.cli.extras import needs
from crossx.cli.options import OptionParser
from crossx.core.checks import must_be_in

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
"""Where the libraries that multiply matrices look, once, when numpy is imported."""


def serve(argv: Sequence[str]) -> int:
    """Serve a gallery until Ctrl-C.

    Args:
        argv: The command line, starting with `serve`.

    Returns:
        The exit status.

    Raises:
        InputError: When the gallery or its encoder cannot be used, or the port is in use.
    """
    parser = OptionParser(
        "serve",
        "A page to draw on, and the photos of a gallery that fit, at http://127.0.0.1:8321. "
        "Ctrl-C ends it. What the server guards against is in docs/how-to/serve.md.",
    )
    parser.add_argument("--gallery", required=True, help="what crossx index has made")
    parser.add_argument("--encoder", help="the encoder's folder, where it is not where the gallery was made")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 is every one (%(default)s)")
    parser.add_argument("--port", type=int, default=8321, help="%(default)s")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--originals", action="store_true", help="give the files themselves, with EXIF and all")
    parser.add_argument("--max-concurrency", type=int, help="searches that compute at once (one a core)")
    parser.add_argument("--allowed-hosts", nargs="+", default=[], help="names by which others call this machine")
    arguments = parser.read(argv[1:])
    must_be_in("--port", arguments.port, "[1, 65535]")
    if arguments.max_concurrency is not None:
        must_be_in("--max-concurrency", arguments.max_concurrency, "[1, 1024]")

    for name in _ONE_THREAD:  # each search has a core, and further threads would take those of other searches
        os.environ.setdefault(name, "1")
    with needs("serve"):
        from crossx.search.serve.opening import open_server
        from crossx.search.serve.run import run
        from crossx.search.serve.server import Settings

    settings = Settings(arguments.originals, arguments.max_concurrency or 0, tuple(arguments.allowed_hosts))
    run(open_server(arguments.gallery, arguments.encoder, settings), arguments.host, arguments.port, arguments.open)
    return 0
