"""Streams of messages: figures overwrite, they never add."""

import json
from typing import Any

import pytest

from greyfox_core.dialects.anthropic_stream import MessageReader
from greyfox_core.errors import UpstreamFailed
from greyfox_core.values.usage import Usage
from tests.greyfox_core.dialects.asked import read_in


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def start(**usage: Any) -> bytes:
    return event("message_start", message={"usage": usage})


def delta(reason: str | None = "end_turn", **usage: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage)


STOP = event("message_stop")


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(
            [start(input_tokens=25, output_tokens=1), delta(input_tokens=25, output_tokens=15)],
            Usage(25, 15),
            id="the delta repeats the input",
        ),
        pytest.param(
            [start(input_tokens=25, output_tokens=1), delta(output_tokens=15)], Usage(25, 15), id="output only"
        ),
        pytest.param(
            [
                start(input_tokens=100, output_tokens=1),
                delta(input_tokens=20, cache_read_input_tokens=80, output_tokens=9),
            ],
            Usage(100, 9, input_cached_read=80),
            id="the delta splits the cache off",
        ),
        pytest.param(
            [
                start(input_tokens=20, cache_read_input_tokens=80, output_tokens=1),
                delta(input_tokens=0, output_tokens=9),
            ],
            Usage(100, 9, input_cached_read=80),
            id="zeros say nothing",
        ),
        pytest.param(
            [start(input_tokens=5, output_tokens=1), delta(None, output_tokens=3), delta(output_tokens=7)],
            Usage(5, 7),
            id="the last delta wins",
        ),
        pytest.param(
            [
                start(input_tokens=5, output_tokens=1),
                delta(output_tokens=7),
                event("message_delta", delta={}, usage=None),
            ],
            Usage(5, 7),
            id="null erases nothing",
        ),
        pytest.param(
            [
                start(input_tokens=5, output_tokens=1),
                delta(output_tokens=7, output_tokens_details={"thinking_tokens": 4}),
            ],
            Usage(5, 7, output_reasoning=4),
            id="thinking",
        ),
        pytest.param(
            [
                start(input_tokens=5, output_tokens=1),
                delta(output_tokens=7, iterations=[{"type": "compaction", "input_tokens": 50, "output_tokens": 10}]),
            ],
            Usage(55, 17),
            id="a compaction beside",
        ),
        pytest.param([start(input_tokens=5, output_tokens=1)], None, id="no delta"),
        pytest.param([delta(output_tokens=7)], None, id="no start"),
    ],
)
def test_usage(stream: list[bytes], expected: Usage | None) -> None:
    reader = MessageReader()
    read_in(reader, [*stream, STOP])
    assert reader.usage == expected
    assert reader.complete


@pytest.mark.parametrize("reason", ["max_tokens", "pause_turn", "refusal", None])
def test_other_endings_are_not_stored(reason: str | None) -> None:
    reader = MessageReader()
    read_in(reader, [start(input_tokens=5, output_tokens=1), delta(reason, output_tokens=2), STOP])
    assert reader.complete and not reader.cacheable


def test_without_its_stop_a_message_is_not_complete() -> None:
    reader = MessageReader()
    read_in(reader, [start(input_tokens=5, output_tokens=1), delta(output_tokens=2)])
    assert not reader.complete and not reader.cacheable


def test_the_text_so_far_is_text_thinking_and_tool_input() -> None:
    reader = MessageReader()
    reader.feed(event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}))
    reader.feed(event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm "}))
    reader.feed(event("content_block_start", index=1, content_block={"type": "tool_use", "name": "f", "input": {}}))
    reader.feed(event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"a"'}))
    reader.feed(event("content_block_delta", index=2, delta={"type": "text_delta", "text": " message_stop"}))
    assert reader.received_text() == 'hm f{"a" message_stop'
    assert not reader.complete


def test_a_cut_stream_ends_in_an_error_event_unless_half_an_event_has_passed() -> None:
    reader = MessageReader()
    reader.feed(start(input_tokens=5, output_tokens=1))
    assert reader.cut(UpstreamFailed("It broke off."), "r1").startswith(b"event: error\ndata: {")
    reader.feed(b"event: content_bl")
    assert reader.cut(UpstreamFailed("It broke off."), "r1") == b""
