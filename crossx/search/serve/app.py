"""The application: the page, the API, health and numbers, behind the guards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request, Response
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from crossx.core.version import __version__
from crossx.search.serve import problems
from crossx.search.serve.api import router
from crossx.search.serve.limits import MOST_BYTES
from crossx.search.serve.metrics import TYPE, Counted
from crossx.search.serve.page_files import read_page
from crossx.search.serve.problems import Problem, unable
from crossx.search.serve.security import Guard
from crossx.search.serve.server import Server

_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def create_app(server: Server) -> FastAPI:
    """Build the application around the parts of a server."""
    index, page = read_page()

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(server.follower.run()) if server.follower else None
        yield
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        server.close()

    # The documentation page would load its scripts from elsewhere.
    app = FastAPI(
        title="crossx",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=living,
    )
    problems.install(app)
    app.include_router(router(server))

    @app.get("/", include_in_schema=False)
    async def home() -> Response:
        return Response(index, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in page:
            raise Problem(404, "There is no such file.")
        return Response(page[name].content, media_type=page[name].media_type, headers=_FOR_EVER)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the server is alive."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz(request: Request) -> dict[str, str]:
        """Whether it can answer: the gallery is open, and the encoder gives the vectors of its reference."""

        def look() -> None:
            server.gallery.count()
            server.searcher.queries.check()

        try:
            await server.searches.run(request, look)
        except Problem:
            raise
        except Exception as error:  # whatever it is, the server is not ready
            raise unable("not ready", error) from error
        return {"status": "ready"}

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(server.metrics.text(), media_type=TYPE)

    # As FastAPI's own argument it would stand before the guard, and answer in plain text.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MOST_BYTES)
    app.add_middleware(Counted, metrics=server.metrics)
    app.add_middleware(Guard, names=server.settings.hosts)
    return app
