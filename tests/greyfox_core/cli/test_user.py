from greyfox_core.values.usage import Usage
from tests.greyfox_core.cli.kit import Operator


def test_users_are_those_with_a_key_and_those_who_called(operator: Operator) -> None:
    operator.ok("key", "create", "--user", "alice", "--team", "core", "--role", "dev")
    gone = operator.ok("key", "create", "--user", "alice", "--team", "old", "--json").json()
    operator.ok("key", "revoke", gone["id"])
    operator.asks("bob", [Usage(60, 20)])
    rows = operator.ok("user", "list", "--json").json()
    assert [(row["user"], row["teams"], row["roles"], row["active_keys"]) for row in rows] == [
        ("alice", ["core"], ["dev"], 1),
        ("bob", [], [], 0),
    ]
    assert [(row["requests"], row["input_tokens"]) for row in rows] == [(0, 0), (2, 60)]
    assert operator.ok("user", "list").out.splitlines()[1].split() == ["alice", "core", "dev", "1", "0", "0", "0"]


def test_one_user_with_keys_quotas_and_usage(operator: Operator) -> None:
    made = operator.ok("key", "create", "--user", "alice", "--json").json()
    operator.asks("alice", [Usage(60, 20)])
    told = operator.ok("user", "show", "alice", "--json").json()
    assert [key["id"] for key in told["keys"]] == [made["id"]]
    assert told["quotas"][0]["input_tokens"]["settled"] == 60
    assert told["usage"][0]["model"] == "gpt-4o"
    table = operator.ok("user", "show", "alice").out
    assert made["id"] in table and "day" in table and "gpt-4o" in table


def test_a_user_that_nobody_is(operator: Operator) -> None:
    ended = operator("user", "show", "no\x1bbody", "--json")
    assert ended.code == 1 and "\x1b" not in ended.error
