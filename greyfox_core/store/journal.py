"""The journal: a thread that writes what the event loop hands it, all that waits in one transaction with one fsync.

Whoever waits, waits for the group that holds its entry, never for a timer: a group is what one turn of the loop handed
in, and whatever came while the last group was being written. What nobody waits for (ends, rows of hits and refusals)
goes along with the next group, after `_LAZY` seconds by itself. The order in which the loop handed entries in is kept.

When a write fails, the reservations of that group fail, and the next group first looks whether they were written after
all (a commit can fail after it succeeded) and releases those; ends and charged rows stay and are tried again until
they are written. Meanwhile no reservation is taken. The journal tries by itself and recovers by itself.

Errors:  StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from greyfox_core.quota.attempt import Reservation, Settled, Settlement
from greyfox_core.quota.ports import Closing, Line
from greyfox_core.store.engine import Database, unavailable
from greyfox_core.store.group import UNSTORABLE, Entry, Unexpected, write, write_with_care
from greyfox_core.store.rows import first_id
from greyfox_core.store.waiting import Future, tell
from greyfox_core.values.usage import Usage

log = logging.getLogger("greyfox.store")

_GROUP = 1000  # entries after which a transaction takes no more
_LAZY = 0.05  # seconds
_BACK_OFF = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds between tries while the database does not work
_LAST_TRIES = 5


@dataclass(slots=True)
class _Awaited:
    """What `waiter` waits for.

    A reservation to be written, a call to be made in the transaction, or nothing but its end.
    """

    waiter: Future
    entry: Reservation | None = None
    call: Callable[[Connection], Any] | None = None


_Item = _Awaited | Closing | Line


class SqliteJournal:
    """Implements greyfox_core.quota.ports.Journal. Entries are handed in from event loops, written by one thread."""

    def __init__(self, database: Database, boot: int, *, reached: Callable[[str], None], most: int = 50_000) -> None:
        """`boot` numbers this start; `reached` is told each crash point; `most` bounds what may wait."""
        self._database = database
        self._boot = boot
        self._reached = reached
        self._committed: Callable[[int, float], None] | None = None
        self._most = most
        self._ids = count(first_id(boot))
        self._queue: SimpleQueue[list[_Item] | None] = SimpleQueue()
        self._gathered: list[_Item] = []
        self._sending: asyncio.Handle | None = None  # when what is gathered goes to the thread
        self._sending_soon = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handed_in = self._taken = 0  # entries so far; each has one thread that counts it
        self._backlog: list[_Item] = []
        self._connection: Connection | None = None
        self._identity: tuple[int, int] | None = None
        self.generation = 0
        """Grows with each connection to the database: what one connection told says nothing of the next."""
        self._failing = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="greyfox-journal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write all that waits, then end. Blocks. What a broken database leaves open is recovered at the next start."""
        if not self._stopped:
            self._stopped = True
            self._send()
            self._queue.put(None)
            self._thread.join()

    def watch_commits(self, committed: Callable[[int, float], None]) -> None:
        """Tell `committed` of each group, from the thread: how many entries, and the seconds that it took."""
        self._committed = committed

    @property
    def failing(self) -> bool:
        """Whether the last write failed."""
        return self._failing

    @property
    def waiting(self) -> int:
        """How many entries wait to be written."""
        return self._handed_in - self._taken + len(self._backlog)

    def next_id(self) -> int:
        return next(self._ids)

    def reserve(self, reservation: Reservation) -> Awaitable[None]:
        self._refuse_if_full()
        return self._await(_Awaited(asyncio.get_running_loop().create_future(), entry=reservation))

    def close(self, closing: Closing) -> None:
        self._hand_in(closing, soon=False)

    def line(self, line: Line) -> bool:
        if not line.charges and (self._failing or self._stopped or self.waiting >= self._most):
            return False
        self._hand_in(line, soon=False)
        return True

    async def written(self) -> None:
        if self._stopped:
            raise unavailable()
        await self._await(_Awaited(asyncio.get_running_loop().create_future()))

    async def call(self, call: Callable[[Connection], Any]) -> Any:
        """Run `call` in the writer's transaction, after all that was handed in before; its result, once durable."""
        self._refuse_if_full()
        return await self._await(_Awaited(asyncio.get_running_loop().create_future(), call=call))

    def _refuse_if_full(self) -> None:
        if self._failing or self._stopped or self.waiting >= self._most:
            raise unavailable()

    def _await(self, item: _Awaited) -> Future:
        self._hand_in(item, soon=True)
        return item.waiter

    def _hand_in(self, item: _Item, *, soon: bool) -> None:
        """Gather what one turn of the loop brings: the thread is woken once for all of it."""
        self._handed_in += 1
        self._gathered.append(item)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody to come back later
            self._send()
            return
        if self._sending is not None and self._loop is loop and (self._sending_soon or not soon):
            return
        if self._sending is not None:
            self._sending.cancel()
        self._loop = loop
        self._sending = loop.call_soon(self._send) if soon else loop.call_later(_LAZY, self._send)
        self._sending_soon = soon

    def _send(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    # What follows runs in the thread.

    def _run(self) -> None:
        tries = 0
        stopping = False
        while not stopping or self._backlog:
            items, stop = self._take(None if not tries else _BACK_OFF[min(tries, len(_BACK_OFF)) - 1], stopping)
            stopping = stopping or stop
            items = self._backlog + items
            self._backlog = []
            if not items and not tries:
                continue
            if self._commit(items):
                tries = 0
            else:
                tries += 1
                if stopping and tries >= _LAST_TRIES:
                    break
        if self._backlog:
            log.error(
                "%d ledger entries could not be written; their reservations are booked at the next start",
                len(self._backlog),
            )
            tell((item.waiter, unavailable()) for item in self._backlog if isinstance(item, _Awaited))
        self._disconnect()

    def _take(self, patience: float | None, stopping: bool) -> tuple[list[_Item], bool]:
        """All that waits, at least one unless patience (seconds) runs out; and whether it is time to stop."""
        items: list[_Item] = []
        stop = False
        try:
            if stopping:
                time.sleep(patience or 0)
                sent = self._queue.get_nowait()
            else:
                sent = self._queue.get(timeout=patience)
            while True:
                if sent is None:
                    stop = True
                else:
                    items += sent
                if len(items) >= _GROUP:
                    break
                sent = self._queue.get_nowait()
        except Empty:
            pass
        self._taken += len(items)
        return items, stop

    def _commit(self, items: list[_Item]) -> bool:
        """Write a group and tell who waits. False where the database does not work; the group is then taken care of."""
        awaited: list[_Awaited] = []
        entries: list[Entry] = []
        for item in items:
            if isinstance(item, _Awaited):
                awaited.append(item)
                if item.entry is not None:
                    entries.append(item.entry)
            else:
                entries.append(item)
        began = time.monotonic()
        try:
            failed = self._write(self._connect(), entries, awaited)
        except Exception as error:
            # Also what nobody foresaw: the thread must live, or nothing is ever admitted again.
            self._fail(items, error)
            return False
        if self._failing:
            self._failing = False
            log.warning("the database works again")
        tell((item.waiter, failed.get(id(item.entry))) for item in awaited if item.call is None)
        if entries and self._committed is not None:
            self._committed(len(entries), time.monotonic() - began)
        return True

    def _write(self, connection: Connection, entries: list[Entry], awaited: list[_Awaited]) -> dict[int, Exception]:
        """One transaction: entries, then calls, then the commit. Those that failed alone, by the entry's identity."""
        failed: dict[int, Exception] = {}
        kinds = set(map(type, entries))
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        transaction = connection.begin()
        if self._failing:  # a read would succeed on a full disk
            connection.exec_driver_sql("UPDATE boots SET probes = probes + 1 WHERE id = ?", (self._boot,))
        try:
            write(driver, entries, self._boot)
        except (Unexpected, *UNSTORABLE):
            transaction.rollback()
            transaction = connection.begin()
            for entry, error in write_with_care(driver, entries, self._boot):
                log.error("a ledger entry cannot be stored: %s", type(error).__name__)
                failed[id(entry)] = unavailable()
        results = [self._call(connection, item, item.call) for item in awaited if item.call is not None]
        self._announce("before", kinds)
        transaction.commit()
        self._announce("after", kinds)
        tell(results)
        return failed

    def _call(self, connection: Connection, item: _Awaited, call: Callable[[Connection], Any]) -> tuple[Future, Any]:
        # Not `begin_nested`: it gives each savepoint a new name, and the driver keeps a prepared statement for each.
        connection.exec_driver_sql("SAVEPOINT call")
        try:
            result: Any = (call(connection),)
        except DBAPIError:
            raise
        except Exception as error:
            connection.exec_driver_sql("ROLLBACK TO call")
            result = error
        connection.exec_driver_sql("RELEASE call")
        return item.waiter, result

    def _announce(self, when: str, kinds: set[type]) -> None:
        """Tell the crash points: `before-reserve-commit`, `after-settle-commit` and so on."""
        if Reservation in kinds:
            self._reached(f"{when}-reserve-commit")
        if Closing in kinds:
            self._reached(f"{when}-settle-commit")

    def _connect(self) -> Connection:
        """The connection, to the very file that was there at the start: an unlinked one takes writes and loses them."""
        now = self._database.path.stat()
        identity = (now.st_dev, now.st_ino)
        if self._identity is None:
            self._identity = identity
        elif identity != self._identity:
            raise OSError(f"{self._database.path} is another file than at the start; restart GreyFox")
        if self._connection is None:
            self._connection = self._database.journal.connect()
            self.generation += 1
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except (DBAPIError, sqlite3.Error):
                self._connection.invalidate()
            self._connection = None

    def _fail(self, items: list[_Item], error: Exception) -> None:
        """Refuse what may be refused, keep what may not be lost, and let the next try look what became of the rest."""
        if not self._failing:
            self._failing = True
            cause = error.orig if isinstance(error, DBAPIError) else error
            log.error("the database does not work, nothing is admitted: %s: %s", type(cause).__name__, cause)
        self._disconnect()
        refused: list[tuple[Future, Any]] = []
        for item in items:
            if isinstance(item, _Awaited) and (item.entry is not None or item.call is not None):
                refused.append((item.waiter, unavailable()))
                if item.entry is not None:
                    self._backlog.append(_void(item.entry))
            elif not isinstance(item, Line) or item.charges or len(self._backlog) < self._most:
                self._backlog.append(item)
        tell(refused)


def _void(reservation: Reservation) -> Closing:
    """The end of a reservation that was refused; changes nothing where it was never written."""
    return Closing(
        reservation,
        "released",
        reservation.admitted_at,
        Settlement(Usage(), False, "failed", code="unwritten"),
        Settled(Usage(), estimated=False),
        ((0, 0),) * len(reservation.charges),
    )
