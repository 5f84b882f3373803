"""Time, handed in wherever it is needed so that tests can turn the clock.

Units: `now()` is an aware datetime in UTC; `monotonic()` is seconds that only ever grow.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The moment, aware, in UTC: for periods, expiry and what a person reads."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for durations, rates and time-outs."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when told to."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds
