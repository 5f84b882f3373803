"""What is left of a process that was killed: every attempt that can have been billed is in the ledger, once."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.clock import ManualClock
from tests.greyfox_core.quota.house import NOON, House, configuration, cost, house, quota

QUOTA = quota(input_tokens=100_000, output_tokens=100_000)
ROOT = Path(__file__).parents[3]

# A gateway in small: reserves, then "forwards" (tells it to the file that stands for the upstream), then settles.
GATEWAY = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.greyfox_core.quota.house import House, configuration, cost, quota
from greyfox_core.clock import ManualClock
from tests.greyfox_core.quota.house import NOON

folder, point, after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
passed = 0

def reached(name):
    global passed
    if name == point:
        passed += 1
        if passed > after:
            os.kill(os.getpid(), signal.SIGKILL)

async def call(house, bill, number):
    reservation = await house.reserve(request_id=f"r{number}", input_tokens=10, cap=20)
    bill.write(f"r{number}\\n")
    reached("forwarded")
    await asyncio.sleep(0)
    await house.admission.settle(reservation, cost(9, 11))

async def main():
    q = quota(input_tokens=100_000, output_tokens=100_000)
    house = House(folder / "greyfox.db", configuration(q), ManualClock(NOON), reached)
    with (folder / "bill").open("a", buffering=1) as bill:
        for batch in range(50):
            await asyncio.gather(*(call(house, bill, f"{os.getpid()}-{batch}-{n}") for n in range(7)))

asyncio.run(main())
"""


def run_and_die(folder: Path, point: str, after: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", GATEWAY, str(folder), point, str(after)],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def billed(folder: Path) -> list[str]:
    file = folder / "bill"
    return file.read_text().split() if file.exists() else []


def assert_nothing_is_lost_or_doubled(one: House, folder: Path) -> None:
    rows: dict[str, dict[str, Any]] = {row["request_id"]: row for row in one.ledger()}
    assert len(rows) == len(one.ledger())
    for request in billed(folder):
        assert rows[request]["state"] in ("settled", "estimated")
        assert (rows[request]["input_tokens"], rows[request]["output_tokens"]) >= (9, 11)
    assert not [row for row in rows.values() if row["state"] == "reserved"]
    (counter,) = one.counters() or ({"settled_output": 0, "reserved_output": 0},)
    assert counter["settled_output"] == sum(row["output_tokens"] for row in rows.values())
    assert counter["reserved_output"] == 0
    assert one.store.reports.verify() == []


@pytest.mark.parametrize(
    ("point", "after"),
    [
        ("before-reserve-commit", 0),
        ("before-reserve-commit", 3),
        ("after-reserve-commit", 0),
        ("after-reserve-commit", 3),
        ("forwarded", 10),
        ("before-settle-commit", 0),
        ("before-settle-commit", 2),
        ("after-settle-commit", 2),
    ],
)
def test_killed_anywhere_every_billed_attempt_is_booked_once(tmp_path: Path, point: str, after: int) -> None:
    run_and_die(tmp_path, point, after)
    one = House(tmp_path / "greyfox.db", configuration(QUOTA), ManualClock(NOON))
    assert_nothing_is_lost_or_doubled(one, tmp_path)
    one.store.close()


def test_recovery_itself_may_be_killed(tmp_path: Path) -> None:
    run_and_die(tmp_path, "forwarded", 10)
    run_and_die(tmp_path, "in-recovery", 0)
    run_and_die(tmp_path, "in-recovery", 0)
    one = House(tmp_path / "greyfox.db", configuration(QUOTA), ManualClock(NOON))
    assert one.recovered.orphans > 0
    assert one.recovered.output_tokens == 20 * one.recovered.orphans
    assert_nothing_is_lost_or_doubled(one, tmp_path)
    one.store.close()
    again = House(tmp_path / "greyfox.db", configuration(QUOTA), ManualClock(NOON))
    assert again.recovered.orphans == 0
    again.store.close()


async def test_an_orphan_is_booked_at_its_whole_reservation_in_its_own_period(tmp_path: Path) -> None:
    two = quota("two", per=("team", "model"), period="month", output_tokens=1000)
    async with house(tmp_path, QUOTA, two) as one:
        await one.reserve(input_tokens=10, cap=20, choices=3)
        released = await one.reserve()
        await one.admission.release(released)
        one.store.close()
        one.clock.advance(24 * 3600)
        again = House(one.path, configuration(QUOTA, two), one.clock)
        assert (again.recovered.orphans, again.recovered.input_tokens, again.recovered.output_tokens) == (1, 10, 60)
        assert again.recovered.repaired == ()
        assert [(row["state"], row["outcome"], row["output_tokens"]) for row in again.ledger()] == [
            ("estimated", "orphaned", 60),
            ("released", "failed", 0),
        ]
        assert [(row["settled_input"], row["settled_output"], row["reserved_output"]) for row in again.counters()] == [
            (10, 60, 0),
            (10, 60, 0),
        ]
        one.store = again.store


async def test_a_settlement_of_the_killed_process_changes_nothing_any_more(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        reservation = await one.reserve(input_tokens=10, cap=20)
        one.store.close()
        again = House(one.path, configuration(QUOTA), one.clock)
        one.store = again.store
        # The same end handed to the new journal, as by a reply that was replayed.
        again.admission._open[reservation.id] = reservation
        again.admission.settle_soon(reservation, cost(1, 2))
        await again.store.journal.written()
        assert [(row["state"], row["output_tokens"]) for row in again.ledger()] == [("estimated", 20)]
        assert [row["settled_output"] for row in again.counters()] == [20]
