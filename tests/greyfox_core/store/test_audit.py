import sqlite3
from pathlib import Path

import pytest

from greyfox_core.store.audit import Mismatch
from tests.greyfox_core.quota.house import House, configuration, cost, house, quota

QUOTA = quota(input_tokens=1000, output_tokens=1000)
WHERE = "quota day of user alice, day from 2026-11-24T00:00:00+00:00"


def tamper(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "mend", "found"),
    [
        (
            "UPDATE counters SET settled_output = settled_output - 5",
            "UPDATE counters SET settled_output = settled_output + 5",
            [Mismatch(WHERE, "settled_output", 2, 7)],
        ),
        (
            "UPDATE counters SET reserved_input = 0",
            "UPDATE counters SET reserved_input = 10",
            [Mismatch(WHERE, "reserved_input", 0, 10)],
        ),
        (
            "UPDATE ledger SET output_tokens = 1 WHERE state = 'settled'",
            "UPDATE ledger SET output_tokens = 7 WHERE state = 'settled'",
            [Mismatch("request req-a, attempt 1", "charged_output", 7, 1)],
        ),
        (
            "UPDATE ledger SET input_tokens = 1 WHERE state = 'settled'",
            "UPDATE ledger SET input_tokens = 3 WHERE state = 'settled'",
            [Mismatch("request req-a, attempt 1", "charged_input", 3, 1)],
        ),
    ],
)
async def test_a_figure_that_was_tampered_with_is_found(
    tmp_path: Path, spoil: str, mend: str, found: list[Mismatch]
) -> None:
    async with house(tmp_path, QUOTA) as one:
        await one.admission.settle(await one.reserve(request_id="req-a"), cost(3, 7))
        await one.reserve(input_tokens=10, cap=20)
        assert one.store.reports.verify() == []
        tamper(one.path, spoil)
        assert one.store.reports.verify() == found
        tamper(one.path, mend)


async def test_the_next_start_counts_anew_what_does_not_agree(tmp_path: Path) -> None:
    async with house(tmp_path, QUOTA) as one:
        await one.admission.settle(await one.reserve(), cost(3, 7))
        one.store.close()
        tamper(one.path, "UPDATE counters SET settled_output = 99, reserved_input = 5")
        again = House(one.path, configuration(QUOTA), one.clock)
        assert again.recovered.repaired == (
            Mismatch(WHERE, "settled_output", 99, 7),
            Mismatch(WHERE, "reserved_input", 5, 0),
        )
        one.store = again.store
