"""What the API answers, as OpenAPI describes it."""

from typing import Literal

from pydantic import BaseModel, Field

Verdict = Literal["likely", "possible", "unlikely"]


class Guess(BaseModel):
    """A class that the encoder sees in the query."""

    name: str = Field(serialization_alias="class", description="Name of the class")
    p: float = Field(description="Probability, in [0, 1]")


class Query(BaseModel):
    """The query as it was understood."""

    kind: Literal["sketch", "photo", "class"]
    seen: str | None = Field(description="What the encoder saw: a PNG as a data address")
    warnings: list[str] = Field(description="What was done to the picture")
    guesses: list[Guess] = Field(description="Most probable classes first; empty where the encoder knows no classes")


class Result(BaseModel):
    """A photo that was found."""

    id: int
    score: float = Field(description="Cosine of query and photo; comparable within one answer alone")
    verdict: Verdict | None = Field(description="From the encoder's calibration; null where it has none")
    name: str = Field(description="Name of the file")
    folder: str = Field(
        description="Folder below the indexed one, as `under` takes it: percent signs and what cannot be shown escaped"
    )
    width: int
    height: int
    thumb: str = Field(description="Address of a small picture")
    copies: list[int] = Field(description="Ids of photos with the same content")


class Milliseconds(BaseModel):
    """Where the time went."""

    prepare: float
    embed: float
    search: float


class Answer(BaseModel):
    """Photos for a query."""

    query: Query
    results: list[Result]
    exact: bool = Field(description="Whether every photo was compared")
    recall: float | None = Field(description="Share of the true first ten that are found, measured on this gallery")
    ms: Milliseconds
    next: int | None = Field(description="`offset` of the following results; null at the end")


class Gallery(BaseModel):
    """What is searched, and by what."""

    count: int
    classes: list[str] = Field(description="Classes that can be asked for by name")
    encoder: dict[str, object] = Field(description="The encoder's card")
    limits: dict[str, int | float]
    engine: str
    recall: float | None
    indexing: bool = Field(description="Whether photos are being added")
    notes: list[str] = Field(description="What was wrong with index files, and what was done")


class PhotoDetails(BaseModel):
    """A photo of the gallery."""

    id: int
    name: str
    folder: str
    width: int
    height: int
    size: int = Field(description="Bytes of the file when it was indexed")
    thumb: str


def thumb_address(number: int, side: int = 320) -> str:
    """Address of a small picture."""
    return f"/api/v1/photos/{number}/thumb?size={side}"
