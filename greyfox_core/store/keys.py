"""Virtual keys in the database, with all of them in memory for the hot path.

Memory answers while changes by other processes have been looked for within `FRESH` seconds; after that every caller is
looked up in the database, so that a revocation holds within that time even when the looking stops.

Errors:  StoreUnavailable.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cachetools import TTLCache
from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.auth.ports import UNKNOWN, Unknown
from greyfox_core.clock import Clock
from greyfox_core.quota.period import micros, moment
from greyfox_core.store.engine import Database, unavailable_on_driver_error
from greyfox_core.store.operations import bump
from greyfox_core.store.tables import keys

FRESH = 1.0  # seconds
_ABSENT = 10_000  # digests remembered as unknown
_ABSENT_SECONDS = 1.0
_FOREVER = datetime.max.replace(tzinfo=UTC)


class SqliteKeys:
    """Implements greyfox_core.auth.ports.KeyStore."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, KeyRecord] = {}
        self._absent: TTLCache[bytes, None] = TTLCache(_ABSENT, _ABSENT_SECONDS, timer=clock.monotonic)
        self._looked: float | None = None
        self._epoch = 0
        self._dead: _Dead | None = None

    @property
    def epoch(self) -> int:
        return self._epoch

    def cached(self, digest: bytes) -> KeyRecord | Unknown | None:
        if self._looked is None or self._clock.monotonic() - self._looked > FRESH:
            return UNKNOWN
        if (record := self._known.get(digest)) is not None:
            return record
        return None if digest in self._absent else UNKNOWN

    async def by_digest(self, digest: bytes) -> KeyRecord | None:
        record = await asyncio.to_thread(self._read, digest)
        if record is None:
            self._absent[digest] = None
        elif self._known.get(digest) != record:
            self._known[digest] = record
            self._epoch += 1
        return record

    async def add(self, record: KeyRecord) -> None:
        """Raises ValueError where the id or the digest is taken."""
        await asyncio.to_thread(self._insert, record)
        self._absent.pop(record.digest, None)
        self._known[record.digest] = record
        self._epoch += 1

    def dead(self, now: datetime) -> frozenset[str]:
        """Ids of the keys known here that hold no longer: revoked or expired."""
        dead = self._dead
        if dead is None or dead.epoch != self._epoch or not dead.since <= now < dead.until:
            dead = self._dead = _find_dead(self._known.values(), self._epoch, now)
        return dead.ids

    def add_now(self, record: KeyRecord) -> None:
        """The same for a start-up that has no loop yet. Blocks."""
        self._insert(record)
        self._known[record.digest] = record
        self._epoch += 1

    def empty(self) -> bool:
        """Whether no key was ever issued. Blocks."""
        return not self._read_all()

    async def list(self) -> tuple[KeyRecord, ...]:
        return await asyncio.to_thread(self._read_all)

    async def revoke(self, key_id: str, now: datetime) -> bool:
        revoked = await asyncio.to_thread(self._revoke, key_id, now)
        if revoked is not None:
            self._known[revoked.digest] = revoked
            self._epoch += 1
        return revoked is not None

    def looked(self, changed: tuple[KeyRecord, ...] | None, at: float) -> None:
        """Changes were looked for at the monotonic second `at`; all keys where there were any, else None."""
        self._looked = at
        if changed is not None:
            self._known = {record.digest: record for record in changed}
            self._absent.clear()
            self._epoch += 1

    def _read(self, digest: bytes) -> KeyRecord | None:
        with unavailable_on_driver_error(), self._database.reading.connect() as connection:
            row = connection.execute(select(keys).where(keys.c.digest == digest)).one_or_none()
        return None if row is None else _record(row)

    def _read_all(self) -> tuple[KeyRecord, ...]:
        with unavailable_on_driver_error(), self._database.reading.connect() as connection:
            return read_keys(connection)

    def _insert(self, record: KeyRecord) -> None:
        with unavailable_on_driver_error(), self._database.writing.begin() as connection:
            try:
                connection.execute(
                    insert(keys).values(
                        id=record.id,
                        digest=record.digest,
                        pepper_version=record.pepper_version,
                        name=record.name,
                        user=record.user,
                        team=record.team,
                        roles=json.dumps(sorted(record.roles)),
                        models=json.dumps(record.models),
                        created_at=micros(record.created_at),
                        expires_at=None if record.expires_at is None else micros(record.expires_at),
                        revoked_at=None if record.revoked_at is None else micros(record.revoked_at),
                    )
                )
            except IntegrityError as error:
                raise ValueError(f"a key {record.id} exists already") from error
            bump(connection, "keys")

    def _revoke(self, key_id: str, now: datetime) -> KeyRecord | None:
        with unavailable_on_driver_error(), self._database.writing.begin() as connection:
            connection.execute(
                update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=micros(now))
            )
            row = connection.execute(select(keys).where(keys.c.id == key_id)).one_or_none()
            bump(connection, "keys")
        return None if row is None else _record(row)


@dataclass(frozen=True, slots=True)
class _Dead:
    """The keys that hold no longer, as it is from `since` until the next one expires, while no key changes."""

    ids: frozenset[str]
    epoch: int
    since: datetime
    until: datetime


def _find_dead(records: Iterable[KeyRecord], epoch: int, now: datetime) -> _Dead:
    ids, until = set(), _FOREVER
    for record in records:
        if not record.usable(now):
            ids.add(record.id)
        elif record.expires_at is not None:
            until = min(until, record.expires_at)
    return _Dead(frozenset(ids), epoch, now, until)


def read_keys(connection: Connection) -> tuple[KeyRecord, ...]:
    """All keys, oldest first."""
    return tuple(_record(row) for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)))


def _record(row: Row[tuple[object, ...]]) -> KeyRecord:
    c = row._mapping
    return KeyRecord(
        id=c["id"],
        digest=c["digest"],
        pepper_version=c["pepper_version"],
        name=c["name"],
        user=c["user"],
        team=c["team"],
        roles=frozenset(json.loads(c["roles"])),
        models=tuple(json.loads(c["models"])),
        created_at=moment(c["created_at"]),
        expires_at=None if c["expires_at"] is None else moment(c["expires_at"]),
        revoked_at=None if c["revoked_at"] is None else moment(c["revoked_at"]),
    )
