"""Aliases, then rules in order, then the default."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.errors import Forbidden, NoRoute
from greyfox_core.routing.match import Asked, fits
from greyfox_core.routing.router import Router
from greyfox_core.values.principal import Principal
from tests.greyfox_core.routing.kit import ALICE, UPSTREAMS, config, goals, request, resolve, texts

ROUTES: list[dict[str, Any]] = [
    {"name": "code", "when": {"model": "auto", "content": "code"}, "use": ["openai/gpt-4o", "groq/llama-3.3-70b"]},
    {"name": "short", "when": {"model": "auto", "input_tokens": "<500"}, "use": "openai/gpt-4o-mini"},
    {"name": "own", "when": {"role": "support", "model": "own-*"}, "use": "groq/*"},
    {"name": "mixed", "when": {"model": "mixed"}, "use": ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"]},
    {"name": "foreign", "when": {"model": "foreign"}, "use": ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"]},
]
RULES = config(
    routes=ROUTES, content={"code": {"any": ["```"]}}, aliases={"smart": "auto", "quick": "groq/llama-3.1-8b"}
)


def test_the_first_rule_that_fits_decides_and_later_targets_are_fallbacks() -> None:
    resolution = resolve(RULES, "auto", text="```x```", tokens=lambda: 10)
    assert resolution.route == "code"
    assert goals(resolution) == ["openai/gpt-4o", "groq/llama-3.3-70b"]
    assert resolve(RULES, "auto", tokens=lambda: 10).route == "short"


def test_where_no_rule_fits_the_model_decides() -> None:
    resolution = resolve(RULES, "gpt-5")
    assert resolution.route == "default"
    assert goals(resolution) == ["openai/gpt-5"]
    assert goals(resolve(RULES, "llama-3.3-70b")) == ["groq/llama-3.3-70b"]
    assert goals(resolve(RULES, "claude-opus-4-5", "anthropic")) == ["anthropic/claude-opus-4-5"]
    assert goals(resolve(RULES, "qwen3:8b", "ollama")) == ["ollama/qwen3:8b"]


def test_a_target_may_keep_the_model_that_was_asked_for() -> None:
    assert goals(resolve(RULES, "own-7")) == ["groq/own-7"]


def test_the_input_is_counted_at_most_once() -> None:
    counted: list[int] = []

    def count() -> int:
        counted.append(1)
        return 9

    rules = config(
        routes=[{"name": f"r{n}", "when": {"input_tokens": f"<{n}"}, "use": "openai/x"} for n in range(1, 5)]
    )
    resolve(rules, tokens=count)
    assert counted == [1]


def test_rules_see_what_an_alias_stands_for() -> None:
    assert resolve(RULES, "smart", tokens=lambda: 10).route == "short"


def test_an_alias_with_an_upstream_goes_there_unless_a_rule_decides() -> None:
    assert goals(resolve(RULES, "quick")) == ["groq/llama-3.1-8b"]
    assert goals(resolve(RULES, "quick", addressed="openai")) == ["groq/llama-3.1-8b"]
    ruled = config(
        aliases={"quick": "groq/llama-3.1-8b"},
        routes=[{"name": "r", "when": {"model": "llama-*"}, "use": "openai/gpt-4o-mini"}],
    )
    assert goals(resolve(ruled, "quick")) == ["openai/gpt-4o-mini"]
    with pytest.raises(NoRoute, match="The alias leads to groq, which speaks the OpenAI API"):
        resolve(RULES, "quick", "anthropic")


def test_an_addressed_upstream_is_the_default_and_rules_may_name_another() -> None:
    assert goals(resolve(RULES, "unheard-of", addressed="groq")) == ["groq/unheard-of"]
    assert goals(resolve(RULES, "gpt-4o", addressed="groq")) == ["groq/gpt-4o"]
    assert goals(resolve(RULES, "auto", addressed="groq")) == ["openai/gpt-4o-mini"]


def test_targets_of_another_api_are_passed_over() -> None:
    assert goals(resolve(RULES, "mixed")) == ["openai/gpt-4o"]
    assert goals(resolve(RULES, "mixed", "anthropic")) == ["anthropic/claude-sonnet-4-5"]


def test_a_rule_that_leads_to_other_apis_alone_refuses_and_says_so() -> None:
    with pytest.raises(NoRoute) as refused:
        resolve(RULES, "foreign")
    assert refused.value.message == (
        "Rule foreign leads model foreign to the API of Anthropic and Gemini, and this request speaks OpenAI. "
        "Translation between APIs is not in this version."
    )


@pytest.mark.parametrize(
    ("model", "api", "why"),
    [
        ("claude-sonnet-4-5", "openai", "is served by the Anthropic API, and this request speaks OpenAI"),
        ("unheard-of", "openai", "No upstream serves model unheard-of by the OpenAI API"),
        ("x" * 500, "openai", "x…"),
    ],
)
def test_a_model_that_nobody_serves_is_refused_and_named(model: str, api: str, why: str) -> None:
    with pytest.raises(NoRoute) as refused:
        resolve(RULES, model, api)
    assert why in refused.value.message
    assert len(refused.value.message) < 250


def test_a_caller_may_use_what_the_key_allows() -> None:
    bob = Principal("bob", "k", models=("auto", "gpt-4o-*", "llama-*"))
    assert goals(resolve(RULES, "gpt-4o-mini", who=bob)) == ["openai/gpt-4o-mini"]
    assert goals(resolve(RULES, "auto", text="```", who=bob)) == ["groq/llama-3.3-70b"]  # gpt-4o is passed over
    with pytest.raises(Forbidden, match="may not use model gpt-4o\\."):
        resolve(RULES, "gpt-4o", who=bob)
    only_auto = Principal("eve", "k", models=("auto",))
    with pytest.raises(Forbidden, match=r"may not use model gpt-4o, model llama-3\.3-70b\."):
        resolve(RULES, "auto", text="```", who=only_auto)


WEIGHTED = config(
    routes=[
        {
            "name": "split",
            "when": {"model": "fast"},
            "use": [{"model": "openai/a", "weight": 2}, "openai/b", {"model": "openai/c", "weight": 7}],
        }
    ]
)


@pytest.mark.parametrize(
    ("draw", "order"),
    [
        (0.0, ["openai/a", "openai/c", "openai/b"]),
        (0.199, ["openai/a", "openai/c", "openai/b"]),
        (0.2, ["openai/b", "openai/c", "openai/a"]),
        (0.3, ["openai/c", "openai/a", "openai/b"]),
        (0.999, ["openai/c", "openai/a", "openai/b"]),
    ],
)
def test_a_weighted_rule_draws_the_first_and_orders_the_rest_by_weight(draw: float, order: list[str]) -> None:
    assert goals(resolve(WEIGHTED, "fast", draw=draw)) == order


@given(st.floats(0, 1, exclude_max=True))
def test_whatever_is_drawn_every_target_is_there_once(draw: float) -> None:
    assert sorted(goals(resolve(WEIGHTED, "fast", draw=draw))) == ["openai/a", "openai/b", "openai/c"]


def test_equal_weights_are_drawn_too_and_no_weights_are_not() -> None:
    def first(use: list[Any], draw: float) -> str:
        return goals(resolve(config(routes=[{"name": "r", "use": use}]), draw=draw))[0]

    one = {"weight": 1}
    assert first([one | {"model": "openai/a"}, one | {"model": "openai/b"}], 0.9) == "openai/b"
    assert first(["openai/a", "openai/b"], 0.9) == "openai/a"


def test_weights_are_shared_among_the_targets_that_the_caller_may_use() -> None:
    bob = Principal("bob", "k", models=("fast", "a", "b"))
    assert goals(resolve(WEIGHTED, "fast", who=bob, draw=0.5)) == ["openai/a", "openai/b"]


def test_a_target_that_stands_twice_is_tried_once() -> None:
    rules = config(routes=[{"name": "r", "use": ["openai/a", "openai/*", "openai/b"]}])
    assert goals(resolve(rules, "a")) == ["openai/a", "openai/b"]


def test_callers_are_told_apart() -> None:
    rules = config(routes=[{"name": "r", "when": {"user": "alice"}, "use": "openai/a"}])
    router = Router(rules, lambda: 0.0)
    assert goals(resolve(router)) == ["openai/a"]
    assert goals(resolve(router, who=Principal("bob", "k"))) == ["openai/gpt-4o"]
    assert goals(resolve(router)) == ["openai/a"]


def test_a_slow_pattern_set_is_logged_by_name_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    slow = config(
        UPSTREAMS,
        content={"slow": {"any": "^(a|aa)+ zqx$"}},
        routes=[{"name": "r", "when": {"content": "slow"}, "use": "openai/a"}],
    )
    router = Router(slow, lambda: 0.0)
    hostile = texts("a" * 60 + " zqx!")
    for _ in range(2):
        found = router.resolve(ALICE, request(), addressed=None, texts=hostile, input_tokens=lambda: 0)
        assert found.route == "default"
    assert len(caplog.records) == 1
    assert "content slow took longer" in caplog.text
    assert "zqx" not in caplog.text


NAMES = st.sampled_from(["alice", "core", "key_1", "developer", "gpt-4o", "other", "*", "gpt-*", "[ac]*"])
GLOBS = st.lists(NAMES, min_size=1, max_size=2)
CONDITIONS = st.fixed_dictionaries({}, optional=dict.fromkeys(("user", "key", "team", "role", "model"), GLOBS))


@given(st.lists(CONDITIONS, max_size=8))
def test_the_rule_that_decides_is_the_first_of_all_that_fit(conditions: list[dict[str, Any]]) -> None:
    rules = config(routes=[{"name": f"r{n}", "when": when, "use": "openai/x"} for n, when in enumerate(conditions)])
    asked = Asked(ALICE, request("gpt-4o"), "gpt-4o", tokens=lambda: 0, content=lambda name: False)
    first = next((route.name for route in rules.routes if fits(route.when, asked)), "default")

    assert resolve(rules, "gpt-4o").route == first
