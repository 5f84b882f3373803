"""Alembic's entry: runs in the transaction of the connection that it is handed."""

from alembic import context

from greyfox_core.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
