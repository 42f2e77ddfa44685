"""Refusals as the API says them: problem+json (RFC 9457), with the field, the value and what is legal."""

import json
import logging
import sqlite3
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from crossx.core.errors import InputError, WorkError

MEDIA_TYPE = "application/problem+json"
_LONGEST = 100
"""Characters of a bad value that are sent back."""
_OURS = (InputError, WorkError, OSError, sqlite3.Error, MemoryError)
"""Faults of gallery, encoder or machine. A mistake of the client is a `Problem` by the time that it gets here."""
_log = logging.getLogger(__name__)
_TITLES = {400: "Bad request", 404: "Not found", 405: "Method not allowed", 413: "Too large"}


class Problem(Exception):  # noqa: N818 - the name of the RFC
    """A request that is refused.

    Args:
        status: HTTP status.
        detail: One sentence for the user; no path of this machine.
        field: What the client set.
        value: What it was set to.
        legal: What it must be.
        hint: A word for the page about what to do instead, such as `photo`.
        headers: Further headers, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        value: object = None,
        legal: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        shown = None if value is None else _short(value)
        content = {"field": field, "value": shown, "legal": legal, "hint": hint}
        self.content = {"detail": detail} | {name: part for name, part in content.items() if part is not None}

    def response(self) -> Response:
        """The refusal as a response."""
        return respond(self.status, self.content, self.headers)


def wrong(field: str, value: object, legal: str, status: int = 422) -> Problem:
    """A value that is not what it must be."""
    return Problem(status, f"{field}: must be {legal}, got {_short(value)}", field=field, value=value, legal=legal)


def unable(what: str, error: Exception) -> Problem:
    """A fault of this machine: the log has the reason, which may name its files, and the answer a fixed sentence.

    Args:
        what: What could not be done, for the log.
        error: The reason.
    """
    _log.error("%s: %s", what, error, exc_info=error)
    return Problem(503, "The server cannot answer at the moment; its log has the reason.")


def respond(status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    """A problem+json response."""
    title = _TITLES.get(status, "The request was refused" if status < 500 else "The server could not answer")
    body = json.dumps({"type": "about:blank", "title": title, "status": status, **content})
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every refusal of an app be problem+json."""

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - as registered
        return error.response()

    async def fault(request: Request, error: Exception) -> Response:
        return unable(request.url.path, error).response()

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as registered
        return respond(error.status_code, {"detail": str(error.detail)}, error.headers)

    async def validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as registered
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return wrong(field, first.get("input"), f"valid ({first['msg'].lower()})").response()

    async def bug(_: Request, __: Exception) -> Response:
        return respond(500, {"detail": "The server has a fault; its log has the reason."})

    app.add_exception_handler(Problem, problem)
    for kind in _OURS:
        app.add_exception_handler(kind, fault)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Exception, bug)


def _short(value: object) -> str:
    text = str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return text.encode("utf-8", "replace").decode()
