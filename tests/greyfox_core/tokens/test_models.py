"""Which model counts how, and how long its answers can be."""

import pytest

from greyfox_core.tokens.models import Script, family_of, max_output


@pytest.mark.parametrize(
    ("model", "encoding", "factor", "public"),
    [
        ("gpt-4o", "o200k_base", 1.0, True),
        ("gpt-4o-mini-2024-07-18", "o200k_base", 1.0, True),
        ("gpt-4.1-nano", "o200k_base", 1.0, True),
        ("gpt-5.5", "o200k_base", 1.0, True),
        ("o1", "o200k_base", 1.0, True),
        ("o4-mini", "o200k_base", 1.0, True),
        ("gpt-oss-120b", "o200k_base", 1.0, True),
        ("openai/gpt-4o", "o200k_base", 1.0, True),
        ("ft:gpt-4o-mini:acme::abc", "o200k_base", 1.0, True),
        ("gpt-4", "cl100k_base", 1.0, True),
        ("gpt-4-turbo", "cl100k_base", 1.0, True),
        ("gpt-3.5-turbo", "cl100k_base", 1.0, True),
        ("text-embedding-3-small", "cl100k_base", 1.0, True),
        ("gpt-6-astra", "o200k_base", 1.0, False),
        ("claude-3-haiku-20240307", "o200k_base", 1.5, False),
        ("claude-sonnet-4-20250514", "o200k_base", 1.5, False),
        ("claude-sonnet-4-5", "o200k_base", 1.5, False),
        ("claude-opus-4-6-20260101", "o200k_base", 1.5, False),
        ("claude-opus-4-7", "o200k_base", 1.8, False),
        ("claude-opus-5", "o200k_base", 1.8, False),
        ("gemini-2.5-flash", "o200k_base", 1.2, False),
        ("models/gemini-2.5-flash", "o200k_base", 1.2, False),
        ("llama3", "o200k_base", 1.4, False),
        ("some-deployment", "o200k_base", 1.4, False),
    ],
)
def test_a_model_counts_like_its_family(model: str, encoding: str, factor: float, public: bool) -> None:
    family = family_of(model)
    assert (family.encoding, family.factors[Script.PLAIN], family.public) == (encoding, factor, public)


def test_claude_reads_other_scripts_in_more_tokens() -> None:
    for model in ("claude-sonnet-4-5", "claude-opus-5"):
        factors = family_of(model).factors
        assert factors[Script.PLAIN] < factors[Script.ACCENTED] < factors[Script.OTHER] == 2.6


@pytest.mark.parametrize(
    ("model", "maximum"),
    [
        ("gpt-4o", 16_384),
        ("gpt-4o-2024-05-13", 4_096),
        ("gpt-5", 128_000),
        ("gpt-5.5", 128_000),
        ("gpt-6-astra", 128_000),
        ("o3", 100_000),
        ("claude-sonnet-4-5", 64_000),
        ("claude-3-haiku-20240307", 4_096),
        ("claude-opus-5", 128_000),
        ("claude-sonnet-5-5", 128_000),
        ("gemini-2.5-flash", 65_535),
        ("gemini-3.8-flash", 65_536),
        ("gemini-4-argon", 1_048_576),
        ("deepseek-chat", 8_192),
        ("unheard-of", 777),
    ],
)
def test_the_longest_answer_of_a_model(model: str, maximum: int) -> None:
    assert max_output(model, {}, 777) == maximum


def test_the_operator_knows_better_and_the_first_glob_decides() -> None:
    overrides = {"gpt-4o-mini": 1, "gpt-*": 2, "*": 3}
    assert [max_output(model, overrides, 9) for model in ("gpt-4o-mini", "gpt-5", "llama3")] == [1, 2, 3]


def test_an_override_of_zero_is_obeyed() -> None:
    assert max_output("gpt-4o", {"gpt-4o": 0}, 9) == 0
