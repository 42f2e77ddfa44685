"""The file that holds a gallery's truth: SQLite with a write-ahead log, each commit on the disk before it returns."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from crossx.core.errors import InputError, WorkError

APPLICATION = 0x63726F78  # "crox"
VERSION = 1
IN_ONE_QUERY = 500
"""Values of one `IN (...)`: far below SQLite's limit, and a query's plan costs little beside them."""
_FULL = ("disk is full", "disk I/O error", "readonly database", "unable to open")
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PATIENCE = 30.0
"""Seconds to wait for another program's lock."""
_Look: TypeAlias = tuple[int, int, int]


class _Open(NamedTuple):
    """A connection of one thread.

    Attributes:
        thread: The thread.
        connection: The connection.
        sealed: What the file was when a connection was opened that takes it to be unchangeable; None for another one.
    """

    thread: threading.Thread
    connection: sqlite3.Connection
    sealed: _Look | None


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
        self._open: list[_Open] = []
        self._lock, self._opening = threading.Lock(), threading.Lock()
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
        with self._problems():
            try:
                found = [row[0] for row in self._connection().execute("PRAGMA integrity_check")]
            except sqlite3.DatabaseError as error:
                if _is_busy(error):
                    raise
                found = [str(error)]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._opening:
            for entry in self._open:
                entry.connection.close()
            self._open.clear()
            self._local = threading.local()

    def _one(self, sql: str) -> Any:  # noqa: ANN401 - any value of SQLite
        return self._connection().execute(sql).fetchone()[0]

    def _connection(self) -> sqlite3.Connection:
        entry: _Open | None = getattr(self._local, "entry", None)
        if entry is None or (entry.sealed and not entry.connection.in_transaction and entry.sealed != self._look()):
            with self._opening:  # threads come and go, such as those of a server; their connections would stay
                idle = [other for other in self._open if other is entry or not other.thread.is_alive()]
                for other in idle:
                    other.connection.close()
                self._open = [other for other in self._open if other not in idle]
                entry = _Open(threading.current_thread(), *self._connect())
                self._open.append(entry)
            self._local.entry = entry
        return entry.connection

    def _connect(self) -> tuple[sqlite3.Connection, _Look | None]:
        connection = self._connected("rwc" if self._write else "ro")
        try:
            if self._write:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
            else:
                connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            # A reader who may not write in the folder cannot make the memory that is shared with writers. While there
            # is no log, nobody writes, and the file can be read as it is, until it is another one.
            look = self._look()
            if self._write or _code(error) != sqlite3.SQLITE_CANTOPEN or look is None:
                raise
            return self._connected("ro&immutable=1"), look
        return connection, None

    def _connected(self, mode: str) -> sqlite3.Connection:
        name = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(name, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)

    def _look(self) -> _Look | None:
        """What tells a file from a later one; None where there is a log, and so perhaps a writer."""
        if self.path.with_name(f"{self.path.name}-wal").exists():
            return None
        about = self.path.stat()
        return about.st_ino, about.st_size, about.st_mtime_ns

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
            if _is_busy(error):
                raise WorkError(f"{self.path} is being used by another program ({text}); try again") from error
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


def _code(error: sqlite3.DatabaseError) -> int:
    """The primary one of SQLite's error codes; 0 where it is none of SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    return _code(error) in _BUSY


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
