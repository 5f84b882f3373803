"""What the provider sends has the form of the wire samples, and the samples can be served byte for byte."""

import json
from typing import Any

import aiohttp
import pytest

from tests.kit.provider import Behaviour, Provider, ToolCall, sample, sample_index
from tests.kit.provider.behaviour import SAMPLES

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
MESSAGES = CHAT | {"model": "claude-sonnet-5-5", "max_tokens": 50}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}
VERSION = {"anthropic-version": "2026-10-21"}
ASKED = {"stream": True, "stream_options": {"include_usage": True}}

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat.plain.json": ("/v1/chat/completions", CHAT),
    "openai-responses.plain.json": ("/v1/responses", {"model": "gpt-5.4", "input": "hello", "store": False}),
    "openai-embeddings.plain.json": ("/v1/embeddings", {"model": "m", "input": "hello", "dimensions": 3}),
    "anthropic.plain.json": ("/v1/messages", MESSAGES),
    "gemini.plain.json": ("/v1beta/models/gemini-3.8-flash:generateContent", GEMINI),
    "ollama.plain.json": ("/api/chat", CHAT | {"stream": False}),
}
STREAMS: dict[str, tuple[str, dict[str, Any], Behaviour]] = {
    "openai-chat.stream.sse": ("/v1/chat/completions", CHAT | ASKED, Behaviour(output_tokens=2)),
    "openai-chat.stream-nousage.sse": ("/v1/chat/completions", CHAT | {"stream": True}, Behaviour(output_tokens=1)),
    "openai-responses.stream.sse": (
        "/v1/responses",
        {"model": "gpt-5.4", "input": "hello", "stream": True},
        Behaviour(output_tokens=1),
    ),
    "openai-responses.stream-tool.sse": (
        "/v1/responses",
        {"model": "gpt-5.4", "input": "hello", "stream": True},
        Behaviour(tool_calls=(ToolCall("tide_table", {"harbour": "Whitby"}),)),
    ),
    "anthropic.stream.sse": ("/v1/messages", MESSAGES | {"stream": True}, Behaviour(output_tokens=2)),
    "ollama.stream.ndjson": ("/api/chat", CHAT, Behaviour(output_tokens=2)),
    "gemini.stream.sse": (
        "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse",
        GEMINI,
        Behaviour(output_tokens=3),
    ),
    "gemini.stream-array.json": (
        "/v1beta/models/gemini-3.8-flash:streamGenerateContent",
        GEMINI,
        Behaviour(output_tokens=2),
    ),
}
# Fields that the samples have and a request may or may not bring about.
_NOT_ALWAYS = {"instructions", "metadata", "store"}


def form(node: Any) -> Any:
    """The skeleton of a JSON value: its names, in any order, without its values."""
    if isinstance(node, dict):
        return {name: form(value) for name, value in node.items() if name not in _NOT_ALWAYS}
    if isinstance(node, list):
        return [form(item) for item in node]
    return type(node).__name__ if not isinstance(node, int | float) else "number"


def events(body: bytes) -> list[tuple[str, Any]]:
    """(event line, skeleton of the data) of every event, comments and usual keep-alives left out."""
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = block.decode().splitlines()
        name = next((line for line in lines if line.startswith("event:")), "")
        data = next((line[6:] for line in lines if line.startswith("data: ")), None)
        if data is not None:
            found.append((name, data if data == "[DONE]" else form(json.loads(data))))
    return found


async def fetch(provider: Provider, path: str, body: dict[str, Any]) -> tuple[aiohttp.ClientResponse, bytes]:
    async with aiohttp.ClientSession() as session, session.post(provider.url + path, json=body, headers=VERSION) as got:
        return got, await got.read()


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_plain_answer_has_the_samples_fields(name: str, provider: Provider) -> None:
    path, asked = REQUESTS[name]
    _, body = await fetch(provider, path, asked)

    assert form(json.loads(body)) == form(json.loads((SAMPLES / name).read_bytes()))
    assert bytes(provider.requests[0].sent) == body


@pytest.mark.parametrize("name", [name for name in STREAMS if name.endswith(".sse") and "gemini" not in name])
async def test_a_stream_has_the_samples_events_in_their_order(name: str, provider: Provider) -> None:
    path, asked, behaviour = STREAMS[name]
    provider.once(behaviour)
    got, body = await fetch(provider, path, asked)

    sent, wanted = events(body), events((SAMPLES / name).read_bytes())
    if "stream-tool" in name:  # the sample is shortened by this one
        sent = [event for event in sent if event[0] != "event: response.in_progress"]
    assert sent == wanted
    assert got.content_type == "text/event-stream"
    assert bytes(provider.requests[0].sent) == body


async def test_geminis_stream_uses_crlf_and_no_names(provider: Provider) -> None:
    path, asked, behaviour = STREAMS["gemini.stream.sse"]
    provider.once(behaviour)
    _, body = await fetch(provider, path, asked)

    chunks = body.split(b"\r\n\r\n")
    assert chunks.pop() == b"" and len(chunks) == 3 and all(chunk.startswith(b"data: {") for chunk in chunks)
    last = json.loads(chunks[-1][6:])
    assert last["candidates"][0]["finishReason"] == "STOP" and last["usageMetadata"]["candidatesTokenCount"] == 3


async def test_geminis_array_is_one_json_value(provider: Provider) -> None:
    path, asked, behaviour = STREAMS["gemini.stream-array.json"]
    provider.once(behaviour)
    got, body = await fetch(provider, path, asked)

    assert [len(chunk["candidates"]) for chunk in json.loads(body)] == [1, 1]
    assert got.content_type == "application/json"


async def test_ollamas_stream_is_a_line_a_piece(provider: Provider) -> None:
    path, asked, behaviour = STREAMS["ollama.stream.ndjson"]
    provider.once(behaviour)
    got, body = await fetch(provider, path, asked)

    lines = [form(json.loads(line)) for line in body.splitlines()]
    assert lines == [form(json.loads(line)) for line in (SAMPLES / "ollama.stream.ndjson").read_bytes().splitlines()]
    assert got.content_type == "application/x-ndjson"


@pytest.mark.parametrize("name", sorted(sample_index()))
async def test_a_sample_is_served_byte_for_byte_and_billed_as_indexed(name: str, provider: Provider) -> None:
    about = sample_index()[name]
    provider.once(sample(name))
    path, asked = REQUESTS["openai-chat.plain.json"]
    got, body = await fetch(provider, path, asked)

    assert body == (SAMPLES / name).read_bytes()
    assert (got.status, got.headers["content-type"]) == (about["status"], about["content_type"])
    usage = about["usage"] or {"input_total": 0, "output_total": 0}
    bill = provider.bill()
    assert (bill.input_tokens, bill.output_tokens) == (usage["input_total"], usage["output_total"])


async def test_answers_carry_what_a_gateway_must_not_hand_on(provider: Provider) -> None:
    got, _ = await fetch(provider, "/v1/chat/completions", CHAT)

    assert got.headers["openai-organization"] and got.headers["set-cookie"] and got.headers["x-request-id"]


async def test_ids_are_never_repeated_while_words_are(provider: Provider) -> None:
    first = json.loads((await fetch(provider, "/v1/chat/completions", CHAT))[1])
    second = json.loads((await fetch(provider, "/v1/chat/completions", CHAT))[1])

    assert first["id"] != second["id"]
    assert first["choices"] == second["choices"]
