"""The routes of the API, version 1: search, photos, and what the gallery is."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from crossx.search.formats import MOST_PIXELS, MOST_SVG_BYTES
from crossx.search.names import escaped_folder, folder_of, printable
from crossx.search.photo_files import NoPhotoError
from crossx.search.photo_pictures import full, original
from crossx.search.serve import answers
from crossx.search.serve.limits import (
    MOST_BYTES,
    MOST_OFFSET,
    MOST_RESULTS,
    SECONDS,
)
from crossx.search.serve.problems import Problem, wrong
from crossx.search.serve.queries import PICTURES, Understood
from crossx.search.serve.searching import Page
from crossx.search.serve.server import Server
from crossx.search.serve.thumbs import SIZES
from crossx.search.serve.times import Times

_Id = Annotated[int, Path(ge=1, lt=2**63, description="Number of a photo")]
_SKETCH_JSON = {
    "type": "object",
    "required": ["strokes"],
    "properties": {
        "strokes": {
            "description": "As Quick, Draw! has them: for each stroke all x, then all y; x to the right, y down",
            "type": "array",
            "items": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        }
    },
}
_PHOTO_JSON = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
_CLASS_JSON = {"type": "object", "required": ["class"], "properties": {"class": {"type": "string"}}}


def _page(
    k: Annotated[int, Query(ge=1, le=MOST_RESULTS, description="Number of photos")] = 20,
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET, description="Number of best photos to leave out")] = 0,
    under: Annotated[str, Query(max_length=4096, description="Folder below the indexed one; %41 is A")] = "",
    exact: Annotated[bool, Query(description="Whether to compare every photo")] = False,
) -> Page:
    folder = folder_of(under)
    if folder.startswith("/") or "\0" in folder:
        raise wrong("under", under, "a folder below the indexed one, such as holidays/2026")
    return Page(k, offset, folder, exact)


_PageOf = Annotated[Page, Depends(_page)]


def _bodies(json: dict[str, Any], *pictures: str) -> dict[str, Any]:
    """What a route reads, for OpenAPI."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"content": {"application/json": {"schema": json}} | dict.fromkeys(pictures, binary)}}


def router(server: Server) -> APIRouter:
    """The routes for one server."""
    api = APIRouter(prefix="/api/v1")

    async def answer(request: Request, page: Page, read: Callable[[str, bytes, Times], Understood]) -> answers.Answer:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await server.bodies.read(request)

        def work() -> answers.Answer:
            times = Times()
            return server.searcher.answer(read(kind, body, times), page, times)

        return await server.searches.run(request, work)

    @api.post("/search/sketch", openapi_extra=_bodies(_SKETCH_JSON, *PICTURES, "image/svg+xml"))
    async def search_sketch(request: Request, page: _PageOf) -> answers.Answer:
        """Find photos for a drawing: strokes, or a picture of it."""
        return await answer(request, page, server.searcher.queries.sketch)

    @api.post("/search/photo", openapi_extra=_bodies(_PHOTO_JSON, *PICTURES))
    async def search_photo(request: Request, page: _PageOf) -> answers.Answer:
        """Find photos that show the same kind of thing as a photo: a picture, or one of the gallery."""
        return await answer(request, page, partial(server.searcher.queries.photo, server.gallery))

    @api.post("/search/class", openapi_extra=_bodies(_CLASS_JSON))
    async def search_class(request: Request, page: _PageOf) -> answers.Answer:
        """Find photos of a class that the encoder knows."""
        return await answer(request, page, server.searcher.queries.named)

    @api.get("/gallery")
    async def gallery(request: Request) -> answers.Gallery:
        """What is searched, and by what."""
        return await server.searches.run(request, describe)

    def describe() -> answers.Gallery:
        status = server.gallery.status()
        limits = {"bytes": MOST_BYTES, "pixels": MOST_PIXELS, "svg_bytes": MOST_SVG_BYTES, "k": MOST_RESULTS}
        return answers.Gallery(
            count=status.photos,
            classes=list(server.searcher.queries.classes),
            encoder=server.searcher.queries.about(),
            limits={**limits, "offset": MOST_OFFSET, "seconds": SECONDS},
            engine=status.kind,
            recall=status.recall,
            indexing=server.indexing,
            notes=list(status.notes),
        )

    @api.get("/photos/{id}")
    def photo(id: _Id) -> answers.PhotoDetails:  # noqa: A002 - the name in the address
        """What is known of a photo."""
        found = server.photo(id)
        folder, _, name = found.path.rpartition("/")
        return answers.PhotoDetails(
            id=id,
            name=printable(name),
            folder=escaped_folder(folder),
            width=found.width,
            height=found.height,
            size=found.size,
            thumb=answers.thumb_address(id),
        )

    async def picture(request: Request, work: Callable[[], tuple[bytes, str]], seconds: int) -> Response:
        try:
            content, kind = await server.pictures.run(request, work)
        except NoPhotoError as error:
            raise Problem(404, "This photo's file is not there any more, or cannot be shown.") from error
        return Response(content, media_type=kind, headers={"Cache-Control": f"private, max-age={seconds}"})

    @api.get("/photos/{id}/thumb", response_class=Response)
    async def thumb(request: Request, id: _Id, size: int = 320) -> Response:  # noqa: A002 - the name in the address
        """A small JPEG of a photo."""
        if size not in SIZES:
            raise wrong("size", size, f"one of {', '.join(map(str, SIZES))}")
        return await picture(request, lambda: (server.thumbs.get(server.photo(id), size), "image/jpeg"), 3600)

    @api.get("/photos/{id}/full", response_class=Response)
    async def whole(request: Request, id: _Id) -> Response:  # noqa: A002 - the name in the address
        """The whole photo: a JPEG without EXIF, or the file itself where the server is allowed to give it."""
        if server.settings.originals:
            return await picture(request, lambda: original(server.photo(id)), 60)
        return await picture(request, lambda: (full(server.photo(id)), "image/jpeg"), 60)

    return api
