from datetime import timedelta

from greyfox_core.quota.counter import Limits
from greyfox_core.quota.ports import Figures, Grant
from greyfox_core.quota.standing import Standing, shown, shown_for, tightest
from tests.greyfox_core.quota.house import ALICE, BOB, NOON, counter, quota


def test_the_quota_with_the_least_share_left_is_the_tightest() -> None:
    roomy = counter(quota("roomy", input_tokens=1000, output_tokens=1000), input=(500, 0))
    tight = counter(quota("tight", output_tokens=100), output=(50, 20))
    assert tightest([roomy, tight], NOON) == Standing("tight", None, None, 100, 30, 12 * 3600)


def test_a_quota_that_only_observes_is_none_of_it() -> None:
    watch = counter(quota("watch", output_tokens=10, enforce="observe"), output=(10, 0))
    assert tightest([watch], NOON) is None
    assert tightest([], NOON) is None
    assert tightest([counter(quota(input_tokens=5))], NOON) is not None


def test_a_limit_of_nothing_is_as_tight_as_can_be() -> None:
    none = counter(quota("none", output_tokens=0))
    assert tightest([counter(quota("some", output_tokens=5)), none], NOON) == Standing("none", None, None, 0, 0, 43200)


def test_the_form_of_quota_show() -> None:
    one = counter(quota(input_tokens=100, timezone="Europe/Berlin"))
    assert shown(one.quota, one.subject, one.period, Limits(100, None), Figures(70, 5, 40, 5)) == {
        "quota": "day",
        "subject": {"user": "alice"},
        "period": "day",
        "starts_at": "2026-11-24T00:00:00+01:00",
        "resets_at": "2026-11-25T00:00:00+01:00",
        "input_tokens": {"limit": 100, "settled": 70, "reserved": 40, "remaining": 0},
        "output_tokens": None,
    }


def test_a_caller_sees_its_own_quotas_used_or_not() -> None:
    own, by_model, others = (
        quota("own", output_tokens=10),
        quota("by-model", per=("user", "model"), output_tokens=10),
        quota("others", match={"user": ["bob"]}, output_tokens=10),
    )
    period = counter(own).period
    stored = [
        Grant(1, "by-model", '{"user":"alice","model":"gpt-4o"}', "day", period, Figures(0, 4)),
        Grant(2, "by-model", '{"user":"bob","model":"gpt-4o"}', "day", period, Figures(0, 5)),
        Grant(3, "gone", '{"user":"alice"}', "day", period, Figures()),
    ]
    in_memory = counter(by_model, output=(6, 1))
    shown_to_alice = shown_for(
        ALICE,
        stored,
        [in_memory],
        [own, by_model, others],
        lambda one, _: Limits(one.input_tokens, one.output_tokens),
        NOON,
    )
    assert [(row["quota"], row["subject"], row["output_tokens"]["settled"]) for row in shown_to_alice] == [
        ("by-model", {"user": "alice", "model": "gpt-4o"}, 6),  # memory is ahead of the database
        ("own", {"user": "alice"}, 0),
    ]
    shown_to_bob = shown_for(
        BOB, stored, [], [own, by_model, others], lambda one, _: Limits(one.input_tokens, one.output_tokens), NOON
    )
    assert [row["quota"] for row in shown_to_bob] == ["by-model", "others", "own"]


def test_seconds_to_the_reset_are_whole() -> None:
    standing = tightest([counter(quota(output_tokens=1))], NOON + timedelta(milliseconds=1))
    assert standing is not None
    assert standing.reset_seconds == 12 * 3600
