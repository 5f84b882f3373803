"""What admission needs of a store. The store implements these; quotas never import it.

Units:   tokens; instants are aware datetimes in UTC.
Errors:  StoreUnavailable, never a driver's exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from greyfox_core.quota.attempt import Attempt, Reservation, Settled, Settlement
from greyfox_core.quota.counter import Limits
from greyfox_core.quota.period import Period
from greyfox_core.values.usage import Usage

Overrides = Mapping[tuple[str, str], Limits]
"""Limits that operators have set, by quota and subject."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a counter holds. `adjusted` is what operators have corrected so far; `settled` has it in."""

    settled_input: int = 0
    settled_output: int = 0
    reserved_input: int = 0
    reserved_output: int = 0
    adjusted_input: int = 0
    adjusted_output: int = 0


@dataclass(frozen=True, slots=True)
class Want:
    """A counter that admission is about to use. `period` is the reckoned one, `now` the moment of asking."""

    quota: str
    subject: str
    kind: Literal["day", "week", "month"]
    period: Period
    now: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """A counter handed to this node. Bounds of the period once stored hold, whatever the configuration reckons now.

    The grant of a store with one node is the whole counter. One that serves several nodes grants a slice: to this
    node whatever others hold is `reserved`.
    """

    id: int
    quota: str
    subject: str
    kind: str
    period: Period
    figures: Figures


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A counter that an operator has corrected: all corrections so far, so that applying them twice changes nothing."""

    counter: int
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What operators changed since the last look. `overrides` are all of them, None: as before."""

    overrides: Overrides | None = None
    adjusted: Sequence[Adjusted] = ()


class Closing(NamedTuple):
    """The end of a reservation. `charged` has (input, output) for each of the reservation's charges, in order."""

    reservation: Reservation
    state: Literal["settled", "estimated", "released"]
    finished_at: datetime
    result: Settlement
    settled: Settled
    charged: tuple[tuple[int, int], ...]


class Line(NamedTuple):
    """A ledger row that never had a reservation: a cache hit or a refusal.

    `saved` is what a hit would have cost; `charges` are (counter, input, output), empty where a hit costs nothing.
    """

    id: int
    kind: Literal["hit", "refusal"]
    attempt: Attempt
    at: datetime
    status: int
    code: str | None
    duration_ms: float
    charged: Usage
    saved: Usage
    charges: tuple[tuple[int, int, int], ...] = ()


class Journal(Protocol):
    """The node's write-ahead record. Entries become durable in the order in which they were handed in."""

    def next_id(self) -> int:
        """A number for the next entry, never given before."""
        ...

    def reserve(self, reservation: Reservation) -> Awaitable[None]:
        """Hand in a reservation; await its being durable, or StoreUnavailable if it never will be.

        Raises StoreUnavailable at once where the journal is known to be broken or its queue is full.
        """
        ...

    def close(self, closing: Closing) -> None:
        """Hand in an end. It is never refused and is kept until it is written; once by the reservation's id."""
        ...

    def line(self, line: Line) -> bool:
        """Hand in a row; False where it was shed because the queue is full (a row with charges never is)."""
        ...

    async def written(self) -> None:
        """Return when all that was handed in before is durable."""
        ...


class Counters(Protocol):
    """Where counters come from."""

    async def grant(self, wants: Sequence[Want]) -> list[Grant]:
        """One counter for each want, in order, made where it does not exist.

        A stored period of the same kind that has not ended at `now` is granted in place of the reckoned one: the bounds
        of a period never change under way, and a clock that steps back returns to no earlier period.
        """
        ...

    async def current(self, now: datetime, quotas: Sequence[str]) -> list[Grant]:
        """All counters of these quotas whose period has not ended."""
        ...
