import sqlite3
from pathlib import Path

from bench.database import fill_ledger, make_keys
from greyfox_core.auth.keys import digest_of, load_pepper, pepper_file
from greyfox_core.clock import SystemClock
from greyfox_core.store.open import open_store


async def test_every_key_is_one_that_the_store_knows(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    keys, spent = make_keys(path, 100)
    store = open_store(path, SystemClock(), exclusive=False)
    pepper = load_pepper(pepper_file(path), create=False)
    try:
        by_digest = {record.digest: record for record in await store.keys.list()}
    finally:
        store.close()
    assert [by_digest[digest_of(key, pepper)].user for key in keys] == [f"u{number}" for number in range(100)]
    assert by_digest[digest_of(spent, pepper)].user == "spent"
    assert len(by_digest) == 101


def test_a_filled_ledger_keeps_what_holds_between_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    make_keys(path, 1)
    fill_ledger(path, 1_000)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM ledger WHERE state = 'settled'").fetchone() == (1_000,)
        assert connection.execute("SELECT count(*) FROM charges").fetchone() == (2_000,)
        wrong = connection.execute(
            "SELECT counters.id FROM counters JOIN charges ON counter_id = counters.id GROUP BY counters.id "
            "HAVING settled_input <> sum(charged_input) OR settled_output <> sum(charged_output)"
        ).fetchall()
        assert wrong == []
    connection.close()
    open_store(path, SystemClock()).close()  # which checks the file's pages
