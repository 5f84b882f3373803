"""Responses: stored state is named, hosted tools are named, and three events end a stream."""

import json
from typing import Any

import pytest

from greyfox_core.errors import BadRequest, UpstreamFailed
from tests.greyfox_core.dialects.asked import RESPONSES, asked, asked_raw, read_in, sample, sent


def test_the_least_request() -> None:
    _, request = asked(RESPONSES)
    assert (request.model, request.stream, request.output_cap, request.output_floor) == ("gpt-5.4", False, None, 16)


def test_the_floor_is_what_the_api_accepts_or_what_the_caller_asked_for() -> None:
    assert asked(RESPONSES, max_output_tokens=500)[1].output_floor == 16
    assert asked(RESPONSES, max_output_tokens=5)[1].output_floor == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"background": True},
        {"background": "yes"},
        {"model": None, "prompt": {"id": "p"}},
        {"input": 5},
        {"input": ["text"]},
        {"max_output_tokens": 0},
        {"stream": 1},
    ],
)
def test_bodies_that_cannot_be_metered_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(RESPONSES, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"previous_response_id": "r"}, "a stored response"),
        ({"conversation": "c"}, "a stored conversation"),
        ({"prompt": {"id": "p"}}, "a stored prompt"),
        ({"context_management": [{"type": "compaction"}]}, "managed context"),
        ({"tools": [{"type": "web_search"}]}, "hosted tools"),
        ({"tools": [{"type": "mcp", "server_url": "x"}]}, "hosted tools"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "hosted tools"),
        ({"tools": [{"type": "invented_tomorrow"}]}, "hosted tools"),
        ({"input": [{"type": "item_reference", "id": "i"}]}, "a stored item"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "a stored file"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x"}]}]},
            "a file behind a URL",
        ),
        (
            {"input": [{"type": "function_call_output", "output": [{"type": "input_file", "file_id": "f"}]}]},
            "a stored file",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, None),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}, {"type": "namespace"}]}, None),
        ({"tools": [{"type": "shell", "environment": {"type": "local"}}]}, None),
    ],
)
def test_input_of_unknown_size_is_named(changes: dict[str, Any], reason: str | None) -> None:
    assert asked(RESPONSES, **changes)[1].unbounded == reason


def test_the_prompt_is_items_instructions_tools_and_schema() -> None:
    items = [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "https://x/y.png"}],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": "A" * 400},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    dialect, request = asked(RESPONSES, input=items, instructions="be kind", tools=[{"type": "function", "name": "f"}])
    prompt = dialect.prompt(request, "gpt-4o")
    assert prompt.texts == ("hi", "why", "f", '{"a":1}', "42", "be kind", '{"type":"function","name":"f"}')
    assert prompt.overhead == 3 + 5 * 4 + 16
    assert prompt.media == 100 + 85 + 8 * 170
    assert dialect.prompt(asked(RESPONSES)[1], "gpt-4o").texts == ("Hello",)


def test_the_texts_that_rules_look_at() -> None:
    items = [
        {"role": "developer", "content": "D"},
        {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
        {"type": "function_call_output", "output": "two"},
    ]
    dialect, request = asked(RESPONSES, input=items, instructions="I")
    assert dialect.system_text(request) == "I\nD"
    assert dialect.last_user_text(request) == "one"
    assert dialect.all_text(request) == "I\nD\none\ntwo"
    assert dialect.last_user_text(asked(RESPONSES)[1]) == "Hello"


def test_a_cap_goes_up_where_the_path_has_one() -> None:
    assert sent(RESPONSES) is None
    assert sent(RESPONSES, stream=True, usage=True) is None
    assert sent(RESPONSES, cap=100)["max_output_tokens"] == 100
    for path in ("/v1/responses/compact", "/v1/decisions"):
        dialect, request = asked_raw(path, b'{"model":"m","input":"x"}')
        assert not dialect.can_cap(request)
        assert dialect.prepare(request, model="m", output_cap=9, cap_field="", ask_usage=False) is request.raw


@pytest.mark.parametrize(
    ("changes", "stored_responses", "cacheable"),
    [
        ({}, False, False),
        ({"store": True}, False, False),
        ({"store": False}, False, True),
        ({}, True, True),
        ({"store": False, "previous_response_id": "r"}, True, False),
        ({"store": False, "tools": [{"type": "web_search"}]}, True, False),
        ({"store": False, "tools": [{"type": "function", "name": "f"}]}, False, True),
        (
            {"store": False, "input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            False,
            False,
        ),
    ],
)
def test_answers_that_the_provider_stores_are_not_cached(changes: Any, stored_responses: bool, cacheable: bool) -> None:
    dialect, request = asked(RESPONSES, **changes)
    assert (dialect.uncacheable(request, stored_responses=stored_responses) is None) == cacheable


def test_a_compaction_is_not_cached() -> None:
    dialect, request = asked_raw("/v1/responses/compact", b'{"model":"m","input":"x","store":false}')
    assert dialect.uncacheable(request, stored_responses=True)


def test_the_fingerprint_leaves_out_bookkeeping_only() -> None:
    dialect, plain = asked(RESPONSES, store=False)
    _, same = asked(
        RESPONSES, store=False, metadata={"a": "b"}, prompt_cache_key="k", stream=True, safety_identifier="x"
    )
    assert dialect.fingerprint_fields(plain) == dialect.fingerprint_fields(same)
    assert dialect.fingerprint_fields(plain) != dialect.fingerprint_fields(
        asked(RESPONSES, store=False, include=["x"])[1]
    )


def test_a_refusal_or_an_incomplete_answer_is_not_whole() -> None:
    dialect, _ = asked(RESPONSES)
    answer = json.loads(sample("openai-responses.plain.json"))
    assert dialect.plain_complete(answer)
    assert not dialect.plain_complete(answer | {"status": "incomplete"})
    assert not dialect.plain_complete(answer | {"usage": None})
    refusal = [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]
    assert not dialect.plain_complete(answer | {"output": refusal})
    assert dialect.output_text(answer) == "Low water is at noon."


def test_a_bare_error_event_fails_the_stream() -> None:
    dialect, request = asked(RESPONSES, stream=True)
    reader = dialect.stream(request, "text/event-stream")
    read_in(reader, [b'event: error\ndata: {"type":"error","code":"x","message":"y"}\n\n'])
    assert reader.failed and not reader.complete


def test_deltas_are_the_text_so_far() -> None:
    dialect, request = asked(RESPONSES, stream=True)
    reader = dialect.stream(request, "text/event-stream")
    reader.feed(sample("openai-responses.stream-tool.sse").split(b"event: response.completed")[0])
    assert reader.received_text() == '{"harbour":"Whitby"}'
    assert (reader.complete, reader.usage) == (False, None)


def test_a_cut_stream_ends_in_a_failed_response_that_goes_on_counting() -> None:
    dialect, request = asked(RESPONSES, stream=True)
    reader = dialect.stream(request, "text/event-stream")
    reader.feed(sample("openai-responses.stream.sse").split(b"event: response.output_text.done")[0])
    event = json.loads(reader.cut(UpstreamFailed("It broke off."), "r1").split(b"data: ")[1])
    assert (event["type"], event["sequence_number"]) == ("response.failed", 5)
    assert event["response"]["error"] == {"code": "server_error", "message": "It broke off."}
