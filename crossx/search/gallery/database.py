"""The file that holds a gallery's truth: SQLite with a write-ahead log, each commit on the disk before it returns."""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from crossx.core.errors import InputError, WorkError

APPLICATION = 0x63726F78  # "crox"
VERSION = 1
IN_ONE_QUERY = 500
"""Values of one `IN (...)`: far below SQLite's limit, and a query's plan costs little beside them."""
_FULL = ("disk is full", "disk I/O error", "readonly database", "unable to open")


class Database:
    """An open database; reads from any thread, writes from one at a time.

    Args:
        path: The file.
        write: Whether to open it for writing; makes the tables where there are none.

    Raises:
        InputError: When it is not there, not a gallery, of another version, or damaged.
    """

    def __init__(self, path: Path, write: bool) -> None:
        self.path, self._write = path, write
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        if not write and not path.is_file():
            raise InputError(
                f"gallery: {path.parent} must be a gallery, which `crossx index` makes; it has no {path.name}"
            )
        with self._problems():
            application, version = (self._one(f"PRAGMA {name}") for name in ("application_id", "user_version"))
            if write and (application, version) == (0, 0) and not self._one("SELECT count(*) FROM sqlite_master"):
                self._make_tables()
                version, application = VERSION, APPLICATION
        if application != APPLICATION:
            raise InputError(f"gallery: {path} must be the database of a gallery, got another kind of SQLite file")
        if version != VERSION:
            raise InputError(f"gallery: {path} must be of version {VERSION}, which this crossx reads, got {version}")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._problems():
            return self._connection().execute(sql, values).fetchall()

    def each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one by one."""
        with self._problems():
            yield from self._connection().execute(sql, values)

    def rows_in(self, sql: str, values: Sequence[Any], first: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query that has `IN (?)`, which is filled with any number of values.

        Args:
            sql: The query.
            values: The values of `IN`.
            first: Values of the parameters before it.
        """
        for start in range(0, len(values), IN_ONE_QUERY):
            part = values[start : start + IN_ONE_QUERY]
            marks = ", ".join("?" * len(part))
            yield from self.rows(sql.replace("IN (?)", f"IN ({marks})"), (*first, *part))

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._connection().execute(sql, values)

    def run_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once a row."""
        self._connection().executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A block that happens wholly, durable at its end, or not at all."""
        with self._lock, self._problems():
            self.run("BEGIN IMMEDIATE")
            try:
                yield
                self.run("COMMIT")
            except BaseException:
                if self._connection().in_transaction:  # a full disk has ended it already
                    self.run("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A block in which all reads of this thread see one committed state."""
        with self._problems():
            self.run("BEGIN")
            try:
                yield
            finally:
                self.run("ROLLBACK")

    def check(self) -> list[str]:
        """What SQLite itself finds wrong; empty where the file is whole."""
        try:
            found = [row[0] for row in self._connection().execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            found = [str(error)]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._local = threading.local()

    def _one(self, sql: str) -> Any:  # noqa: ANN401 - any value of SQLite
        return self._connection().execute(sql).fetchone()[0]

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        # In a folder that cannot be written, SQLite reads a log only when its shared memory exists; with no log there
        # is nothing to share, and the file is what it is.
        sealed = not self._write and not os.access(self.path.parent, os.W_OK) and not self._log().exists()
        mode = "rwc" if self._write else "ro&immutable=1" if sealed else "ro"
        name = self.path.absolute().as_uri()
        connection = sqlite3.connect(
            f"{name}?mode={mode}", uri=True, timeout=30, isolation_level=None, check_same_thread=False
        )
        if self._write:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")

    def _make_tables(self) -> None:
        schema = files("crossx.search.gallery").joinpath("schema.sql").read_text()
        self._connection().executescript(
            f"BEGIN IMMEDIATE; {schema} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
        )

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """Turn errors of SQLite into what the user can do about them."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if isinstance(error, sqlite3.OperationalError) and any(word in text for word in _FULL):
                if not self._write:
                    raise InputError(f"gallery: {self.path} cannot be read ({text})") from error
                raise WorkError(
                    f"{self.path} cannot be written ({text}); all that was committed is kept: make room, or make "
                    "the folder writable, and run the same command again"
                ) from error
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise  # a bug, and no damage
            raise damaged(self.path, text) from error


def damaged(path: Path, what: str) -> InputError:
    """The error about a damaged database.

    Args:
        path: The file.
        what: Where and what the damage is.
    """
    return InputError(
        f"gallery: {path} is damaged ({what}); put a copy back in its place, or make the gallery again with "
        "`crossx index` in a new folder: the photos themselves are not touched"
    )
