"""The SQLite file: how it is found, locked and opened.

Rule:    one gateway a file (an OS lock beside it, gone with its process); operators' commands come beside it in short
         transactions. Every writing transaction takes the write lock when it begins, so it never fails half-way for it.
Errors:  ConfigError, one clear line, for a file that cannot be used; it is never replaced by an empty one.
         StoreUnavailable for a driver's error later on.
Source:  https://www.sqlite.org/wal.html (durable at commit only with `synchronous=FULL`; before 3.51.3 two connections
         that checkpoint can meet in the WAL-reset bug, so only the gateway's one writer checkpoints).
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from greyfox_core.errors import ConfigError, StoreUnavailable

BUSY_SECONDS = 5.0
_CHECKPOINT_PAGES = 1000
_HEADER = b"SQLite format 3\x00"


def unavailable() -> StoreUnavailable:
    """The refusal for a database that does not answer; what went wrong stays in our log."""
    return StoreUnavailable(
        "GreyFox cannot write to its database, so it cannot count this request and refuses it. Try again shortly.",
        retry_after=1,
    )


@contextmanager
def unavailable_on_driver_error() -> Iterator[None]:
    """Turn what a driver raises into StoreUnavailable."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise unavailable() from error


class FileLock:
    """Held by the one gateway of a database. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        """Raises ConfigError where another process holds it or it cannot be made."""
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be made ({error.strerror}); the database's folder must be writable"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise ConfigError(
                f"{database}: another gateway uses this database (process {holder}); "
                "stop it, or give this one another `store`"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        os.close(self._file)


class Database:
    """Opens connections to one file that must exist.

    `writing` and `reading` are for short transactions off the event loop; `journal` is for the gateway's one writer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writing = self._engine("BEGIN IMMEDIATE")
        self.reading = self._engine("BEGIN")
        self.journal = self._engine("BEGIN IMMEDIATE", checkpoints=True)

    def connect(self, *, checkpoints: bool = False) -> sqlite3.Connection:
        """A connection in autocommit mode, for any thread but one at a time. Raises sqlite3.Error."""
        # mode=rw: a file that has gone is an error and not a new, empty database.
        uri = f"{self.path.resolve().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES if checkpoints else 0}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _engine(self, begin: str, *, checkpoints: bool = False) -> Engine:
        engine = create_engine("sqlite://", creator=partial(self.connect, checkpoints=checkpoints), poolclass=NullPool)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


def open_file(path: Path) -> Database:
    """Make the file where there is none; look whether SQLite can write it. Raises ConfigError."""
    _make(path)
    database = Database(path)
    try:
        with path.open("rb") as file:
            start = file.read(len(_HEADER))
        if start and start != _HEADER:
            raise ConfigError(
                f"{path}: not a SQLite database, or damaged; restore a backup or name another file in `store`"
            )
        connection = database.connect()
        try:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and "alembic_version" not in tables:
                raise ConfigError(f"{path}: a database of another program; name another file in `store`")
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise ConfigError(f"{path}: SQLite cannot use its write-ahead log here (a network file system?)")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(f"{path}: the database cannot be opened for writing ({_words(error)})") from error
    return database


def check_pages(database: Database) -> None:
    """SQLite's own check of every page. Raises ConfigError, naming what is wrong first."""
    try:
        connection = database.connect()
        try:
            verdict = " ".join(connection.execute("PRAGMA quick_check(1)").fetchone()[0].split())
        finally:
            connection.close()
    except sqlite3.Error as error:
        verdict = _words(error)
    if verdict != "ok":
        raise ConfigError(f"{database.path}: the database is damaged ({verdict}); restore a backup")


def _make(path: Path) -> None:
    if path.exists():
        if not path.is_file():
            raise ConfigError(f"{path}: not a file")
        return
    if path.with_name(path.name + "-wal").exists():
        raise ConfigError(
            f"{path}: missing, though its write-ahead log is there; restore the database beside it, or a backup"
        )
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made ({_words(error)})") from error


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else type(error).__name__
