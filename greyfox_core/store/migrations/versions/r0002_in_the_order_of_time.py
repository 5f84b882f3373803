"""What each request writes lies at the end of its tables, however many callers there are.

Charges are ordered by ledger row and not by counter: those of one commit share a few pages, where each of a thousand
callers had a page of their own to be written. Nothing looks a request up by its id, so the index over ids goes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _tokens(name: str) -> sa.Column[int]:
    return sa.Column(name, _BIG, nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    op.drop_index("ledger_request_id", "ledger")
    _rebuild("ledger_id", "counter_id")


def downgrade() -> None:
    _rebuild("counter_id", "ledger_id")
    op.create_index("charges_ledger_id", "charges", ["ledger_id"])
    op.create_index("ledger_request_id", "ledger", ["request_id"])


def _rebuild(first: str, second: str) -> None:
    """The table of charges with its key in this order; its indices go with the old one."""
    owners = {"ledger_id": "ledger.id", "counter_id": "counters.id"}
    op.create_table(
        "charges_new",
        *(sa.Column(name, _BIG, sa.ForeignKey(owners[name]), primary_key=True) for name in (first, second)),
        _tokens("reserved_input"),
        _tokens("reserved_output"),
        _tokens("charged_input"),
        _tokens("charged_output"),
        sqlite_with_rowid=False,
    )
    columns = "ledger_id, counter_id, reserved_input, reserved_output, charged_input, charged_output"
    op.execute(f"INSERT INTO charges_new ({columns}) SELECT {columns} FROM charges ORDER BY {first}, {second}")
    op.drop_table("charges")
    op.rename_table("charges_new", "charges")
