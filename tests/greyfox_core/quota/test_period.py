from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greyfox_core.config.schema import Quota
from greyfox_core.quota.period import micros, moment, period_at

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/St_Johns",
]
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it wants


def quota(**words: Any) -> Quota:
    return Quota(**{"name": "q", "period": "day", "output_tokens": 1, **words})


QUOTAS = st.builds(
    lambda zone, kind, hour, minute: quota(timezone=zone, resets_at=f"{hour:02}:{minute:02}", **kind),
    st.sampled_from(ZONES),
    st.sampled_from(
        [
            {"period": "day"},
            {"period": "month"},
            {"period": "week"},
            {"period": "week", "week_starts": "sunday"},
            {"period": "week", "week_starts": "thursday"},
        ]
    ),
    st.integers(0, 23),
    st.sampled_from([0, 15, 30, 59]),
)


@pytest.mark.parametrize(
    ("words", "now", "start", "end"),
    [
        ({}, "2026-11-24T18:00:00+01:00", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
        ({"timezone": "Europe/Berlin"}, "2026-11-24T18:00:00+01:00", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        # 23 and 25 hours
        ({"timezone": "Europe/Berlin"}, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ({"timezone": "Europe/Berlin"}, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        # the clocks change at midnight: the day begins at 01:00
        ({"timezone": "Africa/Cairo"}, "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"),
        ({"timezone": "America/Santiago"}, "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"),
        # a reset inside the gap: the first instant after it
        (
            {"timezone": "Europe/Berlin", "resets_at": "02:30"},
            "2026-03-29T12:00:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
        ),
        # a midnight that happens twice (Cairo, back from 24:00 to 23:00 leaves one; Berlin's 02:30 happens twice)
        (
            {"timezone": "Europe/Berlin", "resets_at": "02:30"},
            "2026-10-25T12:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ),
        # a day that does not exist: Apia had no 30 December 2011
        ({"timezone": "Pacific/Apia"}, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        ({"timezone": "Pacific/Apia"}, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        # before today's reset it is still yesterday's period
        ({"resets_at": "06:00"}, "2026-01-01T05:59:59Z", "2025-12-31T06:00:00Z", "2026-01-01T06:00:00Z"),
        ({"resets_at": "06:00"}, "2026-01-01T06:00:00Z", "2026-01-01T06:00:00Z", "2026-01-02T06:00:00Z"),
        # week 53
        ({"period": "week"}, "2027-01-02T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
        (
            {"period": "week", "week_starts": "sunday"},
            "2026-11-24T00:00:00Z",
            "2026-11-22T00:00:00Z",
            "2026-11-29T00:00:00Z",
        ),
        # leap day
        ({"period": "month"}, "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ({"period": "month"}, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (
            {"period": "month", "timezone": "Europe/Berlin", "resets_at": "08:00"},
            "2026-04-01T05:59:00Z",
            "2026-03-01T07:00:00Z",
            "2026-04-01T06:00:00Z",
        ),
    ],
)
def test_a_moment_belongs_to_this_period(words: dict[str, Any], now: str, start: str, end: str) -> None:
    period = period_at(datetime.fromisoformat(now), quota(**words))
    assert (period.start, period.end) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


def test_the_moment_of_the_reset_belongs_to_the_next_period() -> None:
    period = period_at(datetime(2026, 1, 1, 12, tzinfo=UTC), quota())
    assert period_at(period.end, quota()).start == period.end


def test_seconds_left_are_rounded_up() -> None:
    period = period_at(datetime(2026, 1, 1, 12, tzinfo=UTC), quota())
    assert period.seconds_left(period.end - timedelta(microseconds=1)) == 1
    assert period.seconds_left(period.end) == 0
    assert period.seconds_left(period.end + timedelta(hours=1)) == 0


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        period_at(datetime(2026, 1, 1), quota())  # noqa: DTZ001 - that is the point


@given(MOMENTS, QUOTAS)
@example(datetime(2011, 12, 30, 10, tzinfo=UTC), quota(timezone="Pacific/Apia", resets_at="12:00"))
def test_periods_follow_one_another_without_gap_or_overlap(now: datetime, one: Quota) -> None:
    period = period_at(now, one)
    assert period.start <= now < period.end
    assert period_at(period.start, one) == period
    assert period_at(period.end - timedelta(microseconds=1), one) == period
    assert period_at(period.end, one).start == period.end
    assert period_at(period.start - timedelta(microseconds=1), one).end == period.start


@given(MOMENTS, QUOTAS)
def test_a_bound_shows_the_stated_time_on_the_wall_or_the_first_one_that_exists(now: datetime, one: Quota) -> None:
    zone, begins = ZoneInfo(one.timezone), time.fromisoformat(one.resets_at)
    start = period_at(now, one).start
    wall = start.astimezone(zone)
    if wall.time() == begins:
        assert wall.fold == 0
        if one.period == "month":
            assert wall.day == 1
    else:
        # The clocks jumped over it: just before, it had not come yet.
        before = (start - timedelta(microseconds=1)).astimezone(zone)
        stated = datetime.combine(date(before.year, before.month, before.day), begins)
        assert before.utcoffset() != wall.utcoffset()
        assert before.replace(tzinfo=None) < stated or before.date() < wall.date()


@given(MOMENTS)
def test_microseconds_are_exact(now: datetime) -> None:
    assert moment(micros(now)) == now
