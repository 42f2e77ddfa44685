"""What keeps other web pages out: headers of every answer, and the names by which the server may be called."""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossx.search.serve.limits import MOST_BYTES
from crossx.search.serve.problems import Problem, wrong

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
"""The page runs its own files and nothing else."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # or any web page could show, and measure, the photos
    "Referrer-Policy": "no-referrer",  # the address of the page holds the drawing
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Add the headers, and refuse requests that another web page has caused.

    A web page elsewhere can point its own name at this machine (DNS rebinding) and would then count as this server's
    page. So the name in `Host` must be an address, `localhost`, or one that the user allows. A request that a browser
    sends for another site's page is refused, too, except for opening the page itself.

    Args:
        app: The server.
        names: Names by which it may be called, beside addresses and localhost.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str] = ()) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in ("localhost", *names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            refusal = Problem(
                400, "Host: must be an address, localhost or a name given with --allowed-hosts", field="Host"
            )
            await refusal.response()(scope, receive, guarded)
        elif headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            refusal = Problem(403, "Requests of other web sites are refused.", field="Sec-Fetch-Site")
            await refusal.response()(scope, receive, guarded)
        elif headers.get("content-length", "0").isdecimal() and int(headers.get("content-length", "0")) > MOST_BYTES:
            refusal = wrong("body", "more", f"at most {MOST_BYTES} bytes", 413)  # FastAPI's own answer is plain text
            await refusal.response()(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)

    def _is_ours(self, host: str) -> bool:
        name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self.names
        return True
