"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _tokens(name: str) -> sa.Column[int]:
    return sa.Column(name, _BIG, nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", _BIG, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("boot", sa.Integer, nullable=False),
        sa.Column("admitted_at", _BIG, nullable=False),
        sa.Column("finished_at", _BIG),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("team", sa.Text),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("upstream", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("requested_model", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("cache", sa.Text),
        sa.Column("tags", sa.Text),
        sa.Column("observed", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("code", sa.Text),
        sa.Column("outcome", sa.Text),
        _tokens("reserved_input"),
        _tokens("reserved_output"),
        _tokens("input_tokens"),
        _tokens("cached_input_tokens"),
        _tokens("cache_write_tokens"),
        _tokens("output_tokens"),
        _tokens("reasoning_tokens"),
        _tokens("overshoot_input"),
        _tokens("overshoot_output"),
        _tokens("saved_input"),
        _tokens("saved_output"),
        sa.Column("first_byte_ms", sa.Integer),
        sa.Column("duration_ms", sa.Integer),
    )
    op.create_index("ledger_admitted_at", "ledger", ["admitted_at"])
    op.create_index("ledger_request_id", "ledger", ["request_id"])
    where = sa.text("state = 'reserved'")
    op.create_index("ledger_open", "ledger", ["boot"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "counters",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("quota", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("starts_at", _BIG, nullable=False),
        sa.Column("resets_at", _BIG, nullable=False),
        _tokens("settled_input"),
        _tokens("settled_output"),
        _tokens("reserved_input"),
        _tokens("reserved_output"),
        _tokens("adjusted_input"),
        _tokens("adjusted_output"),
        sa.Column("adjusted_epoch", _BIG, nullable=False, server_default=sa.text("0")),
        sa.UniqueConstraint("quota", "subject", "period", "starts_at", name="counters_key"),
    )
    op.create_index("counters_resets_at", "counters", ["resets_at"])
    op.create_table(
        "charges",
        sa.Column("counter_id", _BIG, sa.ForeignKey("counters.id"), primary_key=True),
        sa.Column("ledger_id", _BIG, sa.ForeignKey("ledger.id"), primary_key=True),
        _tokens("reserved_input"),
        _tokens("reserved_output"),
        _tokens("charged_input"),
        _tokens("charged_output"),
        sqlite_with_rowid=False,
    )
    op.create_index("charges_ledger_id", "charges", ["ledger_id"])
    op.create_table(
        "overrides",
        sa.Column("quota", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("input_tokens", _BIG),
        sa.Column("output_tokens", _BIG),
        sa.Column("changed_at", _BIG, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("pepper_version", sa.Integer, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("team", sa.Text),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("expires_at", _BIG),
        sa.Column("revoked_at", _BIG),
        sa.UniqueConstraint("digest", name="keys_digest"),
    )
    op.create_table(
        "boots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("started_at", _BIG, nullable=False),
        sa.Column("probes", sa.Integer, nullable=False, server_default=sa.text("0")),
        sqlite_autoincrement=True,
    )
    epochs = op.create_table(
        "epochs", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", _BIG, nullable=False)
    )
    op.bulk_insert(epochs, [{"name": "quotas", "value": 1}, {"name": "keys", "value": 1}])


def downgrade() -> None:
    for table in ("charges", "counters", "ledger", "overrides", "keys", "boots", "epochs"):
        op.drop_table(table)
