import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from greyfox_core.clock import ManualClock
from greyfox_core.errors import ConfigError, StoreUnavailable
from greyfox_core.quota.counter import Limits
from greyfox_core.store.migrations import HEAD
from greyfox_core.store.open import open_store
from tests.greyfox_core.quota.house import ALICE, NOON, configuration, cost, house, quota


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "greyfox.db"


def opened(path: Path) -> None:
    open_store(path, ManualClock(NOON)).close()


def test_a_new_database_is_for_its_owner_alone(path: Path) -> None:
    store = open_store(path, ManualClock(NOON))
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.reports.verify() == []
    assert store.boot == 1
    store.close()


def test_every_start_has_its_own_number(path: Path) -> None:
    boots = []
    for _ in range(3):
        store = open_store(path, ManualClock(NOON))
        boots.append(store.boot)
        store.close()
    assert boots == [1, 2, 3]


def test_a_second_gateway_is_refused_in_one_line(path: Path) -> None:
    store = open_store(path, ManualClock(NOON))
    with pytest.raises(ConfigError, match=f"another gateway uses this database \\(process {os.getpid()}\\)") as refused:
        open_store(path, ManualClock(NOON))
    assert "\n" not in str(refused.value)
    beside = open_store(path, ManualClock(NOON), exclusive=False)
    assert beside.reports.verify() == []
    with pytest.raises(StoreUnavailable):
        _ = beside.journal
    beside.close()
    store.close()
    opened(path)


def test_a_gateway_that_was_killed_leaves_no_lock(path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from greyfox_core.clock import SystemClock;"
        "from greyfox_core.store.open import open_store; open_store(Path(sys.argv[1]), SystemClock());"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False, cwd=Path.cwd())
    assert ended.returncode == -9
    opened(path)


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def header_overwritten(path: Path) -> None:
    opened(path)
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def page_flipped(path: Path) -> None:
    opened(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))


def cut_short(path: Path) -> None:
    opened(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()


def newer(path: Path) -> None:
    opened(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def only_the_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"rest")


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garbage, "not a SQLite database"),
        (header_overwritten, "not a SQLite database"),
        (page_flipped, "damaged|malformed"),
        (cut_short, "damaged|malformed"),
        (foreign, "a database of another program"),
        (newer, "made by a newer GreyFox"),
        (only_the_log, "write-ahead log is there"),
        (a_folder, "not a file"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_in_one_line_and_left_alone(
    path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):
        with pytest.raises(ConfigError, match=words) as refused:
            open_store(path, ManualClock(NOON))
        assert "\n" not in str(refused.value)
        assert str(path) in str(refused.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be writable"):
        open_store(tmp_path / "nowhere" / "greyfox.db", ManualClock(NOON))
    with pytest.raises(ConfigError, match="cannot be made"):
        open_store(tmp_path / "nowhere" / "greyfox.db", ManualClock(NOON), exclusive=False)


def test_a_command_beside_the_gateway_does_not_migrate(path: Path) -> None:
    opened(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    with pytest.raises(ConfigError, match="start the gateway once"):
        open_store(path, ManualClock(NOON), exclusive=False)


def test_a_command_may_be_first(path: Path) -> None:
    open_store(path, ManualClock(NOON), exclusive=False).close()
    opened(path)


def test_of_many_that_start_at_once_one_makes_the_schema(path: Path) -> None:
    problems: list[Exception] = []

    def start() -> None:
        try:
            open_store(path, ManualClock(NOON), exclusive=False).close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    connection.close()


async def test_changes_by_another_process_are_seen_once(tmp_path: Path) -> None:
    config = configuration(quota(output_tokens=100))
    async with house(tmp_path, quota(output_tokens=100)) as one:
        assert (await one.store.changes()).overrides == {}  # the first look tells all
        await one.admission.settle(await one.reserve(), cost(1, 20))
        assert (await one.store.changes()).overrides is None  # own writes are no news

        beside = open_store(one.path, one.clock, exclusive=False)
        beside.reports.quota_set(config, "day", {"user": "alice"}, Limits(7, None), NOON)
        beside.reports.quota_reset(config, "day", None, NOON)
        beside.close()
        news = await one.store.changes()
        assert news.overrides == {("day", '{"user":"alice"}'): Limits(7, None)}
        assert [(adjusted.input, adjusted.output) for adjusted in news.adjusted] == [(-1, -20)]
        assert (await one.store.changes()).adjusted == ()


async def test_operators_and_a_busy_gateway_share_the_database(tmp_path: Path) -> None:
    config = configuration(quota(output_tokens=100_000))
    async with house(tmp_path, quota(output_tokens=100_000)) as one:
        beside = open_store(one.path, one.clock, exclusive=False)

        def operate() -> None:
            for _ in range(10):
                beside.reports.quota_reset(config, "day", None, NOON)
                assert beside.reports.verify() == []

        async def call() -> None:
            one.admission.settle_soon(await one.reserve(), cost(1, 2))
            await one.catch_up()

        operating = asyncio.create_task(asyncio.to_thread(operate))
        while not operating.done():
            await asyncio.gather(*(call() for _ in range(5)))
        await operating
        await one.catch_up()
        await one.store.journal.written()
        standing = one.admission.standing(ALICE, "gpt-4o")
        assert standing is not None
        (row,) = one.counters()
        assert standing.remaining_output == 100_000 - row["settled_output"]
        beside.close()
