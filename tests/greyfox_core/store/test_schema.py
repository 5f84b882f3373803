from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from greyfox_core.store import migrations, schema
from greyfox_core.store.engine import open_file
from greyfox_core.store.tables import metadata
from tests.greyfox_core.quota.house import BOB, House, configuration, cost, house, quota


def test_migrations_lead_to_exactly_the_tables(tmp_path: Path) -> None:
    database = open_file(tmp_path / "greyfox.db")
    schema.ensure(database, owner=True)
    with database.reading.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        primary = {
            row.name: row.sql
            for row in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        }
    assert "WITHOUT ROWID" in primary["charges"]
    assert "AUTOINCREMENT" in primary["boots"]


async def test_a_database_of_the_first_schema_keeps_its_books(tmp_path: Path) -> None:
    day, month = quota(output_tokens=500), quota("month", period="month", per=("team",), input_tokens=900)
    async with house(tmp_path, day, month) as one:
        await one.admission.settle(await one.reserve(), cost(3, 7))
        await one.admission.settle(await one.reserve(BOB), cost(5, 6, estimated=True))
        await one.reserve(input_tokens=10, cap=20)
        await one.store.journal.written()
        charges, ledger = one.rows("SELECT * FROM charges ORDER BY ledger_id, counter_id"), one.ledger()
        one.store.close()
        config = _alembic()
        with open_file(one.path).writing.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0001")
        indices = {row["name"] for row in one.rows("SELECT name FROM sqlite_master WHERE type = 'index'")}
        assert {"ledger_request_id", "charges_ledger_id"} <= indices

        schema.ensure(open_file(one.path), owner=True)

        assert one.rows("SELECT * FROM charges ORDER BY ledger_id, counter_id") == charges
        assert one.ledger() == ledger
        one.store = House(one.path, configuration(day, month), one.clock).store


def test_the_head_is_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(_alembic()).get_current_head() == migrations.HEAD


def test_a_database_that_is_right_is_left_alone(tmp_path: Path) -> None:
    database = open_file(tmp_path / "greyfox.db")
    schema.ensure(database, owner=True)
    before = database.path.read_bytes()
    schema.ensure(database, owner=True)
    schema.ensure(database, owner=False)
    assert database.path.read_bytes() == before


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config
