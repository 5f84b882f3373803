import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from greyfox_core.errors import StoreUnavailable
from greyfox_core.quota.attempt import Settlement
from greyfox_core.values.usage import Usage
from tests.greyfox_core.quota.house import ALICE, House, attempt, configuration, cost, house, quota

QUOTA = quota(input_tokens=10_000, output_tokens=10_000)


class Failing:
    """A crash point that fails as a driver would, as often as it is told."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}

    def __call__(self, point: str) -> None:
        if self.times.get(point, 0) > 0:
            self.times[point] -= 1
            raise OSError(5, "Input/output error")


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.005)


async def test_what_comes_at_once_shares_commits(tmp_path: Path) -> None:
    commits: list[str] = []
    async with house(tmp_path, QUOTA, reached=commits.append) as one:
        await one.admission.prepare(ALICE, "gpt-4o")
        await asyncio.gather(*(one.reserve() for _ in range(200)))
        assert len(one.ledger()) == 200
        assert commits.count("after-reserve-commit") <= 20


async def test_the_order_of_the_loop_is_the_order_on_disk(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        for _ in range(20):
            one.admission.settle_soon(await one.reserve(cap=20), cost(1, 20))
        await one.store.journal.written()
        assert [row["settled_output"] for row in one.counters()] == [400]


@pytest.mark.parametrize("point", ["before-reserve-commit", "after-reserve-commit"])
async def test_a_reservation_whose_commit_failed_is_refused_and_leaves_nothing(tmp_path: Path, point: str) -> None:
    failing = Failing()
    async with house(tmp_path, QUOTA, reached=failing) as one:
        await one.admission.prepare(ALICE, "gpt-4o")
        failing.times[point] = 1
        with pytest.raises(StoreUnavailable):
            await one.reserve()
        assert one.admission.in_flight == 0
        await one.store.journal.written()
        # After the commit it was on disk, though nobody could know: then it was released, never left open.
        assert [row["state"] for row in one.ledger()] == (["released"] if point.startswith("after") else [])
        assert [(row["reserved_output"], row["settled_output"]) for row in one.counters()] == [(0, 0)]
        await until(lambda: not one.store.journal.failing)
        await one.reserve()


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("point", ["before-settle-commit", "after-settle-commit"])
async def test_a_settlement_whose_commit_failed_is_booked_once(tmp_path: Path, point: str, times: int) -> None:
    failing = Failing()
    async with house(tmp_path, QUOTA, reached=failing) as one:
        reservations = [await one.reserve() for _ in range(5)]
        failing.times[point] = times
        for reservation in reservations:
            one.admission.settle_soon(reservation, cost(3, 7))
        await one.store.journal.written()
        assert [row["state"] for row in one.ledger()] == ["settled"] * 5
        assert [(row["settled_input"], row["settled_output"]) for row in one.counters()] == [(15, 35)]


async def test_while_the_database_is_away_nothing_is_admitted_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path, QUOTA) as one:
        under_way = [await one.reserve() for _ in range(3)]
        away = one.path.with_name("away.db")
        one.path.rename(away)
        with pytest.raises(StoreUnavailable, match="cannot write"):
            await one.reserve()
        for reservation in under_way:
            one.admission.settle_soon(reservation, cost(1, 2))
        assert one.store.journal.failing
        with pytest.raises(StoreUnavailable):
            await one.reserve()
        with pytest.raises(StoreUnavailable):
            await one.store.changes()
        assert not one.admission.refused(attempt(number=0), status=503, code="greyfox_unavailable")
        assert not one.path.exists()  # never made anew
        away.rename(one.path)
        await one.store.journal.written()
        await until(lambda: not one.store.journal.failing)
        await one.reserve()
        assert [row["state"] for row in one.ledger()] == ["settled"] * 3 + ["reserved"]
    assert [record.levelno for record in caplog.records if record.name == "greyfox.store"] == [
        logging.ERROR,
        logging.WARNING,
    ]


async def test_another_file_in_the_place_of_the_database_is_not_written(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        await one.reserve()
        away = one.path.with_name("away.db")
        one.path.rename(away)
        one.path.touch()
        with pytest.raises(StoreUnavailable):
            await one.reserve()
        assert one.path.stat().st_size == 0
        one.path.unlink()
        away.rename(one.path)
        await one.store.journal.written()


async def test_a_full_disk_refuses_and_heals(tmp_path: Path) -> None:
    def fill_up(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async with house(tmp_path, QUOTA) as one:
        reservation = await one.reserve()
        await one.store.journal.call(fill_up)
        refused = 0
        while not refused:
            try:
                await one.reserve(tags={"padding": "x" * 1000})
            except StoreUnavailable:
                refused += 1
        one.admission.settle_soon(reservation, cost(1, 2))
        await one.store.journal.written()  # a new connection has no such bound: there is room again
        assert one.ledger()[0]["state"] == "settled"


async def test_one_entry_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        good, bad = await one.reserve(), await one.reserve()
        one.admission.settle_soon(good, cost(1, 2))
        one.admission.settle_soon(bad, Settlement(Usage(1, 2), False, "complete", status=2**70))
        late = asyncio.create_task(one.reserve())
        await one.store.journal.written()
        await late
        assert [row["state"] for row in one.ledger()] == ["settled", "reserved", "reserved"]
        assert not one.store.journal.failing


async def test_a_reservation_that_cannot_be_stored_is_refused_alone(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        outcomes = await asyncio.gather(one.reserve(), one.reserve(number=2**70), one.reserve(), return_exceptions=True)
        assert [isinstance(outcome, StoreUnavailable) for outcome in outcomes] == [False, True, False]
        assert one.admission.in_flight == 2


async def test_a_queue_that_is_full_refuses_reservations_and_sheds_rows_but_takes_every_end(tmp_path: Path) -> None:
    gate = threading.Event()
    block, blocked = threading.Event(), threading.Event()

    def slow(point: str) -> None:
        if block.is_set():
            blocked.set()
            gate.wait(10)

    async with house(tmp_path, QUOTA, reached=slow) as one:
        reservations = [await one.reserve() for _ in range(3)]
        one.store.journal._most = 2
        block.set()
        first = asyncio.create_task(one.reserve())
        await until(blocked.is_set)
        waiting = [asyncio.create_task(one.reserve()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await one.reserve()
        assert not one.admission.refused(attempt(number=0), status=429, code="x")
        for reservation in reservations:
            one.admission.settle_soon(reservation, cost(1, 2))
        gate.set()
        await asyncio.gather(first, *waiting)
        await one.store.journal.written()
        assert [row["state"] for row in one.ledger()] == ["settled"] * 3 + ["reserved"] * 3


async def test_stopping_writes_what_waits(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        reservations = [await one.reserve() for _ in range(20)]
        for reservation in reservations:
            one.admission.settle_soon(reservation, cost(1, 2))
        one.store.close()
        assert {row["state"] for row in one.ledger()} == {"settled"}
        with pytest.raises(StoreUnavailable):
            await one.reserve()
        with pytest.raises(StoreUnavailable):
            await one.store.journal.written()
        one.store = House(one.path, configuration(QUOTA), one.clock).store


async def test_stopping_while_the_database_is_away_ends_and_the_next_start_books_the_rest(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        reservation = await one.reserve(input_tokens=10, cap=20)
        away = one.path.with_name("away.db")
        one.path.rename(away)
        one.admission.settle_soon(reservation, cost(1, 2))
        await asyncio.to_thread(one.store.close)
        away.rename(one.path)
        again = House(one.path, configuration(QUOTA), one.clock)
        assert (again.recovered.orphans, again.recovered.output_tokens) == (1, 20)
        one.store = again.store


async def test_a_call_that_raises_fails_alone(tmp_path: Path) -> None:
    def wrong(connection: Connection) -> None:
        raise LookupError("nothing there")

    async with house(tmp_path, QUOTA) as one:
        with pytest.raises(LookupError):
            await one.store.journal.call(wrong)
        await one.reserve()


async def test_what_a_call_that_raises_has_written_is_undone(tmp_path: Path) -> None:
    def wrong(connection: Connection) -> None:
        connection.exec_driver_sql("DELETE FROM boots")
        raise LookupError("nothing there")

    async with house(tmp_path, QUOTA) as one:
        with pytest.raises(LookupError):
            await one.store.journal.call(wrong)
        assert await one.store.journal.call(
            lambda connection: connection.exec_driver_sql("SELECT count(*) FROM boots").scalar_one()
        )
