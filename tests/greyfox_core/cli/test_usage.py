import csv
import io

import pytest

from greyfox_core.values.usage import Usage
from tests.greyfox_core.cli.kit import Operator


@pytest.fixture
def used(operator: Operator) -> Operator:
    operator.asks("alice", [Usage(60, 20, input_cached_read=50, output_reasoning=5)], team="core", project="x")
    operator.clock.advance(86_399)
    operator.asks("=cmd()", [Usage(10, 2)], model="+model")
    return operator


def test_sums_by_every_dimension(used: Operator) -> None:
    rows = used.ok("usage", "--json").json()
    assert rows[0] == {
        "user": "alice",
        "requests": 2,  # one is still open
        "input_tokens": 60,
        "cached_input_tokens": 50,
        "output_tokens": 20,
        "reasoning_tokens": 5,
        "cache_hits": 0,
        "refused": 0,
        "estimated": 0,
    }
    for by, first in {
        "key": "key_alice",
        "model": "gpt-4o",
        "team": "core",
        "day": "2026-11-24",
        "tag": "project=x",
    }.items():
        row = used.ok("usage", "--by", by, "--json").json()[0]
        assert (row[by], row["input_tokens"]) == (first, 60)


def test_from_when_until_when_and_of_whom(used: Operator) -> None:
    def users(*options: str) -> list[str]:
        return [row["user"] for row in used.ok("usage", "--json", *options).json()]

    assert users("--since", "1h") == ["=cmd()"]
    assert users("--since", "2026-11-24", "--until", "2026-11-25") == ["alice"]
    assert users("--since", "2026-11-24T18:00:02+01:00") == ["=cmd()"]
    assert users("--user", "alice") == ["alice"]
    assert users("--user", "nobody") == []


def test_the_table_has_numbers_on_the_right(used: Operator) -> None:
    head, *rows = used.ok("usage").out.splitlines()
    assert rows[0].split() == ["alice", "2", "60", "50", "20", "5", "0", "0", "0"]
    assert rows[0].index("60") + len("60") == head.index("INPUT") + len("INPUT")


def test_csv_holds_no_formula(used: Operator) -> None:
    rows = list(csv.DictReader(io.StringIO(used.ok("usage", "--csv").out)))
    assert [row["user"] for row in rows] == ["alice", "'=cmd()"]
    assert rows[0]["input_tokens"] == "60"
    assert "'+model" in used.ok("usage", "--by", "model", "--csv").out


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "1e9d"],
        ["--since", ""],
        ["--since", "9999999999999999w"],
        ["--until", "soon"],
        ["--by", ";drop"],
        ["--csv", "--json"],
    ],
)
def test_wrong_usage(operator: Operator, options: list[str]) -> None:
    assert operator("usage", *options).code == 2
