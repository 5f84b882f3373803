import re
import sqlite3
import stat
from datetime import timedelta

import pytest

from greyfox_core.auth.keys import digest_of, load_pepper, pepper_file, well_formed
from tests.greyfox_core.cli.kit import NOW, Operator


def test_a_new_key_is_told_with_all_its_facts(operator: Operator) -> None:
    made = operator.ok(
        *("key", "create", "--user", "alice", "--name", "laptop", "--role", "developer", "--role", "lead"),
        *("--team", "core", "--models", "gpt-4o*", "--models", "claude-*", "--expires", "30d", "--json"),
    ).json()
    assert made == {
        "id": made["id"],
        "key": made["key"],
        "user": "alice",
        "team": "core",
        "roles": ["developer", "lead"],
        "models": ["gpt-4o*", "claude-*"],
        "expires_at": (NOW + timedelta(days=30)).isoformat(),
    }
    assert re.fullmatch(r"key_[a-z2-7]{12}", made["id"])
    assert well_formed(made["key"])


def test_without_options_a_key_is_for_all_models_and_never_expires(operator: Operator) -> None:
    made = operator.ok("key", "create", "--user", "alice", "--json").json()
    assert (made["team"], made["roles"], made["models"], made["expires_at"]) == (None, [], [], None)


def test_for_a_person_stdout_is_the_key_alone(operator: Operator) -> None:
    made = operator.ok("key", "create", "--user", "alice", "--expires", "2027-01-01")
    assert well_formed(made.out.removesuffix("\n"))
    assert "alice" in made.err and "2027-01-01T00:00:00+00:00" in made.err
    assert made.out.strip() not in made.err


def test_only_a_keyed_hash_is_kept(operator: Operator) -> None:
    key = operator.ok("key", "create", "--user", "alice", "--json").json()["key"]
    pepper = pepper_file(operator.database)
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600
    with sqlite3.connect(operator.database) as database:
        (digest,) = database.execute("SELECT digest FROM keys").fetchone()
    database.close()
    assert digest == digest_of(key, load_pepper(pepper, create=False))
    for file in operator.folder.iterdir():
        assert key.encode() not in file.read_bytes()


def test_keys_are_never_made_under_a_second_pepper(operator: Operator) -> None:
    operator.ok("key", "create", "--user", "alice")
    pepper_file(operator.database).unlink()
    failed = operator("key", "create", "--user", "bob")
    assert failed.code == 1 and "pepper" in failed.err
    assert not pepper_file(operator.database).exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--user", ""],
        ["--user", "a\nb"],
        ["--user", " alice"],
        ["--user", "a" * 257],
        ["--user", "alice", "--role", "a\x1b[31m"],
        ["--user", "alice", "--team", ""],
        ["--user", "alice", "--models", ""],
        ["--user", "alice", "--expires", "yesterday"],
        ["--user", "alice", "--expires", "0d"],
        ["--user", "alice", "--expires", "-1d"],
        ["--user", "alice", "--expires", "2020-01-01"],
        ["--user", "alice", "--expires", "1e9d"],
        ["--user", "alice", "--expires", "999999999999d"],
        [],
    ],
)
def test_wrong_usage_makes_nothing(operator: Operator, options: list[str]) -> None:
    assert operator("key", "create", *options).code == 2
    assert not operator.database.exists()


def test_the_list_tells_every_key_and_its_state(operator: Operator) -> None:
    active = operator.ok("key", "create", "--user", "alice", "--role", "a", "--json").json()
    expired = operator.ok("key", "create", "--user", "bob", "--expires", "1h", "--json").json()
    revoked = operator.ok("key", "create", "--user", "alice", "--json").json()
    operator.clock.advance(3600)
    operator.ok("key", "revoke", revoked["id"])
    rows = operator.ok("key", "list", "--json").json()
    assert {row["id"]: row["state"] for row in rows} == {
        active["id"]: "active",
        expired["id"]: "expired",
        revoked["id"]: "revoked",
    }
    told = next(row for row in rows if row["id"] == revoked["id"])
    assert told["revoked_at"] == (NOW + timedelta(hours=1)).isoformat()
    table = operator.ok("key", "list").out
    assert len({len(line) for line in table.splitlines()} - {0}) >= 1
    for fact in (active["id"], "expired", "revoked", "never", NOW.isoformat()):
        assert fact in table
    assert all(made["key"] not in table for made in (active, expired, revoked))
    assert [row["user"] for row in operator.ok("key", "list", "--user", "bob", "--json").json()] == ["bob"]


def test_revoking_tells_what_is_revoked_and_what_is_unknown(operator: Operator) -> None:
    made = operator.ok("key", "create", "--user", "alice", "--json").json()
    first = operator.ok("key", "revoke", made["id"], "--json").json()
    assert [(row["id"], row["state"], row["revoked_at"]) for row in first] == [(made["id"], "revoked", NOW.isoformat())]
    operator.clock.advance(60)
    again = operator("key", "revoke", made["id"], "key_unknown", "--json")
    assert again.code == 1 and "key_unknown" in again.error
    assert again.json()[0]["revoked_at"] == NOW.isoformat()  # the first moment stays
