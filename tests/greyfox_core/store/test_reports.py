from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.quota.counter import Limits
from greyfox_core.values.usage import Usage
from tests.greyfox_core.quota.house import ALICE, BOB, NOON, attempt, configuration, cost, house, quota

DAY = quota("day", output_tokens=100)
MODELS = quota("models", per=("team", "model"), period="month", timezone="Europe/Berlin", input_tokens=1000)
SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=3)


async def test_usage_by_each_dimension(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        admission = one.admission
        retried = [await one.reserve(request_id="r1", number=n, tags={"project": "x", "repo": "y"}) for n in (1, 2)]
        admission.settle_soon(retried[0], cost(10, 2, estimated=True))
        admission.settle_soon(retried[1], cost(10, 20, input_cached_read=4, output_reasoning=5))
        admission.hit(attempt(number=0), Usage(10, 20))
        admission.refused(attempt(BOB, number=0, model="claude"), status=429, code="greyfox_quota_exhausted")
        one.clock.advance(24 * 3600)
        admission.settle_soon(await one.reserve(BOB, model="claude", tags={"project": "z"}), cost(7, 3))
        await one.store.journal.written()
        usage = one.store.reports.usage

        assert usage("user", SINCE, UNTIL) == [
            {
                "user": "alice",
                "requests": 2,
                "input_tokens": 20,
                "cached_input_tokens": 4,
                "output_tokens": 22,
                "reasoning_tokens": 5,
                "cache_hits": 1,
                "refused": 0,
                "estimated": 1,
            },
            {
                "user": "bob",
                "requests": 2,
                "input_tokens": 7,
                "cached_input_tokens": 0,
                "output_tokens": 3,
                "reasoning_tokens": 0,
                "cache_hits": 0,
                "refused": 1,
                "estimated": 0,
            },
        ]
        assert [row["key"] for row in usage("key", SINCE, UNTIL)] == ["key_alice", "key_bob"]
        assert [(row["team"], row["requests"]) for row in usage("team", SINCE, UNTIL)] == [("core", 2), (None, 2)]
        assert [(row["model"], row["output_tokens"]) for row in usage("model", SINCE, UNTIL)] == [
            ("gpt-4o", 22),
            ("claude", 3),
        ]
        assert [(row["day"], row["requests"]) for row in usage("day", SINCE, UNTIL)] == [
            ("2026-11-24", 3),
            ("2026-11-25", 1),
        ]
        assert [(row["tag"], row["requests"], row["output_tokens"]) for row in usage("tag", SINCE, UNTIL)] == [
            ("project=x", 1, 22),
            ("repo=y", 1, 22),
            ("project=z", 1, 3),
        ]
        assert [row["user"] for row in usage("user", SINCE, UNTIL, user="bob")] == ["bob"]
        assert usage("user", NOON + timedelta(days=2), UNTIL) == []
        assert len(usage("user", SINCE, NOON)) == 0  # half-open


async def test_quota_show(tmp_path: Path) -> None:
    config = configuration(DAY, MODELS)
    async with house(tmp_path, DAY, MODELS) as one:
        await one.admission.settle(await one.reserve(input_tokens=10, cap=20), cost(9, 12))
        await one.reserve(input_tokens=10, cap=20)
        show = one.store.reports.quota_show
        rows = show(config, NOON)
        assert rows == [
            {
                "quota": "day",
                "subject": {"user": "alice"},
                "period": "day",
                "starts_at": "2026-11-24T00:00:00+00:00",
                "resets_at": "2026-11-25T00:00:00+00:00",
                "input_tokens": None,
                "output_tokens": {"limit": 100, "settled": 12, "reserved": 20, "remaining": 68},
            },
            {
                "quota": "models",
                "subject": {"team": "core", "model": "gpt-4o"},
                "period": "month",
                "starts_at": "2026-11-01T00:00:00+01:00",
                "resets_at": "2026-12-01T00:00:00+01:00",
                "input_tokens": {"limit": 1000, "settled": 9, "reserved": 10, "remaining": 981},
                "output_tokens": None,
            },
        ]
        assert rows == await one.admission.show(ALICE)
        assert show(config, NOON, user="alice") == rows[:1]
        assert [(row["subject"], row["output_tokens"]["settled"]) for row in show(config, NOON, user="bob")] == [
            ({"user": "bob"}, 0)
        ]
        assert show(config, NOON + timedelta(days=1)) == rows[1:]
        assert show(configuration(MODELS), NOON) == rows[1:]
        role = configuration(quota("role", match={"role": ["x"]}, output_tokens=1))
        assert show(role, NOON, user="bob") == []  # no key tells bob's roles


def key(user: str = "alice", **facts: Any) -> KeyRecord:
    made: dict[str, Any] = {
        "id": f"key_{user}",
        "user": user,
        "team": "core",
        "roles": frozenset({"developer"}),
        "models": (),
    }
    made |= {"pepper_version": 1, "name": None, "created_at": NOON - timedelta(days=9)} | facts
    return KeyRecord(digest=str(made["id"]).encode(), **made)


ROLE = quota("role", match={"role": ["dev*"]}, output_tokens=1)
TEAM = quota("team", per=("team",), match={"team": ["core"]}, output_tokens=2)
KEY = quota("key", per=("key",), match={"key": ["key_*"]}, output_tokens=3)
OTHERS = quota("others", match={"role": ["support"]}, output_tokens=4)
GPT = quota("gpt", match={"model": ["gpt-*"], "role": ["dev*"]}, output_tokens=5)


async def test_a_users_keys_tell_which_quotas_are_still_unused(tmp_path: Path) -> None:
    quotas = (DAY, MODELS, ROLE, TEAM, KEY, OTHERS, GPT)
    config = configuration(*quotas)
    async with house(tmp_path, *quotas) as one:
        for record in (
            key(),
            key(id="key_laptop", team=None, roles=frozenset()),
            key(id="key_revoked", team="old", revoked_at=NOON),
            key(id="key_expired", roles=frozenset({"support"}), expires_at=NOON),
            key("carol", roles=frozenset({"support"})),
        ):
            one.store.keys.add_now(record)

        def shown(user: str) -> list[tuple[str, dict[str, str], int]]:
            rows = one.store.reports.quota_show(config, NOON, user=user)
            sides = [row["output_tokens"] or row["input_tokens"] for row in rows]
            return [(row["quota"], row["subject"], side["settled"]) for row, side in zip(rows, sides, strict=True)]

        assert shown("alice") == [
            ("day", {"user": "alice"}, 0),
            ("key", {"key": "key_alice"}, 0),
            ("key", {"key": "key_laptop"}, 0),
            ("role", {"user": "alice"}, 0),
            ("team", {"team": "core"}, 0),
        ]
        assert one.store.reports.quota_show(config, NOON) == []

        await one.admission.settle(await one.reserve(cap=1), cost(1, 1))
        assert shown("alice") == [
            ("day", {"user": "alice"}, 1),
            ("gpt", {"user": "alice"}, 1),  # asks for a model, so it shows with the first use
            ("key", {"key": "key_alice"}, 1),
            ("key", {"key": "key_laptop"}, 0),
            ("models", {"team": "core", "model": "gpt-4o"}, 1),
            ("role", {"user": "alice"}, 1),
            ("team", {"team": "core"}, 1),
        ]
        rows = one.store.reports.quota_show(config, NOON, user="alice")
        assert all(row in rows for row in await one.admission.show(ALICE))  # as she sees it herself
        assert shown("carol") == [
            ("day", {"user": "carol"}, 0),
            ("key", {"key": "key_carol"}, 0),
            ("models", {"team": "core", "model": "gpt-4o"}, 1),  # the team's, which is hers too
            ("others", {"user": "carol"}, 0),
            ("team", {"team": "core"}, 1),
        ]


async def test_limits_of_one_subject(tmp_path: Path) -> None:
    config = configuration(DAY)
    async with house(tmp_path, DAY) as one:
        reports = one.store.reports
        reports.quota_set(config, "day", {"user": "alice"}, Limits(50, None), NOON)
        reports.quota_set(config, "day", {"user": "alice"}, Limits(None, 7), NOON)
        (row,) = reports.quota_show(config, NOON, user="alice")
        assert (row["input_tokens"], row["output_tokens"]["limit"]) == (None, 7)
        reports.quota_set(config, "day", {"user": "alice"}, Limits(None, None), NOON)
        (row,) = reports.quota_show(config, NOON, user="alice")
        assert row["output_tokens"]["limit"] == 100
        assert one.store.overrides() == {}


@pytest.mark.parametrize(
    ("name", "subject", "words"),
    [
        ("night", {"user": "alice"}, "there is no quota night; the configuration has: day, models"),
        ("day", {"team": "core"}, "quota day counts per user; name exactly these"),
        ("models", {"team": "core"}, "quota models counts per team, model; name exactly these"),
        ("day", {}, "counts per user"),
    ],
)
async def test_a_quota_or_subject_that_is_not_there(
    tmp_path: Path, name: str, subject: dict[str, str], words: str
) -> None:
    config = configuration(DAY, MODELS)
    async with house(tmp_path, DAY, MODELS) as one:
        with pytest.raises(ValueError, match=words):
            one.store.reports.quota_set(config, name, subject, Limits(1, 1), NOON)
        with pytest.raises(ValueError, match=words):
            one.store.reports.quota_reset(config, name, subject, NOON)


async def test_a_reset_is_an_adjustment_in_the_ledger(tmp_path: Path) -> None:
    config = configuration(DAY, MODELS)
    async with house(tmp_path, DAY, MODELS) as one:
        await one.admission.settle(await one.reserve(), cost(9, 12))
        await one.admission.settle(await one.reserve(BOB), cost(5, 6))
        await one.reserve(cap=20)
        reports = one.store.reports
        assert reports.quota_reset(config, "day", {"user": "alice"}, NOON) == 1
        assert reports.quota_reset(config, "day", {"user": "carol"}, NOON) == 0
        assert reports.quota_reset(config, "models", None, NOON) == 2
        rows = {row["quota"] + row["subject"]: row for row in one.counters()}
        assert rows['day{"user":"alice"}']["settled_output"] == 0
        assert rows['day{"user":"alice"}']["reserved_output"] == 20
        assert rows['day{"user":"bob"}']["settled_output"] == 6
        adjustments = [row for row in one.ledger() if row["kind"] == "adjustment"]
        assert [(row["user"], row["team"], row["input_tokens"], row["output_tokens"]) for row in adjustments] == [
            ("alice", None, -9, -12),
            ("", "core", -9, -12),
            ("bob", None, -5, -6),
        ]
        assert sum(row["output_tokens"] for row in reports.usage("user", SINCE, UNTIL)) == 18  # use is use
        assert reports.verify() == []
