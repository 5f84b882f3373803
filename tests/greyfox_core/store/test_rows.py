import sqlite3

import pytest

from greyfox_core.quota.attempt import Reservation
from greyfox_core.store import rows
from greyfox_core.store.rows import Bulk, first_id
from tests.greyfox_core.quota.house import NOON, attempt


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 64, 65, 200])
def test_any_number_of_rows_goes_in_with_few_statements(number: int) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    insert = Bulk(2, "INSERT INTO t (a, b) VALUES")
    assert insert.run(connection, [(n, str(n)) for n in range(number)]) == number
    assert len(statements) <= number // 64 + 7
    update = Bulk(2, "UPDATE t SET b = v.column2 FROM (VALUES", ") AS v WHERE t.a = v.column1")
    assert update.run(connection, [(n, "new") for n in range(number + 5)]) == number
    connection.set_trace_callback(None)
    assert connection.execute("SELECT COUNT(*) FROM t WHERE b = 'new'").fetchone() == (number,)
    connection.close()


def test_ids_of_later_boots_are_greater_and_fit_into_64_bits() -> None:
    assert first_id(1) < first_id(2) < 2**63
    assert first_id(2) - first_id(1) == 2**40


@pytest.mark.parametrize(
    ("name", "stored"),
    [("gpt-4o", "gpt-4o"), ("größe", "größe"), ("\ud800x", "?x"), ("x" * 300, "x" * 256), ("é" * 300, "é" * 256)],
)
def test_a_name_is_stored_whatever_it_is_each_time_it_comes(name: str, stored: str) -> None:
    for _ in range(2):
        row = rows.opened(Reservation(1, attempt(requested_model=name), NOON, 1, 1, None, (), ()), boot=1)
        assert stored in row and (name == stored or name not in row)


def test_names_are_remembered_within_bounds() -> None:
    for number in range(rows._REMEMBERED + 10):
        rows.opened(Reservation(1, attempt(model=f"m{number}"), NOON, 1, 1, None, (), ()), boot=1)
    assert len(rows._TEXTS) <= rows._REMEMBERED
