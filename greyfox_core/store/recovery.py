"""What the last run left open, booked before this one begins.

A reservation whose process has ended may have been forwarded: it is booked as an estimate at its full input and output.
All of it is one transaction, so a recovery that is killed has done nothing, and a second one finds nothing left.

Errors:  StoreUnavailable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update

from greyfox_core.quota.period import micros
from greyfox_core.store.audit import Mismatch, recount
from greyfox_core.store.engine import Database, unavailable_on_driver_error
from greyfox_core.store.tables import charges, counters, ledger


@dataclass(frozen=True, slots=True)
class Recovered:
    """Orphans and the tokens they were booked at; figures of running periods that had to be counted anew."""

    orphans: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    repaired: tuple[Mismatch, ...] = ()


def recover(database: Database, boot: int, now: datetime, reached: Callable[[str], None]) -> Recovered:
    """Book the reservations of other boots than `boot`, then put right what running counters do not have. Blocks."""
    orphan = and_(ledger.c.state == "reserved", ledger.c.boot != boot)
    with unavailable_on_driver_error(), database.writing.begin() as connection:
        found = connection.execute(
            select(func.count(), func.sum(ledger.c.reserved_input), func.sum(ledger.c.reserved_output)).where(orphan)
        ).one()
        sums = (
            select(
                charges.c.counter_id,
                func.sum(charges.c.reserved_input).label("input"),
                func.sum(charges.c.reserved_output).label("output"),
            )
            .select_from(charges.join(ledger, ledger.c.id == charges.c.ledger_id))
            .where(orphan)
            .group_by(charges.c.counter_id)
            .subquery()
        )
        connection.execute(
            update(counters)
            .where(counters.c.id == sums.c.counter_id)
            .values(
                settled_input=counters.c.settled_input + sums.c.input,
                settled_output=counters.c.settled_output + sums.c.output,
                reserved_input=counters.c.reserved_input - sums.c.input,
                reserved_output=counters.c.reserved_output - sums.c.output,
            )
        )
        connection.execute(
            update(charges)
            .where(charges.c.ledger_id.in_(select(ledger.c.id).where(orphan)))
            .values(charged_input=charges.c.reserved_input, charged_output=charges.c.reserved_output)
        )
        connection.execute(
            update(ledger)
            .where(orphan)
            .values(
                state="estimated",
                outcome="orphaned",
                finished_at=micros(now),
                input_tokens=ledger.c.reserved_input,
                output_tokens=ledger.c.reserved_output,
            )
        )
        running = or_(
            counters.c.resets_at > micros(now), counters.c.reserved_input != 0, counters.c.reserved_output != 0
        )
        wrong = recount(connection, running)
        for one in wrong:
            connection.execute(
                update(counters)
                .where(counters.c.id == one.counter)
                .values(
                    settled_input=one.settled_input,
                    settled_output=one.settled_output,
                    reserved_input=one.reserved_input,
                    reserved_output=one.reserved_output,
                )
            )
        reached("in-recovery")
    return Recovered(found[0], found[1] or 0, found[2] or 0, tuple(m for one in wrong for m in one.mismatches))
