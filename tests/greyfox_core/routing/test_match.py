"""Whether a rule's condition fits."""

from collections.abc import Callable
from typing import Any

import pytest

from greyfox_core.config.schema import When
from greyfox_core.routing.match import Asked, compares, fits, glob_any
from greyfox_core.values.principal import Principal
from tests.greyfox_core.routing.kit import ALICE, request


def asked(who: Principal = ALICE, *, stream: bool = False, tokens: Callable[[], int] = lambda: 100) -> Asked:
    return Asked(who, request("gpt-4o", stream=stream), "gpt-4o", tokens, content=lambda name: name == "code")


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"model": "gpt-*"},
        {"model": ["claude-*", "gpt-4o"]},
        {"user": "alice"},
        {"team": "co??"},
        {"role": "support"},
        {"role": ["admin", "dev*"]},
        {"key": "key_[0-9]"},
        {"dialect": "openai"},
        {"dialect": "openai-chat"},
        {"dialect": "openai-*"},
        {"stream": False},
        {"input_tokens": "<101"},
        {"content": ["prose", "code"]},
        {"model": "gpt-4o", "user": "alice", "role": "developer", "stream": False, "content": "code"},
    ],
)
def test_a_condition_that_fits(when: dict[str, Any]) -> None:
    assert fits(When.model_validate(when), asked())


@pytest.mark.parametrize(
    "when",
    [
        {"model": "GPT-4o"},
        {"model": "gpt"},
        {"user": "bob"},
        {"team": "ops"},
        {"role": "admin"},
        {"key": "key_2"},
        {"dialect": "anthropic"},
        {"dialect": "openai-responses"},
        {"stream": True},
        {"input_tokens": "<100"},
        {"content": "prose"},
        {"model": "gpt-4o", "user": "bob"},
    ],
)
def test_a_condition_that_does_not_fit(when: dict[str, Any]) -> None:
    assert not fits(When.model_validate(when), asked())


def test_a_caller_without_team_and_roles_fits_no_condition_on_them() -> None:
    nobody = Principal("bob", "key_2")
    assert not fits(When(team=("*",)), asked(nobody))
    assert not fits(When(role=("*",)), asked(nobody))
    assert fits(When(), asked(nobody))


def test_tokens_are_not_counted_where_something_else_decides() -> None:
    def never() -> int:
        raise AssertionError("counted")

    assert not fits(When(model=("other",), input_tokens="<5"), asked(tokens=never))
    assert fits(When(model=("gpt-4o",)), asked(tokens=never))


@pytest.mark.parametrize(
    ("written", "true_for"),
    [("<5", [4]), ("<=5", [4, 5]), (">5", [6]), (">=5", [5, 6]), ("=5", [5])],
)
def test_comparisons(written: str, true_for: list[int]) -> None:
    assert [number for number in (4, 5, 6) if compares(written, number)] == true_for


def test_globs_cover_the_whole_name() -> None:
    assert glob_any(("a*",), "abc")
    assert not glob_any(("b",), "abc")
    assert not glob_any((), "abc")
