"""Which upstream serves a model where no rule decides."""

import pytest

from greyfox_core.routing.defaults import Defaults, family
from tests.greyfox_core.routing.kit import UPSTREAMS, config


@pytest.mark.parametrize(
    ("api", "model", "upstream"),
    [
        ("openai", "gpt-4o", "openai"),
        ("openai", "o3-mini", "openai"),
        ("openai", "chatgpt-4o-latest", "openai"),
        ("openai", "text-embedding-3-small", "openai"),
        ("openai", "ft:gpt-4o-mini:team::id", "openai"),
        ("openai", "llama-3.3-70b", "groq"),
        ("openai", "claude-sonnet-4-5", None),
        ("openai", "unheard-of", None),
        ("anthropic", "claude-sonnet-4-5", "anthropic"),
        ("anthropic", "gpt-4o", None),
        ("gemini", "gemini-2.5-pro", "gemini"),
        ("gemini", "text-embedding-004", "gemini"),
        ("gemini", "gpt-4o", None),
        ("ollama", "whatever:7b", "ollama"),
    ],
)
def test_models_go_by_list_then_by_family(api: str, model: str, upstream: str | None) -> None:
    assert Defaults(config().upstreams).for_model(api, model) == upstream


def test_a_list_wins_over_the_family_wherever_it_stands() -> None:
    mine = UPSTREAMS | {"azure": {"dialect": "openai", "base_url": "https://a.example", "models": ["gpt-4o"]}}
    defaults = Defaults(config(mine).upstreams)
    assert defaults.for_model("openai", "gpt-4o") == "azure"
    assert defaults.for_model("openai", "gpt-4o-mini") == "openai"


def test_a_list_of_models_is_exhaustive() -> None:
    only = {"groq": UPSTREAMS["groq"]}
    assert Defaults(config(only).upstreams).for_model("openai", "gpt-4o") is None


def test_paths_without_a_model_go_to_the_first_that_serves_anything() -> None:
    groq_first = {"groq": UPSTREAMS["groq"], "openai": UPSTREAMS["openai"]}
    assert Defaults(config(groq_first).upstreams).any("openai") == "openai"
    assert Defaults(config({"groq": UPSTREAMS["groq"]}).upstreams).any("openai") == "groq"
    assert Defaults(config({"groq": UPSTREAMS["groq"]}).upstreams).any("gemini") is None


def test_families_are_known_by_the_names_of_their_models() -> None:
    assert family("claude-opus-4-5") == "anthropic"
    assert family("gemini-2.5-pro") == "gemini"
    assert family("o3") == "openai"
    assert family("llama3") is None
