import sqlite3
from typing import Any

import pytest

from greyfox_core.values.usage import Usage
from tests.greyfox_core.cli.kit import Operator

ALICE_TODAY = {
    "quota": "day",
    "subject": {"user": "alice"},
    "period": "day",
    "starts_at": "2026-11-24T00:00:00+01:00",
    "resets_at": "2026-11-25T00:00:00+01:00",
    "input_tokens": {"limit": 10_000, "settled": 100, "reserved": 7, "remaining": 9_893},
    "output_tokens": {"limit": 2_000, "settled": 40, "reserved": 3, "remaining": 1_957},
}


@pytest.fixture
def used(operator: Operator) -> Operator:
    """Alice of team core has used 100 and 40 tokens, and has 7 and 3 reserved."""
    operator.asks("alice", [Usage(60, 20), Usage(40, 20)], team="core")
    return operator


def day(operator: Operator, user: str = "alice") -> dict[str, Any]:
    rows = operator.ok("quota", "show", "--user", user, "--json").json()
    found: dict[str, Any] = next(row for row in rows if row["quota"] == "day")
    return found


def test_show_tells_used_reserved_and_left_of_every_counter(used: Operator) -> None:
    rows = used.ok("quota", "show", "--json").json()
    assert rows[0] == ALICE_TODAY
    assert rows[1]["subject"] == {"team": "core", "model": "gpt-4o"}
    assert rows[1]["input_tokens"] is None  # no limit on that side
    assert rows[1]["output_tokens"]["settled"] == 40


def test_show_for_a_user_who_has_not_called_yet(used: Operator) -> None:
    assert day(used, "bob")["output_tokens"] == {"limit": 2000, "settled": 0, "reserved": 0, "remaining": 2000}


def test_show_for_a_user_whose_key_has_the_role_that_a_quota_asks_for(operator: Operator) -> None:
    role = "  - {name: role, per: user, match: {role: developer}, period: day, output_tokens: 7}\n"
    operator.config.write_text(operator.config.read_text() + role)
    operator.ok("key", "create", "--user", "alice", "--role", "developer")
    operator.ok("key", "create", "--user", "bob")
    rows = {user: operator.ok("quota", "show", "--user", user, "--json").json() for user in ("alice", "bob")}
    assert [row["quota"] for row in rows["bob"]] == ["day"]
    assert [row["quota"] for row in rows["alice"]] == ["day", "role"]
    assert rows["alice"][1]["output_tokens"] == {"limit": 7, "settled": 0, "reserved": 0, "remaining": 7}


def test_the_table_says_used_left_and_state_in_words(used: Operator) -> None:
    lines = used.ok("quota", "show").out.splitlines()
    assert lines[0].split()[:2] == ["QUOTA", "SUBJECT"]
    assert lines[1].split() == [
        *("day", "alice", "100", "10,000", "40", "2,000", "ok"),
        *("in", "5", "h,", "2026-11-25T00:00+01:00"),
    ]
    assert lines[2].split()[:6] == ["model", "core,", "gpt-4o", "–", "–", "40"]


@pytest.mark.parametrize(("output", "state"), [("40", "used up"), ("43", "busy"), ("44", "ok")])
def test_the_state_of_a_full_quota(used: Operator, output: str, state: str) -> None:
    used.ok("quota", "set", "day", "--user", "alice", "--output-tokens", output)
    assert f"  {state}  " in used.ok("quota", "show", "--user", "alice").out


def test_without_quotas_it_says_so(operator: Operator) -> None:
    operator.config.write_text(operator.config.read_text().partition("quotas:")[0])
    ended = operator.ok("quota", "show")
    assert "no quotas" in ended.err
    assert operator.ok("quota", "show", "--json").json() == []


def test_set_gives_one_subject_limits_of_its_own(used: Operator) -> None:
    told = used.ok("quota", "set", "day", "--user", "alice", "--output-tokens", "4000", "--json").json()
    assert told == {"quota": "day", "subject": {"user": "alice"}, "input_tokens": None, "output_tokens": 4000}
    assert day(used)["output_tokens"]["limit"] == 4000
    assert day(used)["input_tokens"]["limit"] == 10_000
    assert day(used, "bob")["output_tokens"]["limit"] == 2000
    used.ok("quota", "set", "day", "--user", "alice", "--input-tokens", "0")
    assert day(used)["output_tokens"]["limit"] == 4000  # a side that is not given stays
    assert day(used)["input_tokens"] == {"limit": 0, "settled": 100, "reserved": 7, "remaining": 0}
    assert "as configured" in used.ok("quota", "set", "day", "--user", "alice", "--default").err
    assert day(used) == ALICE_TODAY


def test_set_names_the_subject_as_the_quota_counts(used: Operator) -> None:
    used.ok("quota", "set", "model", "--team", "core", "--model", "gpt-4o", "--output-tokens", "1")
    for wrong in (["--team", "core"], ["--user", "alice"], ["--key", "k"]):
        ended = used("quota", "set", "model", *wrong, "--output-tokens", "1")
        assert ended.code == 1 and "team, model" in ended.err
    ended = used("quota", "set", "nonsense", "--user", "alice", "--output-tokens", "1", "--json")
    assert ended.code == 1 and "day, model" in ended.error


@pytest.mark.parametrize(
    "options",
    [
        ["--user", "alice"],
        ["--output-tokens", "1"],
        ["--user", "alice", "--output-tokens", "-1"],
        ["--user", "alice", "--output-tokens", str(2**63)],
        ["--user", "alice", "--output-tokens", "many"],
        ["--user", "alice", "--output-tokens", "1", "--default"],
    ],
)
def test_wrong_usage_of_set_changes_nothing(used: Operator, options: list[str]) -> None:
    assert used("quota", "set", "day", *options).code == 2
    assert day(used) == ALICE_TODAY


def test_reset_leaves_what_is_reserved_and_the_sums_agree(used: Operator) -> None:
    assert used.ok("quota", "reset", "day", "--user", "alice", "--json").json()["counters"] == 1
    assert day(used)["output_tokens"] == {"limit": 2000, "settled": 0, "reserved": 3, "remaining": 1997}
    used.ok("quota", "verify")
    assert used.ok("usage", "--json").json()[0]["output_tokens"] == 40  # what was used stays in the ledger
    assert "1 counter of model" in used.ok("quota", "reset", "model", "--all").err
    assert used("quota", "reset", "nonsense", "--all").code == 1


@pytest.mark.parametrize("options", [[], ["--user", "alice", "--all"]])
def test_reset_wants_a_subject_or_all(used: Operator, options: list[str]) -> None:
    assert used("quota", "reset", "day", *options).code == 2


def test_verify_finds_a_counter_that_was_tampered_with(used: Operator) -> None:
    assert used.ok("quota", "verify", "--json").json() == {"mismatches": []}
    assert "agrees" in used.ok("quota", "verify").err
    with sqlite3.connect(used.database) as database:
        database.execute("UPDATE counters SET settled_output = 39 WHERE quota = 'day'")
    database.close()
    ended = used("quota", "verify", "--json")
    assert ended.code == 1
    assert len(ended.json()["mismatches"]) == 1
    assert used("quota", "verify").code == 1
