"""Gemini's streams in both framings: running totals, whole when every candidate has its reason."""

import json
from typing import Any

import pytest

from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.gemini_stream import GeminiArrayReader, GeminiSseReader
from greyfox_core.errors import UpstreamFailed
from greyfox_core.values.usage import Usage
from tests.greyfox_core.dialects.asked import each_byte, read_in, sample


def chunk(text: str = "a", reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}]}, "index": index}
    return {"candidates": [candidate | ({"finishReason": reason} if reason else {})], **fields}


def used(prompt: int, candidates: int) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": candidates}}


def sse(chunks: list[Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)


def array(chunks: list[Any]) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(one, indent=1).encode() for one in chunks) + b"\n]"


def read(framing: str, chunks: list[Any], choices: int = 1) -> StreamReader:
    reader: StreamReader = GeminiSseReader(choices) if framing == "sse" else GeminiArrayReader(choices)
    data = sse(chunks) if framing == "sse" else array(chunks)
    assert read_in(reader, each_byte(data)) == data
    return reader


both = pytest.mark.parametrize("framing", ["sse", "array"])


@both
def test_the_last_total_wins_and_a_chunk_without_one_erases_nothing(framing: str) -> None:
    reader = read(framing, [chunk(**used(9, 1)), chunk(**used(9, 4)), chunk("b", "STOP")])
    assert (reader.usage, reader.input_known) == (Usage(9, 4), 9)
    assert reader.complete and reader.cacheable
    assert (reader.received_text(), reader.received_chars()) == ("aab", 3)


@both
@pytest.mark.parametrize("reason", ["MAX_TOKENS", "SAFETY", "CONTINUATION", None])
def test_other_endings_are_not_stored(framing: str, reason: str | None) -> None:
    reader = read(framing, [chunk("a", reason, **used(9, 1))])
    assert reader.complete == (reason is not None)
    assert not reader.cacheable


@both
def test_every_candidate_must_have_finished(framing: str) -> None:
    assert not read(framing, [chunk("a", "STOP", 0, **used(9, 1))], choices=2).cacheable
    assert not read(framing, [chunk("a", "STOP", 0), chunk("a", None, 1, **used(9, 1))], choices=2).complete
    assert read(framing, [chunk("a", "STOP", 0), chunk("a", "STOP", 1, **used(9, 1))], choices=2).cacheable


@both
def test_a_blocked_prompt_is_a_whole_answer_that_is_not_stored(framing: str) -> None:
    reader = read(framing, [{"promptFeedback": {"blockReason": "SAFETY"}, **used(9, 0)}])
    assert reader.complete and not reader.cacheable
    assert reader.usage == Usage(9, 0)


@both
def test_an_error_inside_is_seen(framing: str) -> None:
    reader = read(framing, [chunk("a", "STOP", **used(9, 1)), {"error": {"code": 503}}])
    assert reader.failed and not reader.complete


def test_an_array_is_complete_only_with_its_bracket() -> None:
    reader = GeminiArrayReader(1)
    reader.feed(sample("gemini.stream-array.json").rstrip()[:-1])
    assert reader.usage == Usage(14, 6)
    assert not reader.complete and not reader.cacheable


def test_an_array_has_no_place_for_an_error_and_sse_has() -> None:
    assert GeminiArrayReader(1).cut(UpstreamFailed("It broke off."), "r1") == b""
    cut = GeminiSseReader(1).cut(UpstreamFailed("It broke off."), "r1")
    assert json.loads(cut.removeprefix(b"data: "))["error"]["code"] == 502


@both
def test_function_calls_and_thoughts_are_received_text(framing: str) -> None:
    parts = [
        {"text": "hm", "thought": True},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"executableCode": {"code": "x"}},
    ]
    assert read(framing, [{"candidates": [{"content": {"parts": parts}}]}]).received_text() == 'hmf{"a":1}x'
