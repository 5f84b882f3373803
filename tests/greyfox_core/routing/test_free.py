"""Where requests go that cost nothing."""

import pytest

from greyfox_core.errors import Forbidden, NoRoute
from greyfox_core.routing.free import resolve_free
from greyfox_core.values.endpoint import Access, Endpoint
from greyfox_core.values.principal import Principal
from tests.greyfox_core.routing.kit import ALICE, UPSTREAMS, config, endpoint, goals


def free(api: str, model: str | None = None) -> Endpoint:
    return endpoint(api, model=model, access=Access.FREE)


@pytest.mark.parametrize(
    ("api", "model", "addressed", "goal"),
    [
        ("openai", None, None, "openai/"),
        ("openai", None, "groq", "groq/"),
        ("openai", "llama-3.3-70b", None, "groq/llama-3.3-70b"),
        ("openai", "unheard-of", None, "openai/unheard-of"),
        ("gemini", "best", None, "gemini/gemini-2.5-pro"),
        ("openai", "fast", None, "groq/llama-3.1-8b"),
        ("openai", "fast", "openai", "groq/llama-3.1-8b"),
        ("anthropic", None, None, "anthropic/"),
    ],
)
def test_by_name_by_model_or_to_whom_speaks_the_api(
    api: str, model: str | None, addressed: str | None, goal: str
) -> None:
    rules = config(aliases={"best": "gemini-2.5-pro", "fast": "groq/llama-3.1-8b"})
    resolution = resolve_free(rules, ALICE, free(api, model), addressed=addressed)
    assert goals(resolution) == [goal]
    assert resolution.route == "default"


@pytest.mark.parametrize("models", [("gemini-2.5-pro",), ("best",)])
def test_an_alias_and_its_model_must_both_be_allowed(models: tuple[str, ...]) -> None:
    rules = config(aliases={"best": "gemini-2.5-pro"})
    with pytest.raises(Forbidden):
        resolve_free(rules, Principal("bob", "k", models=models), free("gemini", "best"), addressed=None)


def test_an_api_that_nobody_speaks() -> None:
    with pytest.raises(NoRoute, match="No upstream speaks this API"):
        resolve_free(config({"openai": UPSTREAMS["openai"]}), ALICE, free("gemini"), addressed=None)
