"""A leaky bucket: fills by use, drains steadily, overflows at the burst. Pure.

Units:   `now` is seconds that only grow; amounts are requests or tokens; waits are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

_NOTHING = 1e-6  # drops of rounding: a caller who waited as long as told must find room


@dataclass(slots=True)
class LeakyBucket:
    """`rate` drains a second, `burst` is what it holds. It may be overfilled: then it takes longer to drain."""

    rate: float
    burst: float
    level: float = 0.0
    at: float = 0.0

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` fits, 0.0 where it fits now. An amount above the burst fits into an empty bucket."""
        self._drain(now)
        excess = self.level + min(amount, self.burst) - self.burst
        return excess / self.rate if excess > _NOTHING else 0.0

    def add(self, amount: float, now: float) -> None:
        """Pour in what has been used, room or not; a negative amount takes out what was not used after all."""
        self._drain(now)
        self.level = max(0.0, self.level + amount)

    def take(self, amount: float, now: float) -> float:
        """Pour `amount` in if it fits; otherwise change nothing. The wait as by `wait`."""
        wait = self.wait(amount, now)
        if wait == 0.0:
            self.level += amount
        return wait

    def _drain(self, now: float) -> None:
        if now > self.at:
            self.level = max(0.0, self.level - (now - self.at) * self.rate)
            self.at = now
