import sqlite3

import pytest

from greyfox_core.store.rows import Bulk, first_id


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
