"""GreyFox's database before its start: virtual keys and ledger rows by the thousand, in one transaction each.

The schema, the pepper and the digests are the core's own; only the way in is shorter than the command line's.
"""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text

from bench.world import SPENT, TEAM, user
from greyfox_core.auth.keys import PEPPER_VERSION, digest_of, load_pepper, new_id, new_key, pepper_file
from greyfox_core.clock import SystemClock
from greyfox_core.quota.period import micros
from greyfox_core.store import schema
from greyfox_core.store.engine import Database, open_file
from greyfox_core.store.operations import bump
from greyfox_core.store.tables import keys as keys_table

# Two charges a row, as a request that two quotas are for. All of it lies a day back, in periods of its own.
_LEDGER = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
INSERT INTO ledger (id, kind, state, request_id, attempt, boot, admitted_at, finished_at, user, key_id, team, roles,
    dialect, operation, upstream, model, requested_model, route, way, stream, cache, status, outcome, reserved_input,
    reserved_output, input_tokens, output_tokens, first_byte_ms, duration_ms)
SELECT n, 'attempt', 'settled', 'req_' || printf('%020d', n), 1, 0, :before + n * 1000, :before + n * 1000 + 900,
    'u' || (n % 100), 'key_' || printf('%012d', n % 100), :team, '["developer"]', 'openai', 'chat', 'openai', 'gpt-4o',
    'gpt-4o', 'default', 'base-url', 0, 'miss', 200, 'answered', 90, 64, 30, 50, 1, 2 FROM numbers
"""
_CHARGES = """
INSERT INTO charges (counter_id, ledger_id, charged_input, charged_output)
SELECT counters.id, ledger.id, 30, 50 FROM ledger, counters WHERE counters.quota IN ('past-1', 'past-2')
"""
_COUNTERS = """
INSERT INTO counters (quota, subject, period, starts_at, resets_at, settled_input, settled_output)
VALUES ('past-1', '{}', 'day', :before, :after, 30 * :rows, 50 * :rows),
    ('past-2', '{}', 'day', :before, :after, 30 * :rows, 50 * :rows)
"""


def make_keys(path: Path, count: int) -> tuple[tuple[str, ...], str]:
    """A key for each of `count` users, and one of the user whose quota will be used up. Makes the database."""
    database = _open(path)
    pepper = load_pepper(pepper_file(path), create=True)
    now = micros(SystemClock().now())
    secrets = {name: new_key() for name in [*(user(number) for number in range(count)), SPENT]}
    rows = [
        {
            "id": new_id(),
            "digest": digest_of(secret, pepper),
            "pepper_version": PEPPER_VERSION,
            "user": name,
            "team": TEAM,
            "roles": '["developer"]',
            "models": "[]",
            "created_at": now,
        }
        for name, secret in secrets.items()
    ]
    with database.writing.begin() as connection:
        connection.execute(insert(keys_table), rows)
        bump(connection, "keys")
    spent = secrets.pop(SPENT)
    return tuple(secrets.values()), spent


def fill_ledger(path: Path, rows: int) -> None:
    """As many settled requests of a day long ago; a million takes some ten seconds and half a gigabyte."""
    before = SystemClock().now() - timedelta(days=400)
    facts = {"rows": rows, "team": TEAM, "before": micros(before), "after": micros(before + timedelta(days=1))}
    with _open(path).writing.begin() as connection:
        connection.execute(text(_COUNTERS), facts)
        connection.execute(text(_LEDGER), facts)
        connection.execute(text(_CHARGES))


def _open(path: Path) -> Database:
    database = open_file(path)
    schema.ensure(database, owner=False)
    return database
