"""Is the database's schema ours? Make it where the file is empty, migrate it where it is older.

Errors:  ConfigError, one line, for a schema of a newer GreyFox.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from greyfox_core.errors import ConfigError
from greyfox_core.store.engine import Database
from greyfox_core.store.migrations import HEAD


def ensure(database: Database, *, owner: bool) -> None:
    """Bring the schema to `HEAD`. Only the `owner`, who holds the file's lock, migrates a schema that is in use."""
    try:
        with database.reading.connect() as connection:
            if _revision(connection) == HEAD:
                return
        # Under the write lock: of several programs that start at once, one migrates and the others find it done.
        with database.writing.begin() as connection:
            revision = _revision(connection)
            if revision == HEAD:
                return
            if revision is not None and not owner:
                raise ConfigError(
                    f"{database.path}: made by an older GreyFox; start the gateway once, which upgrades it"
                )
            _migrate(connection, database.path, revision)
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise ConfigError(f"{database.path}: its schema cannot be read or made ({cause})") from error


def _revision(connection: Connection) -> str | None:
    """The revision in the database, None where it is empty. Read without Alembic, which takes its time to import."""
    tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision


def _migrate(connection: Connection, path: Path, revision: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigError(
            f"{path}: made by a newer GreyFox (schema {revision}, this one knows {HEAD}); upgrade this one"
        )
    command.upgrade(config, "head")
