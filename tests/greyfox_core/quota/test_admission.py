import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.clock import ManualClock
from greyfox_core.config.schema import AccountingPart, RateLimit
from greyfox_core.errors import QuotaBusy, QuotaExhausted, RateLimited, StoreUnavailable
from greyfox_core.quota.attempt import Reservation
from greyfox_core.quota.counter import Limits
from greyfox_core.values.usage import Usage
from tests.greyfox_core.quota.house import ALICE, BOB, NOON, attempt, configuration, cost, house, quota


async def test_a_reservation_is_on_disk_before_it_is_handed_out(tmp_path: Path) -> None:
    async with house(tmp_path, quota(input_tokens=100, output_tokens=100)) as one:
        reservation = await one.reserve(input_tokens=10, cap=20, tags={"project": "x"})
        (row,) = one.ledger()
        assert (row["state"], row["reserved_input"], row["reserved_output"], row["user"]) == (
            "reserved",
            10,
            20,
            "alice",
        )
        assert (row["tags"], row["roles"], row["team"]) == ('{"project":"x"}', '["developer"]', "core")
        (counter,) = one.counters()
        assert (counter["reserved_input"], counter["reserved_output"]) == (10, 20)
        await one.admission.settle(reservation, cost(9, 12, output_reasoning=3))
        (row,) = one.ledger()
        assert (row["state"], row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (
            "settled",
            9,
            12,
            3,
        )
        (counter,) = one.counters()
        assert (counter["settled_input"], counter["settled_output"], counter["reserved_output"]) == (9, 12, 0)


async def test_two_hundred_at_once_against_room_for_thirty_seven(tmp_path: Path) -> None:
    limit, each = 37 * 30 + 29, 30
    async with house(tmp_path, quota(output_tokens=limit)) as one:
        with sqlite3.connect(f"{one.path.as_uri()}?mode=ro", uri=True) as eye:
            samples: list[tuple[int, int]] = []
            held = 0
            enough = asyncio.Event()

            def look() -> None:
                plan = one.admission._book.plan(ALICE, "gpt-4o")
                if plan is not None:
                    (counter,) = plan.counters
                    on_disk = eye.execute("SELECT settled_output + reserved_output FROM counters").fetchone()[0]
                    samples.append((counter.output.settled + counter.output.reserved, on_disk))

            async def call() -> bool:
                nonlocal held
                try:
                    reservation = await one.reserve(cap=each, floor=each)
                except QuotaBusy:
                    return False
                look()
                held += 1
                if held == 37:
                    enough.set()
                await enough.wait()
                await one.admission.settle(reservation, cost(10, each))
                look()
                return True

            admitted = await asyncio.gather(*(call() for _ in range(200)))
        eye.close()
        assert sum(admitted) == 37
        assert max(max(sample) for sample in samples) <= limit
        assert [row["settled_output"] for row in one.counters()] == [37 * each]
        with pytest.raises(QuotaExhausted):
            await one.reserve(cap=each, floor=each)


async def test_the_last_tokens_come_with_a_cap(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=50)) as one:
        first = await one.reserve(cap=None, maximum=30)
        second = await one.reserve(cap=None, maximum=30)
        assert (first.output_cap, second.output_cap, second.reserved_output) == (30, 20, 20)
        with pytest.raises(QuotaBusy):
            await one.reserve(cap=None, maximum=30)
        one.admission.settle_soon(first, cost(10, 5))
        third = await one.reserve(cap=None, maximum=30, choices=2)
        assert (third.output_cap, third.reserved_output) == (12, 24)


async def test_all_matching_quotas_are_charged_or_none(tmp_path: Path) -> None:
    quotas = (
        quota("user", output_tokens=1000),
        quota("team", per=("team", "model"), period="month", output_tokens=30),
        quota("others", match={"user": ["bob"]}, output_tokens=0),
    )
    async with house(tmp_path, *quotas) as one:
        await one.reserve(cap=20, floor=20)
        with pytest.raises(QuotaBusy, match="team core and model gpt-4o"):
            await one.reserve(cap=20, floor=20)
        assert [(row["quota"], row["reserved_output"]) for row in one.counters()] == [("user", 20), ("team", 20)]


async def test_settling_twice_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=100)) as one:
        reservation = await one.reserve()
        first = await one.admission.settle(reservation, cost(10, 7))
        assert one.admission.settle_soon(reservation, cost(10, 9)) is first
        one.admission.release_soon(reservation)
        await one.admission.release(reservation)
        assert [row["settled_output"] for row in one.counters()] == [7]


async def test_a_released_attempt_costs_nothing_and_cannot_be_settled(tmp_path: Path) -> None:
    async with house(tmp_path, quota(input_tokens=100, output_tokens=100)) as one:
        reservation = await one.reserve()
        assert one.admission.in_flight == 1
        await one.admission.release(reservation, status=502, code="greyfox_upstream_failed", duration_ms=3.6)
        assert one.admission.settle_soon(reservation, cost(10, 9)).usage == Usage()
        (row,) = one.ledger()
        assert (row["state"], row["status"], row["code"], row["duration_ms"]) == (
            "released",
            502,
            "greyfox_upstream_failed",
            4,
        )
        assert [(row["settled_output"], row["reserved_output"]) for row in one.counters()] == [(0, 0)]
        assert one.admission.in_flight == 0


async def test_what_is_billed_beyond_the_reservation_is_overshoot_and_stops_admission(tmp_path: Path) -> None:
    async with house(tmp_path, quota(input_tokens=1000, output_tokens=50)) as one:
        reservation = await one.reserve(input_tokens=10, cap=20)
        settled = await one.admission.settle(reservation, cost(15, 60))
        assert (settled.overshoot_input, settled.overshoot_output) == (5, 40)
        (row,) = one.ledger()
        assert (row["overshoot_input"], row["overshoot_output"]) == (5, 40)
        with pytest.raises(QuotaExhausted, match=r"\(60 of 50\)"):
            one.admission.check(ALICE, "gpt-4o")
        with pytest.raises(QuotaExhausted):
            await one.reserve()


async def test_figures_that_cannot_be_true_become_the_reservation(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=500)) as one:
        settled = await one.admission.settle(await one.reserve(input_tokens=10, cap=20), cost(10, 10**12))
        assert settled.implausible
        assert [(row["state"], row["output_tokens"]) for row in one.ledger()] == [("estimated", 20)]


async def test_cached_input_can_be_left_out(tmp_path: Path) -> None:
    quotas = quota("all", input_tokens=1000), quota("fresh", input_tokens=1000, count_cached_input=False)
    async with house(tmp_path, *quotas) as one:
        await one.admission.settle(await one.reserve(input_tokens=100), cost(100, 5, input_cached_read=80))
        assert {row["quota"]: row["settled_input"] for row in one.counters()} == {"all": 100, "fresh": 20}


async def test_check_refuses_what_is_settled_and_not_what_is_only_reserved(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=20)) as one:
        reservation = await one.reserve(cap=20)
        one.admission.check(ALICE, "gpt-4o")
        one.admission.settle_soon(reservation, cost(1, 20))
        with pytest.raises(QuotaExhausted, match="Daily output-token quota of user alice is used up") as refused:
            one.admission.check(ALICE, "gpt-4o")
        assert refused.value.retry_after == 12 * 3600
        one.admission.check(ALICE, "gpt-4o", produces_output=False)


async def test_check_needs_the_counters_in_memory(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=20)) as one:
        assert not one.admission.ready(ALICE, "gpt-4o")
        with pytest.raises(StoreUnavailable):
            one.admission.check(ALICE, "gpt-4o")
        await one.admission.prepare(ALICE, "gpt-4o")
        assert one.admission.ready(ALICE, "gpt-4o")
        one.admission.check(ALICE, "gpt-4o")


async def test_soft_refuses_at_check_alone_and_observe_never(tmp_path: Path) -> None:
    quotas = quota("soft", output_tokens=10, enforce="soft"), quota("watch", output_tokens=10, enforce="observe")
    async with house(tmp_path, *quotas) as one:
        first = await one.reserve(cap=200)
        assert (first.output_cap, first.observed) == (None, ())
        one.admission.settle_soon(first, cost(1, 200))
        second = await one.reserve(cap=200)
        assert second.observed == ("watch",)
        with pytest.raises(QuotaExhausted):
            one.admission.check(ALICE, "gpt-4o")
        assert [row["observed"] for row in one.ledger()] == [None, '["watch"]']


async def test_an_attempt_belongs_to_the_period_of_its_admission(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=50)) as one:
        late = await one.reserve(cap=50)
        one.clock.advance(12 * 3600)
        assert not one.admission.ready(ALICE, "gpt-4o")
        fresh = await one.reserve(cap=50)
        one.admission.settle_soon(late, cost(1, 50))
        one.admission.settle_soon(fresh, cost(1, 30))
        await one.admission.prepare(ALICE, "gpt-4o")
        one.admission.check(ALICE, "gpt-4o")
        await one.store.journal.written()
        assert [row["settled_output"] for row in one.counters()] == [50, 30]


async def test_a_clock_that_steps_back_returns_to_no_earlier_period(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=50)) as one:
        one.clock.advance(12 * 3600)
        one.admission.settle_soon(await one.reserve(cap=50), cost(1, 50))
        one.clock.moment -= timedelta(hours=2)
        with pytest.raises(QuotaExhausted):
            one.admission.check(ALICE, "gpt-4o")
    async with house(tmp_path, quota(output_tokens=50), clock=ManualClock(NOON)) as one:
        with pytest.raises(QuotaExhausted, match="resets at 2026-11-26"):
            await one.reserve()


async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=100)) as one:
        await one.admission.prepare(ALICE, "gpt-4o")
        waiting = [asyncio.create_task(one.reserve(cap=10)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        kept = [r for r in await asyncio.gather(*waiting, return_exceptions=True) if isinstance(r, Reservation)]
        await one.store.journal.written()
        states = [row["state"] for row in one.ledger()]
        assert (len(kept), states.count("released"), states.count("reserved")) == (5, 5, 5)
        standing = one.admission.standing(ALICE, "gpt-4o")
        assert standing is not None
        assert standing.remaining_output == 50


async def test_requests_a_minute(tmp_path: Path) -> None:
    rate = RateLimit(name="burst", per=("key",), requests_per_minute=60, burst=3)
    async with house(tmp_path, rate_limits=(rate,)) as one:
        await one.admission.prepare(ALICE, "gpt-4o")
        await one.admission.prepare(BOB, "gpt-4o")
        for _ in range(3):
            one.admission.check(ALICE, "gpt-4o")
        with pytest.raises(RateLimited, match=r"burst of key key_alice .* 60 requests a minute") as refused:
            one.admission.check(ALICE, "gpt-4o")
        assert refused.value.retry_after == 1
        one.admission.check(BOB, "gpt-4o")
        one.clock.advance(1)
        one.admission.check(ALICE, "gpt-4o")


async def test_tokens_a_minute_follow_the_true_figures(tmp_path: Path) -> None:
    rate = RateLimit(name="flow", per=("user",), tokens_per_minute=600)
    async with house(tmp_path, rate_limits=(rate,)) as one:
        reservation = await one.reserve(input_tokens=500)
        with pytest.raises(RateLimited, match="600 tokens a minute"):
            await one.reserve(input_tokens=500)
        one.admission.release_soon(reservation)
        reservation = await one.reserve(input_tokens=500)
        one.admission.settle_soon(reservation, cost(100, 300))
        await one.reserve(input_tokens=200)
        with pytest.raises(RateLimited) as refused:
            await one.reserve(input_tokens=20)
        assert refused.value.retry_after == 2
        assert one.admission.in_flight == 1


async def test_a_request_that_a_quota_refuses_takes_nothing_from_the_token_bucket(tmp_path: Path) -> None:
    rate = RateLimit(name="flow", per=("user",), tokens_per_minute=600)
    async with house(tmp_path, quota(input_tokens=550), rate_limits=(rate,)) as one:
        with pytest.raises(QuotaExhausted):
            await one.reserve(input_tokens=560)
        await one.reserve(input_tokens=550)


async def test_a_hit_costs_nothing_unless_the_operator_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=100)) as one:
        assert one.admission.hit(attempt(number=0, cache="hit"), Usage(10, 20), duration_ms=1.2)
        await one.store.journal.written()
        (row,) = one.ledger()
        assert (row["kind"], row["output_tokens"], row["saved_input"], row["saved_output"]) == ("hit", 0, 10, 20)
        assert one.counters() == []

        one.admission.reconfigure(
            configuration(quota(output_tokens=100), accounting=AccountingPart(charge_cache_hits=True))
        )
        await one.admission.prepare(ALICE, "gpt-4o")
        one.admission.hit(attempt(number=0), Usage(10, 80))
        with pytest.raises(QuotaExhausted, match="has 20 of 100 left; this request needs 30"):
            one.admission.hit(attempt(number=0), Usage(10, 30))
        await one.store.journal.written()
        assert [row["settled_output"] for row in one.counters()] == [80]


async def test_a_refusal_is_a_row(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        assert one.admission.refused(attempt(number=0), status=429, code="greyfox_quota_exhausted")
        await one.store.journal.written()
        (row,) = one.ledger()
        assert (row["kind"], row["status"], row["code"]) == ("refusal", 429, "greyfox_quota_exhausted")


async def test_set_and_reset_by_an_operator_hold_at_the_next_look(tmp_path: Path) -> None:
    config = configuration(quota(output_tokens=100))
    async with house(tmp_path, quota(output_tokens=100)) as one:
        await one.catch_up()
        one.admission.settle_soon(await one.reserve(cap=100), cost(1, 100))
        under_way = None
        await one.store.journal.written()
        one.store.reports.quota_set(config, "day", {"user": "alice"}, Limits(None, 150), one.clock.now())
        await one.catch_up()
        under_way = await one.reserve(cap=50)
        assert one.store.reports.quota_reset(config, "day", {"user": "alice"}, one.clock.now()) == 1
        await one.catch_up()
        await one.catch_up()
        standing = one.admission.standing(ALICE, "gpt-4o")
        assert standing is not None
        assert (standing.limit_output, standing.remaining_output) == (150, 100)
        await one.admission.settle(under_way, cost(1, 50))
        assert [row["settled_output"] for row in one.counters()] == [50]
        assert (await one.admission.show(ALICE))[0]["output_tokens"] == {
            "limit": 150,
            "settled": 50,
            "reserved": 0,
            "remaining": 100,
        }


async def test_names_that_no_text_can_hold_are_stored_all_the_same(tmp_path: Path) -> None:
    async with house(tmp_path, quota(per=("user", "model"), output_tokens=100)) as one:
        reservation = await one.reserve(model="m\ud800" * 500, tags={"a": "\ud800"})
        await one.admission.settle(reservation, cost(1, 2))
        (row,) = one.ledger()
        assert (len(row["model"]), row["state"]) == (256, "settled")


async def test_no_quotas_at_all_is_unlimited_and_still_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        reservation = await one.reserve(cap=None)
        assert (reservation.output_cap, reservation.reserved_output) == (None, 1000)
        await one.admission.settle(reservation, cost(10, 20))
        assert one.admission.standing(ALICE, "gpt-4o") is None
        assert [(row["input_tokens"], row["output_tokens"]) for row in one.ledger()] == [(10, 20)]


@pytest.mark.parametrize(
    ("words", "limited"),
    [
        ({"input_tokens": 5}, True),
        ({"output_tokens": 5}, False),
        ({"input_tokens": 5, "enforce": "soft"}, False),
        ({"input_tokens": 5, "match": {"user": ["bob"]}}, False),
    ],
)
async def test_whether_input_is_limited(tmp_path: Path, words: dict[str, Any], limited: bool) -> None:
    async with house(tmp_path, quota(**words)) as one:
        assert await one.admission.limits_input(ALICE, "gpt-4o") is limited


@pytest.mark.parametrize(
    ("words", "ample"),
    [
        ({"output_tokens": 1}, True),
        ({"input_tokens": 6400}, True),
        ({"input_tokens": 6399}, False),
        ({"input_tokens": 6399, "enforce": "observe"}, False),
        ({"input_tokens": 6399, "enforce": "soft"}, True),
    ],
)
async def test_whether_so_much_input_is_next_to_nothing(tmp_path: Path, words: dict[str, Any], ample: bool) -> None:
    async with house(tmp_path, quota(**words)) as one:
        assert not one.admission.ample_for(ALICE, "gpt-4o", 100)  # nothing is known yet
        await one.admission.prepare(ALICE, "gpt-4o")
        assert one.admission.ample_for(ALICE, "gpt-4o", 100) is ample


async def test_what_is_set_aside_leaves_less_to_be_ample(tmp_path: Path) -> None:
    async with house(tmp_path, quota(input_tokens=6410)) as one:
        reservation = await one.reserve(input_tokens=11)
        assert not one.admission.ample_for(ALICE, "gpt-4o", 100)
        one.admission.settle_soon(reservation, cost(10, 1))
        assert one.admission.ample_for(ALICE, "gpt-4o", 100)


async def test_a_rate_limit_of_tokens_looks_at_every_one(tmp_path: Path) -> None:
    rate = RateLimit(name="flow", per=("user",), tokens_per_minute=10**9)
    async with house(tmp_path, rate_limits=(rate,)) as one:
        await one.admission.prepare(ALICE, "gpt-4o")
        assert not one.admission.ample_for(ALICE, "gpt-4o", 1)


async def test_a_request_that_takes_no_cap_is_refused_unless_the_models_maximum_fits(tmp_path: Path) -> None:
    async with house(tmp_path, quota(output_tokens=100)) as one:
        with pytest.raises(QuotaExhausted, match="is 100; this request alone needs 101"):
            await one.reserve(cap=None, maximum=101, floor=101)
        assert (await one.reserve(cap=None, maximum=100, floor=100)).reserved_output == 100
