"""The sentences that tell a caller whose quota is used up, and when it will be well again. Pure.

Units:   tokens in the text, whole seconds in `retry_after`; instants in the quota's own zone.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from math import ceil
from zoneinfo import ZoneInfo

from greyfox_core.config.schema import RateLimit
from greyfox_core.errors import QuotaBusy, QuotaExhausted, RateLimited, Refused
from greyfox_core.quota.reckoning import Block
from greyfox_core.quota.subjects import words

_ADJECTIVES = {"day": "Daily", "week": "Weekly", "month": "Monthly"}


def refusal(block: Block, now: datetime) -> Refused:
    """The refusal for a quota without room: busy, used up, or less left than the request needs."""
    counter = block.counter
    side = counter.input if block.axis == "input" else counter.output
    limit = side.limit or 0
    name = f"{_ADJECTIVES[counter.quota.period]} {block.axis}-token quota of {words(counter.subject)}"
    if block.busy:
        return QuotaBusy(
            f"{name} has room, but requests under way have it reserved ({side.reserved:,} of {limit:,}). "
            "Try again in a second.",
            retry_after=1,
        )
    if side.used_up:
        state = f"{name} is used up ({side.settled:,} of {limit:,})."
    elif block.needs > limit:
        state = f"{name} is {limit:,}; this request alone needs {block.needs:,}."
    else:
        state = f"{name} has {limit - side.settled:,} of {limit:,} left; this request needs {block.needs:,}."
    reset = _in_zone(counter.period.end, counter.quota.timezone)
    return QuotaExhausted(f"{state} It resets at {reset}.", retry_after=counter.period.seconds_left(now))


def too_fast(limit: RateLimit, subject: str, unit: str, a_minute: int, wait: float) -> RateLimited:
    """The refusal of a bucket that would overflow; `unit` is `requests` or `tokens`, `wait` is seconds."""
    seconds = max(1, ceil(wait))
    return RateLimited(
        f"Rate limit {limit.name} of {words(subject)} is reached: {a_minute:,} {unit} a minute. "
        f"There is room in {seconds} s.",
        retry_after=seconds,
    )


@lru_cache(1_024)
def _in_zone(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat()
