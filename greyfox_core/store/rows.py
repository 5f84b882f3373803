"""Ledger entries as rows, many to a statement.

One statement for many rows matters: the driver lets go of the interpreter's lock for each statement that it steps, and
has to win it back from a busy event loop each time.

Units:   as in `tables.py`.
"""

import json
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import orjson

from greyfox_core.quota.attempt import Attempt, Reservation
from greyfox_core.quota.period import micros
from greyfox_core.quota.ports import Closing, Line

Row = tuple[Any, ...]

_LONGEST = 256  # characters of a name; longer ones are cut
_REMEMBERED = 4096  # names
_ID_BITS = 40  # ids of one boot; the bits above number the boot

_FACTS = (
    "id", "kind", "state", "request_id", "attempt", "boot", "admitted_at", "user", "key_id", "team", "roles", "dialect",
    "operation", "upstream", "model", "requested_model", "route", "way", "stream", "cache", "tags",
)  # fmt: skip
_OPENED = (*_FACTS, "observed", "reserved_input", "reserved_output")
_ENDED = (
    "state", "finished_at", "status", "code", "outcome", "input_tokens", "cached_input_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "overshoot_input", "overshoot_output", "first_byte_ms", "duration_ms",
)  # fmt: skip
_LINE = (
    *_FACTS, "finished_at", "status", "code", "outcome", "input_tokens", "cached_input_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "saved_input", "saved_output", "duration_ms",
)  # fmt: skip
_CHARGE = ("counter_id", "ledger_id", "reserved_input", "reserved_output", "charged_input", "charged_output")
_COUNTER = ("settled_input", "settled_output", "reserved_input", "reserved_output")


def first_id(boot: int) -> int:
    """The first ledger id of a boot; the next ones follow it."""
    return (boot << _ID_BITS) + 1


class Bulk:
    """One statement in the sizes of powers of two, so that a few prepared statements serve every number of rows."""

    _LARGEST_SIZE = 64

    def __init__(self, width: int, before: str, after: str = "") -> None:
        row = f"({','.join('?' * width)})"
        self._texts = {
            size: f"{before} {','.join([row] * size)}{after}"
            for size in (1 << exponent for exponent in range(self._LARGEST_SIZE.bit_length()))
        }

    def run(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Run it for all rows; how many rows of the table were touched."""
        touched = at = 0
        while left := len(rows) - at:
            size = min(1 << (left.bit_length() - 1), self._LARGEST_SIZE)
            parameters = tuple(chain.from_iterable(rows[at : at + size]))
            touched += connection.execute(self._texts[size], parameters).rowcount
            at += size
        return touched


def _insert(table: str, columns: tuple[str, ...]) -> Bulk:
    return Bulk(len(columns), f"INSERT INTO {table} ({', '.join(f'"{name}"' for name in columns)}) VALUES")


def _update(table: str, changes: str, width: int, where: str) -> Bulk:
    return Bulk(width, f"UPDATE {table} SET {changes} FROM (VALUES", f") AS v WHERE {where}")


OPEN_LEDGER = _insert("ledger", _OPENED)
ADD_LINES = _insert("ledger", _LINE)
ADD_CHARGES = _insert("charges", _CHARGE)
END_LEDGER = _update(
    "ledger",
    ", ".join(f"{name} = v.column{at}" for at, name in enumerate(_ENDED, 2)),
    1 + len(_ENDED),
    "ledger.id = v.column1 AND ledger.state = 'reserved'",
)
END_CHARGES = _update(
    "charges",
    "charged_input = v.column3, charged_output = v.column4",
    4,
    "charges.counter_id = v.column1 AND charges.ledger_id = v.column2",
)
MOVE_COUNTERS = _update(
    "counters",
    ", ".join(f"{name} = {name} + v.column{at}" for at, name in enumerate(_COUNTER, 2)),
    1 + len(_COUNTER),
    "counters.id = v.column1",
)


def opened(reservation: Reservation, boot: int) -> Row:
    """The row of a reservation."""
    return (
        *_facts(reservation.id, "attempt", "reserved", boot, micros(reservation.admitted_at), reservation.attempt),
        _json(reservation.observed) if reservation.observed else None,
        reservation.reserved_input,
        reservation.reserved_output,
    )


def ended(closing: Closing) -> Row:
    """What changes in the row of a reservation when it ends, after its id."""
    reservation, state, finished_at, result, settled, _ = closing
    _, _, outcome, status, code, first_byte_ms, duration_ms = result
    usage, _, overshoot_input, overshoot_output, _ = settled
    return (
        reservation.id,
        state,
        micros(finished_at),
        status,
        _TEXTS[code],
        outcome,
        usage.input_total,
        usage.input_cached_read,
        usage.input_cache_write,
        usage.output_total,
        usage.output_reasoning,
        overshoot_input,
        overshoot_output,
        None if first_byte_ms is None else round(first_byte_ms),
        round(duration_ms),
    )


def line(entry: Line, boot: int) -> Row:
    """The row of a hit or a refusal."""
    id_, kind, attempt, at, status, code, duration_ms, charged, saved, _ = entry
    moment = micros(at)
    return (
        *_facts(id_, kind, "settled", boot, moment, attempt),
        moment,
        status,
        _TEXTS[code],
        "complete" if kind == "hit" else "failed",
        charged.input_total,
        charged.input_cached_read,
        charged.input_cache_write,
        charged.output_total,
        charged.output_reasoning,
        saved.input_total,
        saved.output_total,
        round(duration_ms),
    )


def _facts(id_: int, kind: str, state: str, boot: int, at: int, attempt: Attempt) -> Row:
    request_id, number, who, dialect, operation, upstream, model, requested, route, way, stream, tags, cache = attempt
    texts = _TEXTS
    return (
        id_,
        kind,
        state,
        _text(request_id),
        number,
        boot,
        at,
        texts[who.user],
        texts[who.key_id],
        texts[who.team],
        _ROLES[who.roles],
        dialect,
        operation,
        texts[upstream],
        texts[model],
        texts[requested],
        texts[route],
        way,
        stream,
        cache,
        _json(dict(tags)) if tags else None,
    )


class _Texts(dict[str | None, str | None]):
    """Names as they can be stored. The same ones come with every row: what was looked at is remembered."""

    def __missing__(self, name: str | None) -> str | None:
        stored = _text(name)
        if name is None or len(name) <= _LONGEST:
            _remember(self, name, stored)
        return stored


class _Roles(dict[frozenset[str], str]):
    """Roles as JSON, remembered."""

    def __missing__(self, roles: frozenset[str]) -> str:
        text = _json(sorted(roles))
        _remember(self, roles, text)
        return text


_TEXTS = _Texts()
_ROLES = _Roles()


def _remember[Key, Value](known: dict[Key, Value], key: Key, value: Value) -> None:
    """Bounded: callers may send any name."""
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value


def _text(value: str | None) -> str | None:
    """Bounded, and storable whatever it is: a lone surrogate is no UTF-8."""
    if value is None or (value.isascii() and len(value) <= _LONGEST):
        return value
    return value[:_LONGEST].encode("utf-8", "replace").decode("utf-8")


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a lone surrogate
        return json.dumps(value)
