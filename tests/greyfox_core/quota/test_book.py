import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.config.schema import Match, RateLimit
from greyfox_core.errors import StoreUnavailable
from greyfox_core.quota.book import Book, Plan
from greyfox_core.quota.counter import Limits
from greyfox_core.quota.ports import Adjusted, Changes, Figures, Grant, Want
from greyfox_core.quota.subjects import selects
from greyfox_core.values.principal import Principal
from tests.greyfox_core.quota.house import ALICE, BOB, NOON, configuration, quota


class Granting:
    """Grants what it is asked for, once it is let; counts the askings."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False

    async def grant(self, wants: Sequence[Want]) -> list[Grant]:
        self.asked.append([want.subject for want in wants])
        await self.open.wait()
        if self.broken:
            raise StoreUnavailable("away")
        return [
            Grant(
                len(self.asked),
                want.quota,
                want.subject,
                want.kind,
                want.period,
                Figures(settled_output=7, adjusted_output=-3),
            )
            for want in wants
        ]

    async def current(self, now: datetime, quotas: Sequence[str]) -> list[Grant]:
        return []


@pytest.fixture
def port() -> Granting:
    return Granting()


async def test_callers_that_come_at_once_share_one_load_and_one_counter(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    port.open.clear()
    asking = [asyncio.create_task(book.prepare(ALICE, f"model-{n}", NOON)) for n in range(20)]
    await asyncio.sleep(0)
    port.open.set()
    plans = await asyncio.gather(*asking)
    assert len(port.asked) == 1
    assert len({id(plan.counters[0]) for plan in plans}) == 1
    assert book.ready(ALICE, "model-3", NOON)
    assert not book.ready(ALICE, "another", NOON)


async def test_one_who_gives_up_does_not_take_the_load_from_the_others(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    port.open.clear()
    first, second = (asyncio.create_task(book.prepare(ALICE, "m", NOON)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    port.open.set()
    assert isinstance(await second, Plan)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_load_that_failed_is_tried_again_by_the_next(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    port.broken = True
    with pytest.raises(StoreUnavailable):
        await book.prepare(ALICE, "m", NOON)
    port.broken = False
    assert (await book.prepare(ALICE, "m", NOON)).counters[0].output.settled == 7


async def test_a_period_that_ends_makes_the_plan_stale_and_a_new_counter(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    old = (await book.prepare(ALICE, "m", NOON)).counters[0]
    midnight = NOON + timedelta(hours=12)
    assert book.ready(ALICE, "m", midnight - timedelta(microseconds=1))
    assert not book.ready(ALICE, "m", midnight)
    new = (await book.prepare(ALICE, "m", midnight)).counters[0]
    assert new is not old
    assert new.period.start == old.period.end


async def test_without_quotas_there_is_nothing_to_load(port: Granting) -> None:
    book = Book(configuration(), port, {})
    plan = await book.prepare(ALICE, "m", NOON)
    assert (plan.counters, port.asked) == ((), [])
    assert book.ready(ALICE, "m", NOON + timedelta(days=10_000))


async def test_new_limits_hold_for_counters_in_memory(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    one = (await book.prepare(ALICE, "m", NOON)).counters[0]
    book.reconfigure(configuration(quota(output_tokens=50, enforce="soft")))
    assert (one.output.limit, one.output.settled, one.quota.enforce) == (50, 7, "soft")
    book.apply(Changes(overrides={("day", '{"user":"alice"}'): Limits(5, None)}))
    assert (one.input.limit, one.output.limit) == (5, 50)
    book.reconfigure(configuration(quota(output_tokens=60)))
    assert (one.input.limit, one.output.limit) == (5, 60)
    book.apply(Changes(overrides={}))
    assert (one.input.limit, one.output.limit) == (None, 60)
    assert (await book.prepare(ALICE, "m", NOON)).counters == (one,)


async def test_a_quota_that_is_taken_out_of_the_configuration_holds_no_more(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    one = (await book.prepare(ALICE, "m", NOON)).counters[0]
    book.reconfigure(configuration())
    assert (await book.prepare(ALICE, "m", NOON)).counters == ()
    book.reconfigure(configuration(quota(output_tokens=100)))
    assert (await book.prepare(ALICE, "m", NOON)).counters == (one,)  # still the one and only


async def test_a_correction_applied_twice_counts_once(port: Granting) -> None:
    book = Book(configuration(quota(output_tokens=100)), port, {})
    one = (await book.prepare(ALICE, "m", NOON)).counters[0]
    for _ in range(2):
        book.apply(Changes(adjusted=(Adjusted(one.id, 0, -8), Adjusted(999, -1, -1))))
        assert (one.output.settled, one.output.adjusted) == (2, -8)  # 3 of the 8 were in it when it was granted


async def test_what_is_idle_leaves_memory_and_what_is_reserved_stays(
    port: Granting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greyfox_core.quota.book._MOST", 2)
    book = Book(configuration(quota(output_tokens=100)), port, {})
    busy = (await book.prepare(ALICE, "m", NOON)).counters[0]
    busy.output.reserved = 5
    idle = (await book.prepare(BOB, "m", NOON)).counters[0]
    for name in ("carol", "dave"):
        await book.prepare(type(BOB)(user=name, key_id="k"), "m", NOON)
    assert not book.ready(ALICE, "m", NOON)
    assert (await book.prepare(ALICE, "m", NOON)).counters == (busy,)
    assert (await book.prepare(BOB, "m", NOON)).counters != (idle,)


async def test_buckets_by_unit_and_subject(port: Granting, monkeypatch: pytest.MonkeyPatch) -> None:
    both = RateLimit(name="both", per=("user",), requests_per_minute=60, tokens_per_minute=6000, burst=5)
    tokens = RateLimit(name="tokens", per=("team",), tokens_per_minute=600, burst=50)
    book = Book(configuration(rate_limits=(both, tokens)), port, {})
    plan = await book.prepare(ALICE, "m", NOON)
    assert [(one.unit, one.bucket.rate, one.bucket.burst) for one in (*plan.requests, *plan.tokens)] == [
        ("requests", 1.0, 5),
        ("tokens", 100.0, 6000),
        ("tokens", 10.0, 50),
    ]
    assert (await book.prepare(ALICE, "m2", NOON)).requests[0].bucket is plan.requests[0].bucket
    assert (await book.prepare(BOB, "m", NOON)).requests[0].bucket is not plan.requests[0].bucket
    plan.requests[0].bucket.level = 4.0
    book.reconfigure(configuration(rate_limits=(both.model_copy(update={"requests_per_minute": 120}), tokens)))
    again = (await book.prepare(ALICE, "m", NOON)).requests[0].bucket
    assert (again.level, again.rate) == (4.0, 2.0)
    monkeypatch.setattr("greyfox_core.quota.book._MOST", 1)
    await book.prepare(type(BOB)(user="carol", key_id="k"), "m", NOON)
    assert not book.ready(ALICE, "m", NOON)


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "user": st.sampled_from([("alice",), ("bob",), ("a*",), ("bob", "alice")]),
        "team": st.sampled_from([("core",), ("ops",), ("*",)]),
        "role": st.sampled_from([("developer",), ("support",)]),
        "model": st.sampled_from([("m",), ("n",), ("?",)]),
    },
).map(lambda words: Match(**words))


@given(st.lists(MATCHES, max_size=6), st.lists(MATCHES, max_size=6), st.sampled_from([ALICE, BOB]))
def test_a_plan_holds_what_selects_the_caller_in_the_order_of_the_configuration(
    quotas: list[Match], rates: list[Match], who: Principal
) -> None:
    config = configuration(
        *(quota(f"q{n}", output_tokens=1, match=match) for n, match in enumerate(quotas)),
        rate_limits=tuple(
            RateLimit(name=f"r{n}", requests_per_minute=1, tokens_per_minute=1, match=match)
            for n, match in enumerate(rates)
        ),
    )
    plan = asyncio.run(Book(config, Granting(), {}).prepare(who, "m", NOON))

    assert [counter.quota.name for counter in plan.counters] == [
        one.name for one in config.quotas if selects(one.match, who, "m")
    ]
    limiting = [one.name for one in config.rate_limits if selects(one.match, who, "m")]
    assert [limited.limit.name for limited in plan.requests] == limiting
    assert [limited.limit.name for limited in plan.tokens] == limiting
