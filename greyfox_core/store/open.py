"""Open the database: lock, look at the file, migrate, number this start.

Errors:  ConfigError, one clear line, where the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, select

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.clock import Clock
from greyfox_core.errors import ConfigError, StoreUnavailable
from greyfox_core.quota.ports import Adjusted, Changes, Overrides
from greyfox_core.store import schema
from greyfox_core.store.counters import SqliteCounters
from greyfox_core.store.engine import Database, FileLock, check_pages, open_file, unavailable_on_driver_error
from greyfox_core.store.journal import SqliteJournal
from greyfox_core.store.keys import SqliteKeys, read_keys
from greyfox_core.store.operations import new_boot, read_overrides
from greyfox_core.store.recovery import Recovered, recover
from greyfox_core.store.reports import Reports
from greyfox_core.store.tables import counters, epochs


def open_store(
    path: Path, clock: Clock, *, exclusive: bool = True, reached: Callable[[str], None] | None = None
) -> Store:
    """Open the database at `path` and make it where there is none. Blocks: before the event loop serves.

    `exclusive` is for the gateway: it holds the file's lock, and its journal runs. Commands of operators open the
    database beside it without. `reached` is told the crash points as they are passed; tests end the process there.
    """
    lock = FileLock(path) if exclusive else None
    try:
        database = open_file(path)
        if exclusive:
            check_pages(database)
        schema.ensure(database, owner=exclusive)
        return Store(database, clock, lock, reached or _nothing)
    except BaseException:
        if lock is not None:
            lock.release()
        raise


class Store:
    """The open database, by what each part of the house needs of it."""

    def __init__(self, database: Database, clock: Clock, lock: FileLock | None, reached: Callable[[str], None]) -> None:
        self._database = database
        self._clock = clock
        self._lock = lock
        self._reached = reached
        self._seen = _Seen()
        self.keys = SqliteKeys(database, clock)
        self.reports = Reports(database)
        self._gateway = None if lock is None else _Gateway.start(database, clock, reached)

    @property
    def boot(self) -> int:
        """The number of this start."""
        return self._of_gateway().boot

    @property
    def journal(self) -> SqliteJournal:
        return self._of_gateway().journal

    @property
    def counters(self) -> SqliteCounters:
        return self._of_gateway().counters

    def recover(self) -> Recovered:
        """Book what earlier runs left open. Before anything is admitted. Blocks; raises StoreUnavailable."""
        return recover(self._database, self.boot, self._clock.now(), self._reached)

    def overrides(self) -> Overrides:
        """Limits that operators have set. Blocks; raises StoreUnavailable."""
        with unavailable_on_driver_error(), self._database.reading.connect() as connection:
            return read_overrides(connection)

    async def changes(self) -> Changes:
        """What other processes changed since the last call; the first call tells all. Keys are refreshed on the way.

        Cheap where nothing changed: call it twice a second. Raises StoreUnavailable; then nothing counts as seen.
        """
        at = self._clock.monotonic()
        journal, seen = self.journal, self._seen
        looked: _Look = await journal.call(lambda connection: _look(connection, seen, journal.generation))
        self._seen = looked.seen
        self.keys.looked(looked.keys, at)
        return looked.changes

    def close(self) -> None:
        """Write what waits and let go of the file. Blocks."""
        if self._gateway is not None:
            self._gateway.journal.stop()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _of_gateway(self) -> _Gateway:
        if self._gateway is None:
            raise StoreUnavailable("This database was opened beside the gateway: only the gateway admits requests.")
        return self._gateway


@dataclass(frozen=True, slots=True)
class _Gateway:
    """What only the one writer of a database has."""

    boot: int
    journal: SqliteJournal
    counters: SqliteCounters

    @classmethod
    def start(cls, database: Database, clock: Clock, reached: Callable[[str], None]) -> _Gateway:
        try:
            with unavailable_on_driver_error(), database.writing.begin() as connection:
                boot = new_boot(connection, clock.now())
        except StoreUnavailable as error:
            raise ConfigError(f"{database.path}: the database cannot be written ({error.__cause__})") from error
        journal = SqliteJournal(database, boot, reached=reached)
        journal.start()
        return cls(boot, journal, SqliteCounters(database, journal))


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far changes are known: SQLite's data version on one connection, and our epochs."""

    version: tuple[int, int] | None = None
    quotas: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    seen: _Seen
    changes: Changes
    keys: tuple[KeyRecord, ...] | None


def _look(connection: Connection, seen: _Seen, generation: int) -> _Look:
    # The data version changes with every commit of another connection, and with none of this one.
    version = (generation, int(connection.exec_driver_sql("PRAGMA data_version").scalar_one()))
    if version == seen.version:
        return _Look(seen, Changes(), None)
    now = {row.name: row.value for row in connection.execute(select(epochs))}
    changes, keys = Changes(), None
    if now["quotas"] != seen.quotas:
        adjusted = connection.execute(select(counters).where(counters.c.adjusted_epoch > seen.quotas))
        changes = Changes(
            read_overrides(connection),
            tuple(Adjusted(row.id, row.adjusted_input, row.adjusted_output) for row in adjusted),
        )
    if now["keys"] != seen.keys:
        keys = read_keys(connection)
    return _Look(replace(seen, version=version, quotas=now["quotas"], keys=now["keys"]), changes, keys)


def _nothing(point: str) -> None:
    """No crash point is armed."""
