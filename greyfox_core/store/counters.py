"""Counters for admission: the whole of each, since one node uses the file.

Errors:  StoreUnavailable.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Row, insert, select

from greyfox_core.quota.period import Period, micros, moment
from greyfox_core.quota.ports import Figures, Grant, Want
from greyfox_core.store.engine import Database, unavailable_on_driver_error
from greyfox_core.store.journal import SqliteJournal
from greyfox_core.store.tables import counters


class SqliteCounters:
    """Implements greyfox_core.quota.ports.Counters."""

    def __init__(self, database: Database, journal: SqliteJournal) -> None:
        self._database = database
        self._journal = journal

    async def grant(self, wants: Sequence[Want]) -> list[Grant]:
        # Through the journal: after every entry that was handed in before, so what it reads is what memory knew.
        granted = await self._journal.call(lambda connection: [_grant(connection, want) for want in wants])
        return cast(list[Grant], granted)

    async def current(self, now: datetime, quotas: Sequence[str]) -> list[Grant]:
        return await asyncio.to_thread(current_counters, self._database, now, quotas)


def current_counters(database: Database, now: datetime, quotas: Sequence[str]) -> list[Grant]:
    """All counters of these quotas whose period has not ended. Blocks; raises StoreUnavailable."""
    wanted = select(counters).where(counters.c.resets_at > micros(now), counters.c.quota.in_(quotas))
    with unavailable_on_driver_error(), database.reading.connect() as connection:
        return [granted(row) for row in connection.execute(wanted)]


def granted(row: Row[tuple[object, ...]]) -> Grant:
    """A row of `counters` as a grant of the whole."""
    c = row._mapping
    return Grant(
        id=c["id"],
        quota=c["quota"],
        subject=c["subject"],
        kind=c["period"],
        period=Period(moment(c["starts_at"]), moment(c["resets_at"])),
        figures=Figures(
            settled_input=c["settled_input"],
            settled_output=c["settled_output"],
            reserved_input=c["reserved_input"],
            reserved_output=c["reserved_output"],
            adjusted_input=c["adjusted_input"],
            adjusted_output=c["adjusted_output"],
        ),
    )


def _grant(connection: Connection, want: Want) -> Grant:
    latest = connection.execute(
        select(counters)
        .where(counters.c.quota == want.quota, counters.c.subject == want.subject, counters.c.period == want.kind)
        .order_by(counters.c.starts_at.desc())
        .limit(1)
    ).one_or_none()
    starts_at = micros(want.period.start)
    if latest is not None:
        if latest.resets_at > micros(want.now):
            return granted(latest)
        starts_at = max(starts_at, latest.resets_at)  # reckoned in another zone now: no moment belongs to two periods
    return granted(
        connection.execute(
            insert(counters)
            .values(
                quota=want.quota,
                subject=want.subject,
                period=want.kind,
                starts_at=starts_at,
                resets_at=micros(want.period.end),
            )
            .returning(counters)
        ).one()
    )
