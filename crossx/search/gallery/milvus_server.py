"""The collections of a gallery in Milvus: photos, and notes such as the encoder and skipped files."""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError, WorkError
from crossx.search.gallery.milvus_rows import IDS_AT_ONCE, one_of
from crossx.search.gallery.rows import F32, EncoderIdentity

TOKEN = "CROSSX_MILVUS_TOKEN"  # noqa: S105 - its name
"""Variable of the environment with the token, or `user:password`, of a server: a command line is seen by others."""
_SECONDS = 10.0
"""Time to reach a server."""
_PATIENCE = 30.0
"""Longest time for one answer of a server; without one, the client would try for minutes."""
_LISTS, _PROBES = 1024, 64
"""Lists of each of a server's segments, and those that a search looks into: of a million photos they lost none that
exact search finds, and a segment is about as large."""
_LONGEST_PATH = 3 * 4096 + 16
_LONGEST_NOTE = 65_535
_LONGEST_NAME = _LONGEST_PATH + 16
_PAGE = 8192
"""Ids that are read at once."""


def connect(uri: str, must_exist: bool) -> Any:  # noqa: ANN401 - a client of pymilvus, which may not be installed
    """Reach a server, or open a file.

    Args:
        uri: Address of a server, or name of a file.
        must_exist: Whether a file must be there.

    Raises:
        InputError: When pymilvus is missing, the address is none, or nobody answers.
    """
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise InputError("a gallery in Milvus needs pymilvus: pip install 'crossx[milvus]'") from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs each mistake with a trace before it raises it
    is_server = not is_file(uri)
    if is_server and not uri.startswith(("http://", "https://")):
        raise InputError(f"gallery: must be milvus:http://host:19530 or milvus:FILE.db, got milvus:{uri}")
    if not is_server and must_exist and not Path(uri).exists():
        raise InputError(f"gallery: milvus:{uri} must be a gallery, which `crossx index` makes; there is none")
    try:
        return MilvusClient(uri, token=os.environ.get(TOKEN, "") if is_server else "", timeout=_SECONDS)
    except _failures(OSError, ValueError) as error:
        raise InputError(f"gallery: milvus:{uri} cannot be opened: {_reason(error)}") from error


def is_file(uri: str) -> bool:
    """Whether a name is of a file of milvus-lite."""
    return uri.endswith(".db") and not uri.startswith(("http://", "https://"))


class Collections:
    """The two collections of a gallery; each method raises WorkError when Milvus fails.

    Args:
        client: A client of Milvus.
        name: Name of the collection of photos; the one of notes has it with `_notes`.
        uri: Where they are.
    """

    def __init__(self, client: Any, name: str, uri: str) -> None:  # noqa: ANN401 - pymilvus may not be installed
        self._client, self._photos, self._notes, self._uri = client, name, f"{name}_notes", uri
        self._probes: dict[str, int] = {}

    def open(self, encoder: EncoderIdentity | None) -> EncoderIdentity:
        """Open the gallery; make it for an encoder where it is not there.

        Args:
            encoder: The encoder; None to make nothing.

        Raises:
            InputError: When there is no gallery.
        """
        where = f"gallery: milvus:{self._uri}"
        there = [self._ask(self._client.has_collection, name) for name in (self._photos, self._notes)]
        if there == [False, False] and encoder is not None:
            self._create(encoder.dim)
            self.put_notes([note("encoder", list(encoder))])
        elif there == [False, False]:
            raise InputError(f"{where} must be a gallery, which `crossx index` makes; there is none")
        elif there != [True, True]:
            raise InputError(f"{where} must have the collections {self._photos} and {self._notes}; one is missing")
        for name in (self._photos, self._notes):
            self._ask(self._client.load_collection, name)
        index = self._ask(self._client.describe_index, self._photos, "vector") or {}
        if str(index.get("index_type", "")).startswith("IVF"):  # whoever has made another one knows its parameters
            self._probes = {"nprobe": _PROBES}
        for values in self.values("encoder"):
            return EncoderIdentity(*values)
        raise InputError(f"{where} is damaged: it does not say which encoder it is of")

    def count(self) -> int:
        """Number of photos."""
        rows = self._ask(self._client.query, self._photos, filter="", output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def put(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add photos, or replace those with the same id."""
        if rows:
            self._ask(self._client.upsert, self._photos, list(rows))

    def remove(self, ids: Iterable[int]) -> None:
        """Remove photos."""
        if ids := list(ids):
            self._ask(self._client.delete, self._photos, ids=ids)

    def rows_of(
        self, field: str, values: Sequence[int | str], fields: Sequence[str], condition: str = ""
    ) -> list[dict[str, Any]]:
        """Photos of which a field has one of some values and a condition holds, in no order."""
        found: list[dict[str, Any]] = []
        more = f" and ({condition})" if condition else ""
        for start in range(0, len(values), IDS_AT_ONCE):
            part = one_of(field, values[start : start + IDS_AT_ONCE])
            found += self._ask(self._client.query, self._photos, filter=part + more, output_fields=list(fields))
        return found

    def ids(self, after: int) -> Iterator[int]:
        """Ids of the photos above `after`, in no order."""
        pages = self._ask(
            self._client.query_iterator,
            self._photos,
            batch_size=_PAGE,
            filter=f"id > {after}",
            output_fields=["id"],
        )
        while page := self._ask(pages.next, limited=False):
            yield from (row["id"] for row in page)
        pages.close()

    def nearest(self, vector: F32, size: int, condition: str) -> list[dict[str, Any]]:
        """The most similar photos, with `sha256` and `vector`."""
        (hits,) = self._ask(
            self._client.search,
            self._photos,
            data=[vector.tolist()],
            limit=size,
            filter=condition,
            output_fields=["sha256", "vector"],
            search_params={"metric_type": "IP", "params": self._probes},
        )
        return [hit["entity"] for hit in hits]

    def put_notes(self, notes: Sequence[dict[str, Any]]) -> None:
        """Add notes, or replace those with the same name."""
        if notes:
            self._ask(self._client.upsert, self._notes, list(notes))

    def remove_notes(self, names: Sequence[str]) -> None:
        """Remove notes; unknown names are no mistake."""
        if names:
            self._ask(self._client.delete, self._notes, ids=list(names))

    def values(self, prefix: str, names: Sequence[str] | None = None) -> list[Any]:
        """Values of the notes whose names begin so, all or those with some names."""
        if names is None:
            last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            parts = [f'name >= "{prefix}" and name < "{last}"']
        else:
            parts = [one_of("name", names[i : i + IDS_AT_ONCE]) for i in range(0, len(names), IDS_AT_ONCE)]
        return [
            json.loads(row["value"])
            for part in parts
            for row in self._ask(self._client.query, self._notes, filter=part, output_fields=["value"])
        ]

    def _ask(self, method: Callable[..., Any], *args: object, limited: bool = True, **options: object) -> Any:  # noqa: ANN401
        """What a method of the client answers; `limited` where it takes a longest time.

        Raises:
            WorkError: When Milvus fails, or cannot be reached any more.
        """
        try:
            return method(*args, **options, **({"timeout": _PATIENCE} if limited else {}))
        except _failures() as error:
            raise WorkError(
                f"milvus:{self._uri} has failed: {_reason(error)}; what it has acknowledged is kept: run the same "
                "command again when it answers"
            ) from error

    def _create(self, dim: int) -> None:
        from pymilvus import DataType, MilvusClient

        photos = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        photos.add_field("id", DataType.INT64, is_primary=True)
        for name, longest in (("root", _LONGEST_PATH), ("path", _LONGEST_PATH), ("sha256", 64)):
            photos.add_field(name, DataType.VARCHAR, max_length=longest)
        for name in ("size", "mtime_ns", "width", "height"):
            photos.add_field(name, DataType.INT64)
        photos.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        notes = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        notes.add_field("name", DataType.VARCHAR, max_length=_LONGEST_NAME, is_primary=True)
        notes.add_field("value", DataType.VARCHAR, max_length=_LONGEST_NOTE)
        notes.add_field("vector", DataType.FLOAT_VECTOR, dim=len(_NO_VECTOR))  # no collection is without one
        flat: dict[str, Any] = {"index_type": "FLAT"}
        inverted = {"index_type": "IVF_FLAT", "params": {"nlist": _LISTS}}
        for name, schema, kind in (
            (self._photos, photos, flat if is_file(self._uri) else inverted),
            (self._notes, notes, flat),
        ):
            indexes = MilvusClient.prepare_index_params()
            indexes.add_index("vector", metric_type="IP", **kind)
            about = {"schema": schema, "index_params": indexes, "consistency_level": "Strong"}  # who adds also finds
            self._ask(self._client.create_collection, name, **about)


def _failures(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What pymilvus raises: its own errors, those of gRPC that it does not try again, and some more."""
    from grpc import RpcError
    from pymilvus.exceptions import MilvusException

    return MilvusException, RpcError, *more


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", error)).split())[:200]


_NO_VECTOR = (1.0, 0.0)


def note(name: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - what JSON holds
    """A note as Milvus has it."""
    return {"name": name, "value": json.dumps(value), "vector": list(_NO_VECTOR)}
