"""The arithmetic of docs/usage.md, with its worked examples."""

from typing import Any

import pytest

from greyfox_core.dialects import usage
from greyfox_core.values.usage import Usage


def normal(given: Usage | None) -> tuple[int, ...] | None:
    """(input_total, cached_read, cache_write, output_total, reasoning)."""
    if given is None:
        return None
    return (
        given.input_total,
        given.input_cached_read,
        given.input_cache_write,
        given.output_total,
        given.output_reasoning,
    )


CHAT = {"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param(
            CHAT
            | {
                "prompt_tokens_details": {"cached_tokens": 1920},
                "completion_tokens_details": {"reasoning_tokens": 128},
            },
            (2006, 1920, 0, 300, 128),
            id="chat: details are parts of the totals",
        ),
        pytest.param(
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            (32, 0, 0, 103, 94),
            id="xAI: reasoning is not in completion_tokens",
        ),
        pytest.param(CHAT | {"total_tokens": 2400}, (2006, 0, 0, 394, 0), id="a greater total is taken"),
        pytest.param(CHAT | {"total_tokens": 1}, (2006, 0, 0, 300, 0), id="a smaller total is not"),
        pytest.param(CHAT | {"total_tokens": None}, (2006, 0, 0, 300, 0), id="no total"),
        pytest.param(CHAT | {"prompt_tokens_details": None}, (2006, 0, 0, 300, 0), id="details null"),
        pytest.param(
            CHAT | {"prompt_cache_hit_tokens": 2000, "prompt_cache_miss_tokens": 6},
            (2006, 2000, 0, 300, 0),
            id="DeepSeek",
        ),
        pytest.param(CHAT | {"cached_tokens": 6}, (2006, 6, 0, 300, 0), id="Moonshot"),
        pytest.param(
            {"prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 6, "completion_tokens": 1},
            (8, 2, 0, 1, 0),
            id="parts",
        ),
        pytest.param({"prompt_tokens": 5, "total_tokens": 5}, None, id="no output stated"),
        pytest.param({"completion_tokens": 5}, None, id="no input stated"),
        pytest.param(CHAT | {"prompt_tokens": -1}, None, id="negative"),
        pytest.param(CHAT | {"completion_tokens": 3.5}, None, id="no whole number"),
        pytest.param(CHAT | {"completion_tokens": "3"}, None, id="text"),
        pytest.param(None, None, id="null"),
        pytest.param([], None, id="a list"),
    ],
)
def test_chat_completions(stated: Any, expected: tuple[int, ...] | None) -> None:
    assert normal(usage.openai_usage(stated)) == expected


def test_embeddings_have_input_only() -> None:
    assert usage.embeddings_usage({"prompt_tokens": 11, "total_tokens": 11}) == Usage(11)
    assert usage.embeddings_usage({"total_tokens": 11}) is None
    assert usage.embeddings_usage(None) is None


def test_responses_add_the_pictures_that_a_tool_made() -> None:
    response = {
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 8},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 150,
        },
        "tool_usage": {"image_gen": {"input_tokens": 7, "output_tokens": 1000}, "web_search": {"num_requests": 1}},
    }
    assert normal(usage.responses_usage(response)) == (107, 40, 8, 1050, 30)
    assert usage.responses_usage({"usage": None}) is None
    assert usage.responses_usage({"usage": {"input_tokens": 1}}) is None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param(
            {
                "input_tokens": 21,
                "cache_creation_input_tokens": 1880,
                "cache_read_input_tokens": 4096,
                "output_tokens": 503,
                "output_tokens_details": {"thinking_tokens": 210},
            },
            (5997, 4096, 1880, 503, 210),
            id="the cache comes beside input_tokens",
        ),
        pytest.param({"input_tokens": 3, "output_tokens": 4}, (3, 0, 0, 4, 0), id="least"),
        pytest.param(
            {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": None, "iterations": None},
            (3, 0, 0, 4, 0),
            id="null",
        ),
        pytest.param(
            {
                "input_tokens": 23000,
                "output_tokens": 1000,
                "iterations": [
                    {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500, "cache_read_input_tokens": 9},
                    {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
                    {"type": "fallback_message", "input_tokens": 1, "output_tokens": 1},
                ],
            },
            (203009, 9, 0, 4500, 0),
            id="a compaction comes beside the totals, messages break them down",
        ),
        pytest.param({"input_tokens": 3}, None, id="no output"),
        pytest.param({"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": -4}, None, id="negative part"),
        pytest.param("usage", None, id="text"),
    ],
)
def test_anthropic(stated: Any, expected: tuple[int, ...] | None) -> None:
    assert normal(usage.anthropic_usage(stated)) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param(
            {
                "promptTokenCount": 1200,
                "cachedContentTokenCount": 1000,
                "candidatesTokenCount": 80,
                "thoughtsTokenCount": 420,
                "toolUsePromptTokenCount": 60,
                "totalTokenCount": 1760,
            },
            (1260, 1000, 0, 500, 420),
            id="thoughts beside candidates, tool results beside the prompt",
        ),
        pytest.param(
            {"promptTokenCount": 5, "candidatesTokenCount": 8, "thoughtsTokenCount": 4}, (5, 0, 0, 12, 4), id="no total"
        ),
        pytest.param({"promptTokenCount": 14, "totalTokenCount": 14}, (14, 0, 0, 0, 0), id="zeros are left out"),
        pytest.param({"candidatesTokenCount": 5}, None, id="no prompt"),
        pytest.param({"promptTokenCount": 1, "candidatesTokenCount": -1}, None, id="negative"),
        pytest.param({}, None, id="empty"),
    ],
)
def test_gemini(stated: Any, expected: tuple[int, ...] | None) -> None:
    assert normal(usage.gemini_usage(stated)) == expected


@pytest.mark.parametrize(
    ("answer", "said", "expected"),
    [
        ({"prompt_eval_count": 1024, "prompt_eval_cached_count": 960, "eval_count": 210}, True, (1024, 960, 0, 210, 0)),
        ({"eval_count": 6}, True, None),
        ({"prompt_eval_count": 0, "eval_count": 6}, True, None),
        ({"prompt_eval_count": 7}, True, None),
        ({"prompt_eval_count": 7}, False, (7, 0, 0, 0, 0)),
        ({"done_reason": "load"}, False, (0, 0, 0, 0, 0)),
        ({"prompt_eval_count": 7, "eval_count": -1}, True, None),
    ],
)
def test_ollama(answer: dict[str, Any], said: bool, expected: tuple[int, ...] | None) -> None:
    assert normal(usage.ollama_usage(answer, produced_text=said)) == expected


def test_parts_never_exceed_their_totals() -> None:
    stated = CHAT | {
        "prompt_tokens_details": {"cached_tokens": 9999, "cache_write_tokens": 9999},
        "completion_tokens_details": {"reasoning_tokens": 200},
    }
    assert normal(usage.openai_usage(stated)) == (2006, 2006, 0, 300, 200)
