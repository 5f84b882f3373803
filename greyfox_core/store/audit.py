"""Do the counters equal the ledger? Counted anew from every charge.

Units:   tokens.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select

from greyfox_core.quota.period import moment
from greyfox_core.quota.subjects import parts_of
from greyfox_core.store.tables import charges, counters, ledger

_FIGURES = ("settled_input", "settled_output", "reserved_input", "reserved_output")
_BOOKED = ledger.c.state.in_(("settled", "estimated"))


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A figure that the ledger does not bear out. `where` says which counter or ledger row, in words."""

    where: str
    figure: str  # settled_input, reserved_output …
    stored: int
    counted: int


@dataclass(frozen=True, slots=True)
class Recount:
    """One counter's figures as the ledger has them."""

    counter: int
    mismatches: tuple[Mismatch, ...]
    settled_input: int
    settled_output: int
    reserved_input: int
    reserved_output: int


def recount(connection: Connection, where: ColumnElement[bool] | None = None) -> list[Recount]:
    """Every counter (or those `where` selects) whose figures differ from the sums of its charges."""
    open_ = ledger.c.state == "reserved"
    sums = (
        select(
            charges.c.counter_id,
            func.sum(case((_BOOKED, charges.c.charged_input))).label("settled_input"),
            func.sum(case((_BOOKED, charges.c.charged_output))).label("settled_output"),
            func.sum(case((open_, charges.c.reserved_input))).label("reserved_input"),
            func.sum(case((open_, charges.c.reserved_output))).label("reserved_output"),
        )
        .select_from(charges.join(ledger, ledger.c.id == charges.c.ledger_id))
        .group_by(charges.c.counter_id)
    )
    if where is not None:
        sums = sums.where(charges.c.counter_id.in_(select(counters.c.id).where(where)))
    counted = sums.subquery()
    query = (
        select(counters, *(func.coalesce(counted.c[name], 0).label(f"counted_{name}") for name in _FIGURES))
        .select_from(counters.outerjoin(counted, counted.c.counter_id == counters.c.id))
        .order_by(counters.c.id)
    )
    if where is not None:
        query = query.where(where)
    return [found for row in connection.execute(query) if (found := _compare(row)).mismatches]


def odd_charges(connection: Connection) -> list[Mismatch]:
    """Charges that are not what their ledger row says was used."""
    without_cached = ledger.c.input_tokens - ledger.c.cached_input_tokens
    query = (
        select(
            ledger.c.request_id,
            ledger.c.attempt,
            ledger.c.input_tokens,
            ledger.c.output_tokens,
            charges.c.charged_input,
            charges.c.charged_output,
        )
        .select_from(charges.join(ledger, ledger.c.id == charges.c.ledger_id))
        .where(
            or_(
                and_(
                    _BOOKED,
                    or_(
                        charges.c.charged_output != ledger.c.output_tokens,
                        and_(
                            charges.c.charged_input != ledger.c.input_tokens, charges.c.charged_input != without_cached
                        ),
                    ),
                ),
                and_(~_BOOKED, or_(charges.c.charged_input != 0, charges.c.charged_output != 0)),
            )
        )
    )
    found: list[Mismatch] = []
    for row in connection.execute(query):
        where = f"request {row.request_id}, attempt {row.attempt}"
        if row.charged_input != row.input_tokens:
            found.append(Mismatch(where, "charged_input", row.charged_input, row.input_tokens))
        if row.charged_output != row.output_tokens:
            found.append(Mismatch(where, "charged_output", row.charged_output, row.output_tokens))
    return found


def _compare(row: Row[tuple[object, ...]]) -> Recount:
    c = row._mapping
    subject = ", ".join(f"{name} {value}" for name, value in parts_of(c["subject"]).items())
    where = f"quota {c['quota']} of {subject}, {c['period']} from {moment(c['starts_at']).isoformat()}"
    counted = {name: int(c[f"counted_{name}"]) for name in _FIGURES}
    return Recount(
        counter=c["id"],
        mismatches=tuple(
            Mismatch(where, name, c[name], counted[name]) for name in _FIGURES if c[name] != counted[name]
        ),
        **counted,
    )
