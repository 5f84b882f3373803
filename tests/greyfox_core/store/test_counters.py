import asyncio
from datetime import timedelta
from pathlib import Path

from greyfox_core.quota.period import period_at
from greyfox_core.quota.ports import Grant, Want
from tests.greyfox_core.quota.house import NOON, House, house, quota


async def granted(one: House, **words: str) -> Grant:
    stated = quota(output_tokens=1, **words)
    want = Want("day", '{"user":"alice"}', stated.period, period_at(one.clock.now(), stated), one.clock.now())
    (grant,) = await one.store.counters.grant([want])
    return grant


async def test_asking_twice_is_one_counter(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        grants = await asyncio.gather(*(granted(one) for _ in range(5)))
        assert len({grant.id for grant in grants}) == 1
        assert grants[0].period == period_at(NOON, quota(output_tokens=1))


async def test_bounds_once_stored_hold_and_the_next_period_begins_where_they_end(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        utc = await granted(one)
        assert await granted(one, timezone="Europe/Berlin") == utc
        one.clock.advance(12 * 3600)
        berlin = await granted(one, timezone="Europe/Berlin")
        assert berlin.id != utc.id
        assert berlin.period.start == utc.period.end  # in Berlin the day began an hour before
        assert berlin.period.end == utc.period.end + timedelta(hours=23)


async def test_an_earlier_clock_gets_the_latest_period(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        one.clock.advance(24 * 3600)
        tomorrow = await granted(one)
        one.clock.moment -= timedelta(days=1)
        assert await granted(one) == tomorrow


async def test_another_kind_of_period_is_another_counter(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        day, month = await granted(one), await granted(one, period="month")
        assert day.id != month.id
        assert await granted(one) == day
