"""The schema, as SQLAlchemy tables. Migrations lead to exactly this; a test compares the two.

Units:   instants are whole microseconds since 1970 in UTC, amounts are tokens, durations are milliseconds.
Ids:     the upper bits of a ledger id number the boot that wrote it, so ids need no look-up and never collide.

What holds between them:
    counters.settled_* = Σ charges.charged_*   over ledger rows that are settled or estimated
    counters.reserved_* = Σ charges.reserved_* over ledger rows that are reserved
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

Big = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is the row id in SQLite


def _tokens(name: str) -> Column[int]:
    return Column(name, Big, nullable=False, server_default=text("0"))


# One row an attempt, a cache hit, a refusal or an operator's adjustment (`kind`). `state` is reserved, settled,
# estimated or released. An adjustment's amounts are what it added to a counter: negative for a reset.
ledger = Table(
    "ledger",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("boot", Integer, nullable=False),
    Column("admitted_at", Big, nullable=False),
    Column("finished_at", Big),
    Column("user", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("team", Text),
    Column("roles", Text, nullable=False),  # a JSON array
    Column("dialect", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("requested_model", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("way", Text, nullable=False),
    Column("stream", Integer, nullable=False),
    Column("cache", Text),
    Column("tags", Text),  # a JSON object, NULL where there are none
    Column("observed", Text),  # a JSON array of the observing quotas that would have refused
    Column("status", Integer),
    Column("code", Text),
    Column("outcome", Text),
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
    Column("first_byte_ms", Integer),
    Column("duration_ms", Integer),
    Index("ledger_admitted_at", "admitted_at"),
    Index("ledger_open", "boot", sqlite_where=text("state = 'reserved'"), postgresql_where=text("state = 'reserved'")),
)

# One row a quota, subject and period. `adjusted_*` is the sum of all adjustments (settled has it in), and
# `adjusted_epoch` the epoch of the last one, so that a gateway finds what another process changed.
counters = Table(
    "counters",
    metadata,
    Column("id", Big, primary_key=True),
    Column("quota", Text, nullable=False),
    Column("subject", Text, nullable=False),  # canonical JSON
    Column("period", Text, nullable=False),  # day, week or month
    Column("starts_at", Big, nullable=False),
    Column("resets_at", Big, nullable=False),
    _tokens("settled_input"),
    _tokens("settled_output"),
    _tokens("reserved_input"),
    _tokens("reserved_output"),
    _tokens("adjusted_input"),
    _tokens("adjusted_output"),
    Column("adjusted_epoch", Big, nullable=False, server_default=text("0")),
    UniqueConstraint("quota", "subject", "period", "starts_at", name="counters_key"),
    Index("counters_resets_at", "resets_at"),
)

# What one ledger row means to one counter: set aside, and charged in the end. In the order of the ledger: new rows of
# all callers come to lie side by side.
charges = Table(
    "charges",
    metadata,
    Column("ledger_id", Big, ForeignKey("ledger.id"), primary_key=True),
    Column("counter_id", Big, ForeignKey("counters.id"), primary_key=True),
    _tokens("reserved_input"),
    _tokens("reserved_output"),
    _tokens("charged_input"),
    _tokens("charged_output"),
    sqlite_with_rowid=False,
)

# Limits that operators have set for one subject; NULL leaves that side to the configuration.
overrides = Table(
    "overrides",
    metadata,
    Column("quota", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("input_tokens", Big),
    Column("output_tokens", Big),
    Column("changed_at", Big, nullable=False),
)

# Virtual keys: only a keyed hash of each.
keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("pepper_version", Integer, nullable=False),
    Column("name", Text),
    Column("user", Text, nullable=False),
    Column("team", Text),
    Column("roles", Text, nullable=False),  # a JSON array
    Column("models", Text, nullable=False),  # a JSON array of globs
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
    Column("revoked_at", Big),
    UniqueConstraint("digest", name="keys_digest"),
)

# One row a start of a program that writes: whose reservations are whose.
boots = Table(
    "boots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", Big, nullable=False),
    Column("probes", Integer, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)

# Numbers that grow with each change, by what changed: `quotas`, `keys`.
epochs = Table(
    "epochs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Big, nullable=False),
)
