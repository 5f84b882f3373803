from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from greyfox_core.store import migrations, schema
from greyfox_core.store.engine import open_file
from greyfox_core.store.tables import metadata


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


def test_the_head_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_a_database_that_is_right_is_left_alone(tmp_path: Path) -> None:
    database = open_file(tmp_path / "greyfox.db")
    schema.ensure(database, owner=True)
    before = database.path.read_bytes()
    schema.ensure(database, owner=True)
    schema.ensure(database, owner=False)
    assert database.path.read_bytes() == before
