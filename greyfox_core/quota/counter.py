"""Counters of tokens, in memory: one a quota, subject and period. Pure.

Units:   tokens. A side that is None is unlimited and still counted.
Rule:    settled + reserved never passes the limit by an admission; only a bill beyond its reservation can (overshoot).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from greyfox_core.config.schema import Quota
from greyfox_core.quota.period import Period


@dataclass(frozen=True, slots=True)
class Limits:
    """A limit a side; None is unlimited (in an override: as the configuration says)."""

    input: int | None
    output: int | None

    def over(self, other: Limits) -> Limits:
        """These limits where they are stated, `other` where they are not."""
        return Limits(
            other.input if self.input is None else self.input,
            other.output if self.output is None else self.output,
        )


@dataclass(slots=True)
class Side:
    """One axis of a counter."""

    limit: int | None
    settled: int = 0
    reserved: int = 0
    adjusted: int = 0  # the operators' corrections that `settled` already holds

    @property
    def left(self) -> int | None:
        """What may still be reserved; 0 where the limit was lowered or overshot; None is unlimited."""
        return None if self.limit is None else max(0, self.limit - self.settled - self.reserved)

    @property
    def used_up(self) -> bool:
        return self.limit is not None and self.settled >= self.limit


@dataclass(slots=True, eq=False)
class Counter:
    """`id` is the store's number of it. The period is the stored one: it is never reckoned anew."""

    id: int
    quota: Quota
    subject: str
    period: Period
    input: Side
    output: Side

    def limit(self, limits: Limits) -> None:
        """Limits that hold from now on; what is settled and reserved stays."""
        self.input.limit = limits.input
        self.output.limit = limits.output


class Charge(NamedTuple):
    """What one reservation has set aside on one counter."""

    counter: Counter
    input: int
    output: int
