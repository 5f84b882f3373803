"""Calendar periods of a quota. Pure: the caller brings the time.

Units:   instants are aware datetimes; bounds are in UTC; `seconds_left` is whole seconds.
Errors:  ValueError for a naive datetime; unknown zones are refused when the configuration loads.
Source:  zones are IANA's, so a day can have 23 or 25 hours, begin at 01:00 (Cairo, Santiago) or not exist at all
         (Apia, 30 December 2011). A bound that falls into a gap is the first instant after it; one that
         happens twice is the earlier of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from greyfox_core.config.schema import Quota

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Period:
    """Half-open: a moment that equals `end` belongs to the next period."""

    start: datetime  # inclusive
    end: datetime  # exclusive: the moment the quota resets

    def seconds_left(self, now: datetime) -> int:
        """Rounded up, so that a client that waits this long finds room."""
        return max(0, ceil((self.end - now).total_seconds()))


def period_at(now: datetime, quota: Quota) -> Period:
    """The quota's period that `now` falls into."""
    if now.tzinfo is None:
        raise ValueError("period_at needs an aware datetime")
    zone = ZoneInfo(quota.timezone)
    begins = time.fromisoformat(quota.resets_at)
    # The days around now: the reset may come later today, and a day that does not exist has an empty period.
    bounds = [_instant(day, begins, zone) for day in _first_days(now.astimezone(zone).date(), quota)]
    return Period(max(b for b in bounds if b <= now), min(b for b in bounds if b > now))


def micros(moment: datetime) -> int:
    """An instant as whole microseconds since 1970 in UTC, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """The instant, in UTC, of whole microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def _first_days(today: date, quota: Quota) -> Iterator[date]:
    """First days of the periods around `today`, in order, with one to spare on either side."""
    match quota.period:
        case "day":
            for step in range(-2, 4):
                yield today + timedelta(days=step)
        case "week":
            first = today - timedelta(days=(today.weekday() - _WEEKDAYS.index(quota.week_starts)) % 7)
            for step in range(-2, 4):
                yield first + timedelta(weeks=step)
        case "month":
            months = today.year * 12 + today.month - 1
            for step in range(-2, 4):
                year, month = divmod(months + step, 12)
                yield date(year, month + 1, 1)


def _instant(day: date, begins: time, zone: ZoneInfo) -> datetime:
    """In UTC: two datetimes of one zone subtract as wall clocks and would miss a change of the clocks."""
    wall = datetime.combine(day, begins, zone)  # fold=0: the earlier of two
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    # In a gap, fold=1 reckons with the offset after it and so lands before it: the change lies in between.
    before, after = micros(wall.replace(fold=1).astimezone(UTC)), micros(instant)
    offset = moment(after).astimezone(zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if moment(middle).astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return moment(after)
