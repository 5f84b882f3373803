"""Messages: the cap is required, thinking needs room below it, and cache figures are input."""

import json
from typing import Any

import pytest

from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import MESSAGES, asked, sample, sent


def test_the_least_request() -> None:
    _, request = asked(MESSAGES)
    assert (request.model, request.output_cap, request.output_floor, request.stream) == (
        "claude-sonnet-5-5",
        100,
        1,
        False,
    )


def test_a_thinking_budget_needs_a_greater_cap() -> None:
    assert asked(MESSAGES, max_tokens=5000, thinking={"type": "enabled", "budget_tokens": 1024})[1].output_floor == 1025
    assert asked(MESSAGES, max_tokens=50, thinking={"type": "enabled", "budget_tokens": 1024})[1].output_floor == 50


def test_a_cap_of_nothing_only_warms_the_cache() -> None:
    _, request = asked(MESSAGES, max_tokens=0)
    assert (request.output_cap, request.produces_output) == (0, False)
    assert sent(MESSAGES, max_tokens=0) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"max_tokens": None},
        {"max_tokens": -1},
        {"max_tokens": "100"},
        {"messages": None},
        {"model": None},
        {"stream": "yes"},
        {"thinking": "enabled"},
        {"fallbacks": [{"model": "claude-opus-5", "max_tokens": 5}]},
    ],
)
def test_bodies_that_cannot_be_metered_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(MESSAGES, **changes)


def test_a_cap_and_a_model_go_up_and_everything_else_stays() -> None:
    assert sent(MESSAGES) is None
    assert sent(MESSAGES, cap=100) is None
    body = sent(MESSAGES, cap=40, model="claude-opus-5", betas={"unknown": 1})
    assert (body["max_tokens"], body["model"], body["betas"]) == (40, "claude-opus-5", {"unknown": 1})


def test_everything_that_the_model_reads_is_counted_and_base64_never_as_text() -> None:
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 16000},
                },
                {
                    "type": "document",
                    "title": "T",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "S" * 40},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"id": 7}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]}],
        },
    ]
    dialect, request = asked(
        MESSAGES, system=[{"type": "text", "text": "be kind"}], messages=messages, tools=[{"name": "f"}]
    )
    prompt = dialect.prompt(request, "claude-sonnet-4-5")
    assert prompt.texts == ("be kind", "look", "T", "words", "hm", "f", '{"id":7}', "42", '{"name":"f"}')
    assert prompt.overhead == 7 + 3 * 4 + 800 + 16
    assert prompt.media == 1572 + (12000 // 4 + 1572) + 10


def test_the_texts_that_rules_look_at() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1;"}
    messages = [
        {"role": "system", "content": "S2"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}]},
    ]
    dialect, request = asked(MESSAGES, system=[billing, {"type": "text", "text": "S1"}], messages=messages)
    assert dialect.system_text(request) == "S1\nS2"
    assert dialect.last_user_text(request) == "three"
    assert dialect.all_text(request) == "S1\nS2\none\ntwo\nthree"


@pytest.mark.parametrize(
    ("reason", "whole"),
    [("end_turn", True), ("stop_sequence", True), ("tool_use", True)]
    + [(reason, False) for reason in ("max_tokens", "pause_turn", "refusal", "model_context_window_exceeded", None)],
)
def test_only_answers_that_finished_by_themselves_are_whole(reason: str | None, whole: bool) -> None:
    dialect, _ = asked(MESSAGES)
    answer = json.loads(sample("anthropic.plain.json")) | {"stop_reason": reason}
    assert dialect.plain_complete(answer) == whole
    assert not dialect.plain_complete(answer | {"usage": None})


def test_the_answers_text_is_all_that_was_generated() -> None:
    dialect, _ = asked(MESSAGES)
    content = [
        {"type": "thinking", "thinking": "a"},
        {"type": "text", "text": "b"},
        {"type": "tool_use", "name": "c", "input": {"d": 1}},
    ]
    assert dialect.output_text({"content": content}) == 'a\nb\nc\n{"d":1}'
