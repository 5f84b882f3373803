"""Chat completions: what is understood, what is refused, what goes upstream, what passes to the client."""

import json
from typing import Any

import pytest

from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import CHAT, asked, asked_raw, halves, read_in, sample, sent

PNG = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAB"  # 1024 x 1024


def test_the_least_request() -> None:
    _, request = asked(CHAT)
    assert (request.model, request.stream, request.choices, request.output_cap) == ("gpt-4o", False, 1, None)
    assert (request.output_floor, request.produces_output, request.wants_usage, request.unbounded) == (
        1,
        True,
        False,
        None,
    )


def test_caps_and_choices() -> None:
    _, request = asked(CHAT, max_tokens=50, n=3)
    assert (request.output_cap, request.choices) == (50, 3)
    _, request = asked(CHAT, max_completion_tokens=60, max_tokens=None)
    assert request.output_cap == 60


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": None},
        {"messages": "Hello"},
        {"messages": ["Hello"]},
        {"model": None},
        {"model": "gpt-*"},
        {"stream": "true"},
        {"n": 0},
        {"n": 1.5},
        {"max_tokens": 0},
        {"max_tokens": -1},
        {"max_tokens": "10"},
        {"max_tokens": 5, "max_completion_tokens": 5},
        {"stream_options": []},
        {"stream_options": {"include_usage": "yes"}},
    ],
)
def test_bodies_that_cannot_be_metered_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(CHAT, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"web_search_options": {}}, "web search"),
        ({"model": "gpt-4o-search-preview"}, "web search"),
        ({"tools": [{"type": "web_search"}]}, "hosted tools"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, "a stored file"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "stored audio"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, None),
    ],
)
def test_input_of_unknown_size_is_named(changes: dict[str, Any], reason: str | None) -> None:
    assert asked(CHAT, **changes)[1].unbounded == reason


def test_the_callers_own_bytes_go_up_where_nothing_has_to_change() -> None:
    assert sent(CHAT) is None
    assert sent(CHAT, max_tokens=7) is None
    assert sent(CHAT, max_tokens=7, cap=7) is None
    assert sent(CHAT, stream=True) is None
    assert sent(CHAT, usage=True) is None
    assert sent(CHAT, stream=True, stream_options={"include_usage": True}, usage=True) is None


def test_only_what_has_to_changes() -> None:
    assert sent(CHAT, temperature=0.5, strange={"x": 1}, model="gpt-5") == {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.5,
        "strange": {"x": 1},
    }


def test_a_cap_is_written_to_the_upstreams_field_and_no_other() -> None:
    body = sent(CHAT, max_tokens=900, cap=50)
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 50


def test_usage_is_asked_for_beside_other_stream_options() -> None:
    body = sent(CHAT, stream=True, stream_options={"include_obfuscation": False}, usage=True)
    assert body["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_azures_model_is_the_deployment_in_the_path() -> None:
    path = "/openai/deployments/sea/chat/completions"
    dialect, request = asked_raw(path, b'{"messages":[],"model":"gpt-4o"}', "api-version=1")
    assert request.model == "sea"
    body = dialect.prepare(request, model="lake", output_cap=None, cap_field="max_tokens", ask_usage=False)
    assert json.loads(body)["model"] == "lake"
    _, request = asked_raw(path, b'{"messages":[]}', "api-version=1")
    assert request.model == "sea"


# --- the prompt -------------------------------------------------------------------------------------


def test_a_short_message_costs_its_text_and_its_framing() -> None:
    dialect, request = asked(CHAT)
    prompt = dialect.prompt(request, "gpt-4o")
    assert (prompt.texts, prompt.overhead, prompt.media) == (("Hello",), 7, 0)


def test_everything_that_the_model_reads_is_counted_and_base64_never_as_text() -> None:
    messages = [
        {"role": "system", "content": "be kind", "name": "boss"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}},
                {"type": "input_audio", "input_audio": {"data": "A" * 8000, "format": "mp3"}},
            ],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}
    dialect, request = asked(CHAT, messages=messages, tools=[tool], response_format=schema)
    prompt = dialect.prompt(request, "gpt-4o")
    assert prompt.texts == (
        *("be kind", "boss", "look", "f", '{"a":1}', "42"),
        '{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}',
        '{"type":"json_schema","json_schema":{"name":"s","schema":{}}}',
    )
    assert prompt.overhead == 3 + 4 * 4 + 1 + 2 * 16
    assert prompt.media == (85 + 4 * 170) + 20  # four tiles; 6,000 bytes of sound are two seconds


def test_the_texts_that_rules_look_at() -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "text", "text": "four"}]},
        {"role": "developer", "content": "D"},
    ]
    dialect, request = asked(CHAT, messages=messages)
    assert dialect.last_user_text(request) == "three\nfour"
    assert dialect.system_text(request) == "S\nD"
    assert dialect.all_text(request) == "S\none\ntwo\nthree\nfour\nD"
    assert dialect.last_user_text(asked(CHAT, messages=[])[1]) == ""


# --- the cache --------------------------------------------------------------------------------------


def test_what_changes_no_answer_is_left_out_of_the_fingerprint() -> None:
    dialect, plain = asked(CHAT)
    _, same = asked(
        CHAT,
        user="a",
        metadata={"x": "y"},
        stream=True,
        stream_options={},
        store=False,
        service_tier="fast",
        safety_identifier="s",
        prompt_cache_key="k",
        prompt_cache_options={},
        prompt_cache_retention="24h",
    )
    assert dialect.fingerprint_fields(same) == dialect.fingerprint_fields(plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0},
        {"seed": 1},
        {"max_tokens": 5},
        {"tools": []},
        {"n": 2},
        {"new_field": 1},
        {"store": True},
        {"logprobs": True},
    ],
)
def test_everything_else_is_in_it(changes: dict[str, Any]) -> None:
    dialect, plain = asked(CHAT)
    assert dialect.fingerprint_fields(asked(CHAT, **changes)[1]) != dialect.fingerprint_fields(plain)


def test_marks_for_the_providers_prompt_cache_are_left_out_but_a_schemas_field_of_that_name_is_not() -> None:
    def with_mark(mark: dict[str, Any], schema: dict[str, Any]) -> Any:
        content = [{"type": "text", "text": "a", **mark}]
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": schema}}}]
        dialect, request = asked(CHAT, messages=[{"role": "user", "content": content}], tools=tools)
        return dialect.fingerprint_fields(request)

    marked = {"cache_control": {"type": "ephemeral"}, "prompt_cache_breakpoint": True}
    assert with_mark(marked, {}) == with_mark({}, {})
    assert with_mark({}, {"cache_control": {"type": "string"}}) != with_mark({}, {})


@pytest.mark.parametrize(
    ("changes", "cacheable"),
    [
        ({}, True),
        ({"store": False}, True),
        ({"store": True}, False),
        ({"web_search_options": {}}, False),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, False),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}
                ]
            },
            False,
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}, True),
    ],
)
def test_answers_that_depend_on_more_than_the_request_are_not_cached(changes: dict[str, Any], cacheable: bool) -> None:
    dialect, request = asked(CHAT, **changes)
    assert (dialect.uncacheable(request, stored_responses=False) is None) == cacheable


def test_the_operator_may_permit_stored_answers() -> None:
    dialect, request = asked(CHAT, store=True)
    assert dialect.uncacheable(request, stored_responses=True) is None


@pytest.mark.parametrize(
    ("choice", "whole"),
    [
        ({"finish_reason": "stop"}, True),
        ({"finish_reason": "tool_calls"}, True),
        ({"finish_reason": "length"}, False),
        ({"finish_reason": "content_filter"}, False),
        ({"finish_reason": None}, False),
        ({"finish_reason": "stop", "message": {"refusal": "no"}}, False),
    ],
)
def test_only_answers_that_finished_by_themselves_are_whole(choice: dict[str, Any], whole: bool) -> None:
    dialect, _ = asked(CHAT)
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    assert dialect.plain_complete({"choices": [choice], "usage": usage}) == whole
    assert not dialect.plain_complete({"choices": [choice], "usage": None})
    assert not dialect.plain_complete({"choices": [], "usage": usage})


def test_the_answers_text_is_all_that_was_generated() -> None:
    dialect, _ = asked(CHAT)
    call = {"function": {"name": "f", "arguments": "{}"}}
    message = {"content": "a", "reasoning_content": "b", "tool_calls": [call, {"custom": {"name": "g", "input": "i"}}]}
    assert dialect.output_text({"choices": [{"message": message}]}) == "a\nb\nf\n{}\ng\ni"


# --- streams ----------------------------------------------------------------------------------------


def test_the_usage_chunk_is_withheld_from_a_caller_who_did_not_ask_for_it() -> None:
    data = sample("openai-chat.stream.sse")
    events = data.split(b"\n\n")
    hidden = b"\n\n".join(event for event in events if b'"choices":[]' not in event)
    for pieces in halves(data):
        dialect, request = asked(CHAT, stream=True)
        reader = dialect.stream(request, "text/event-stream")
        assert read_in(reader, pieces) == hidden
        assert reader.usage is not None and reader.usage.output_total == 7
        assert reader.cacheable


def test_azures_first_chunk_has_no_choices_either_and_passes() -> None:
    data = sample("compat-azure.stream.sse")
    dialect, request = asked(CHAT, stream=True)
    passed = read_in(dialect.stream(request, "text/event-stream"), [data])
    assert b"prompt_filter_results" in passed
    assert b'"usage":{' not in passed


def test_nothing_is_withheld_where_usage_was_not_asked_for_on_the_callers_behalf() -> None:
    data = sample("openai-chat.stream.sse")
    dialect, request = asked(CHAT, stream=True)
    assert read_in(dialect.stream(request, "text/event-stream", usage_asked=False), [data]) == data


def test_bytes_wait_no_longer_than_their_event() -> None:
    dialect, request = asked(CHAT, stream=True)
    reader = dialect.stream(request, "text/event-stream")
    assert reader.feed(b'data: {"choices":[{"index":0') == b""
    assert (
        reader.feed(b',"delta":{"content":"a"}}]}\n\n: half a comm')
        == b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    )
    assert reader.finish() == b": half a comm"


def test_a_plain_answer_to_a_streamed_request_is_read_as_one() -> None:
    dialect, request = asked(CHAT, stream=True)
    reader = dialect.stream(request, "application/json; charset=utf-8")
    assert read_in(reader, [sample("openai-chat.plain.json")]) == sample("openai-chat.plain.json")
    assert reader.usage is not None and reader.cacheable
