"""One group of entries, one transaction.

The fast way writes all entries with a few statements. If the database is not in the state that they expect (an
entry was written already by a commit that was reported as failed; an entry that it cannot store), the group is written
again with care: one entry at a time, each looking first, so that one bad entry fails alone and nothing counts twice.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from greyfox_core.quota.attempt import Reservation
from greyfox_core.quota.ports import Closing, Line
from greyfox_core.store import rows

Entry = Reservation | Closing | Line

UNSTORABLE = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
    TypeError,
    ValueError,
)
"""What a driver raises for one bad entry, as against a database that does not work."""


class Unexpected(Exception):
    """The database is not in the state that this group expects."""


def write(connection: sqlite3.Connection, entries: Sequence[Entry], boot: int) -> None:
    """Write all of them, in a transaction that is open. Raises Unexpected or one of UNSTORABLE: then roll back."""
    opening: list[rows.Row] = []
    ending: list[rows.Row] = []
    lines: list[rows.Row] = []
    new_charges: list[rows.Row] = []
    end_charges: list[rows.Row] = []
    moves: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])  # settled in, out; reserved in, out
    for entry in entries:
        if isinstance(entry, Line):
            lines.append(rows.line(entry, boot))
            for counter, paid_in, paid_out in entry.charges:
                new_charges.append((counter, entry.id, 0, 0, paid_in, paid_out))
                move = moves[counter]
                move[0] += paid_in
                move[1] += paid_out
        elif isinstance(entry, Reservation):
            id_ = entry.id
            opening.append(rows.opened(entry, boot))
            for charged, input_, output in entry.charges:
                new_charges.append((charged.id, id_, input_, output, 0, 0))
                move = moves[charged.id]
                move[2] += input_
                move[3] += output
        else:
            id_ = entry.reservation.id
            ending.append(rows.ended(entry))
            for (charged, input_, output), (paid_in, paid_out) in zip(
                entry.reservation.charges, entry.charged, strict=True
            ):
                if paid_in or paid_out:
                    end_charges.append((charged.id, id_, paid_in, paid_out))
                move = moves[charged.id]
                move[0] += paid_in
                move[1] += paid_out
                move[2] -= input_
                move[3] -= output
    # A reservation comes before its end also within one group.
    rows.OPEN_LEDGER.run(connection, opening)
    rows.ADD_LINES.run(connection, lines)
    rows.ADD_CHARGES.run(connection, new_charges)
    if rows.END_LEDGER.run(connection, ending) != len(ending):
        raise Unexpected
    rows.END_CHARGES.run(connection, end_charges)
    rows.MOVE_COUNTERS.run(connection, [(counter, *by) for counter, by in moves.items()])


def write_with_care(
    connection: sqlite3.Connection, entries: Iterable[Entry], boot: int
) -> list[tuple[Entry, Exception]]:
    """Write those that are not written yet, one at a time; the ones that cannot be stored, each with its reason."""
    failed: list[tuple[Entry, Exception]] = []
    for entry in entries:
        connection.execute("SAVEPOINT entry")
        try:
            if _still_to_do(connection, entry):
                write(connection, [entry], boot)
        except (Unexpected, *UNSTORABLE) as error:
            connection.execute("ROLLBACK TO entry")
            failed.append((entry, error))
        connection.execute("RELEASE entry")
    return failed


def _still_to_do(connection: sqlite3.Connection, entry: Entry) -> bool:
    """A new row must not be there; a reservation to be ended must be there, and open."""
    id_ = entry.reservation.id if isinstance(entry, Closing) else entry.id
    found = connection.execute("SELECT state FROM ledger WHERE id = ?", (id_,)).fetchone()
    if isinstance(entry, Closing):
        return found is not None and found[0] == "reserved"
    return found is None
