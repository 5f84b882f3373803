"""Ollama: streams unless told otherwise, and caps of -1 and -2 are none."""

import json
from typing import Any

import pytest

from greyfox_core.dialects.ollama import OllamaReader
from greyfox_core.errors import BadRequest, UpstreamFailed
from greyfox_core.values.usage import Usage
from tests.greyfox_core.dialects.asked import OLLAMA_CHAT, asked, asked_raw, read_in, sample, sent

GENERATE = "/api/generate"
EMBED = "/api/embed"


def test_a_request_streams_unless_told_otherwise() -> None:
    assert asked(OLLAMA_CHAT)[1].stream
    assert not asked(OLLAMA_CHAT, stream=False)[1].stream
    assert asked(GENERATE, model="m", prompt="x")[1].stream
    _, request = asked(EMBED, model="m", input=["x"])
    assert (request.stream, request.produces_output) == (False, False)


@pytest.mark.parametrize(
    ("given", "cap"),
    [({}, None), (None, None), ({"num_predict": -1}, None), ({"num_predict": -2}, None), ({"num_predict": 9}, 9)],
)
def test_caps(given: Any, cap: int | None) -> None:
    assert asked(OLLAMA_CHAT, options=given)[1].output_cap == cap


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (OLLAMA_CHAT, {"options": {"num_predict": 0}}),
        (OLLAMA_CHAT, {"options": {"num_predict": -3}}),
        (OLLAMA_CHAT, {"options": {"num_predict": "9"}}),
        (OLLAMA_CHAT, {"options": []}),
        (OLLAMA_CHAT, {"messages": "Hello"}),
        (OLLAMA_CHAT, {"stream": "false"}),
        (OLLAMA_CHAT, {"model": None}),
        (GENERATE, {"model": "m", "prompt": ["x"]}),
        (GENERATE, {"model": "m", "system": 5}),
        (EMBED, {"input": None}),
    ],
)
def test_bodies_that_cannot_be_metered_are_refused(path: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(path, **changes)


def test_a_cap_goes_into_the_options() -> None:
    assert sent(OLLAMA_CHAT) is None
    assert sent(OLLAMA_CHAT, cap=5)["options"] == {"num_predict": 5}
    assert sent(OLLAMA_CHAT, cap=5, options={"seed": 1, "num_predict": -1})["options"] == {"seed": 1, "num_predict": 5}
    assert sent(OLLAMA_CHAT, model="other")["model"] == "other"
    assert sent(EMBED, cap=5) is None


def test_everything_that_the_model_reads_is_counted_and_base64_never_as_text() -> None:
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "look", "images": ["AAAA", "AAAA"]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
        },
    ]
    dialect, request = asked(OLLAMA_CHAT, messages=messages, format={"type": "object"}, tools=[{"type": "function"}])
    prompt = dialect.prompt(request, "qwen2.5vl")
    assert prompt.texts == ("be kind", "look", "hm", "f", '{"a":1}', '{"type":"function"}', '{"type":"object"}')
    assert prompt.overhead == 3 * 10 + 2 * 16
    assert prompt.media == 2 * 16_384


def test_generate_counts_its_texts_and_an_earlier_answers_context() -> None:
    dialect, request = asked(GENERATE, model="m", prompt="p", system="s", context=[1, 2, 3], images=["AAAA"])
    prompt = dialect.prompt(request, "llava")
    assert (prompt.texts, prompt.tokens, prompt.media) == (("p", "s"), 3, 16_384)
    assert dialect.last_user_text(request) == "p"
    assert dialect.system_text(request) == "s"
    assert dialect.all_text(request) == "s\np"
    assert dialect.uncacheable(request, stored_responses=False)


def test_embed_counts_its_input() -> None:
    dialect, request = asked(EMBED, model="m", input=["a", "b"])
    assert dialect.prompt(request, "m").texts == ("a", "b")
    assert dialect.last_user_text(request) == dialect.all_text(request) == "a\nb"
    reader = dialect.stream(request, "application/json")
    read_in(reader, [b'{"embeddings":[[1]],"prompt_eval_count":4}'])
    assert (reader.usage, reader.cacheable) == (Usage(4), True)
    assert dialect.usage({"embeddings": [[1]]}) is None


def test_the_texts_that_rules_look_at() -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
    ]
    dialect, request = asked(OLLAMA_CHAT, messages=messages)
    assert dialect.last_user_text(request) == "one"
    assert dialect.system_text(request) == "S"
    assert dialect.all_text(request) == "S\none\ntwo"


def test_where_a_model_runs_is_not_in_the_fingerprint_what_it_is_told_is() -> None:
    dialect, plain = asked(OLLAMA_CHAT, options={"seed": 1})
    _, same = asked(
        OLLAMA_CHAT, options={"seed": 1, "num_gpu": 2, "num_thread": 4, "use_mmap": True}, keep_alive="5m", stream=False
    )
    assert dialect.fingerprint_fields(plain) == dialect.fingerprint_fields(same)
    assert dialect.fingerprint_fields(plain) != dialect.fingerprint_fields(asked(OLLAMA_CHAT, options={"seed": 2})[1])
    assert dialect.uncacheable(plain, stored_responses=False) is None


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def test_a_load_costs_nothing() -> None:
    reader = OllamaReader()
    read_in(reader, [line(message={"content": ""}, done=True, done_reason="load")])
    assert (reader.usage, reader.complete, reader.cacheable) == (Usage(), True, False)


def test_an_answer_cut_by_length_is_not_stored() -> None:
    reader = OllamaReader()
    read_in(reader, [line(done=True, done_reason="length", prompt_eval_count=4, eval_count=2)])
    assert reader.usage == Usage(4, 2)
    assert not reader.cacheable


def test_an_output_count_that_is_left_out_is_zero_only_where_nothing_was_said() -> None:
    last = line(done=True, done_reason="stop", prompt_eval_count=4)
    reader = OllamaReader()
    read_in(reader, [last])
    assert reader.usage == Usage(4, 0)
    reader = OllamaReader()
    read_in(reader, [line(response="hi", done=False), last])
    assert (reader.usage, reader.input_known) == (None, 4)


def test_a_cut_stream_ends_in_an_error_line_unless_half_a_line_has_passed() -> None:
    reader = OllamaReader()
    reader.feed(line(response="hi", done=False))
    assert json.loads(reader.cut(UpstreamFailed("It broke off."), "r1"))["error"] == "It broke off."
    reader.feed(b'{"resp')
    assert reader.cut(UpstreamFailed("It broke off."), "r1") == b""


def test_a_plain_answer() -> None:
    dialect, request = asked(OLLAMA_CHAT, stream=False)
    reader = dialect.stream(request, "application/json")
    read_in(reader, [sample("ollama.usage.json")])
    assert reader.usage == Usage(1024, 210, 960)
    assert reader.cacheable
    assert reader.received_text() == "Count them.Forty-two boats."
    answer = {"message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}}
    assert dialect.output_text(answer) == 'f{"a":1}'
    assert asked_raw(GENERATE, b'{"model":"m"}')[1].model == "m"  # no prompt: load the model
