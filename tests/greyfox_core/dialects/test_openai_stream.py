"""Streams of the servers that speak OpenAI's dialect, each with its own place for usage."""

import json
from typing import Any

import pytest

from greyfox_core.dialects.openai_stream import ChatReader
from greyfox_core.errors import UpstreamFailed
from greyfox_core.values.usage import Usage
from tests.greyfox_core.dialects.asked import read_in

DONE = b"data: [DONE]\n\n"
STATED = {"prompt_tokens": 5, "completion_tokens": 2}


def event(choice: Any = None, **fields: Any) -> bytes:
    chunk = {"choices": [choice] if choice else [], **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def said(text: str, index: int = 0, reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "finish_reason": reason}


def reader(choices: int = 1, withholds: bool = False) -> ChatReader:
    return ChatReader(choices=choices, withholds=withholds)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([event(said("a", reason="stop"), usage=STATED), DONE], id="on the last chunk with choices"),
        pytest.param([event(said("a", reason="stop")), event(x_groq={"usage": STATED}), DONE], id="x_groq"),
        pytest.param(
            [
                event(said("a"), usage={"prompt_tokens": 5, "completion_tokens": 1}),
                event(said("b", reason="stop"), usage=STATED),
                event(usage=None),
                DONE,
            ],
            id="a running total, then null",
        ),
        pytest.param([event(said("a", reason="stop")), event(usage=STATED), b"data:[DONE]"], id="no last blank line"),
    ],
)
@pytest.mark.parametrize("withholds", [True, False])
def test_the_latest_usage_counts_wherever_it_stands(stream: list[bytes], withholds: bool) -> None:
    read = reader(withholds=withholds)
    passed = read_in(read, stream)
    assert read.usage == Usage(5, 2)
    assert read.complete and read.cacheable
    for one in stream:
        assert one in passed or (withholds and one == event(usage=STATED))


def test_usage_on_a_chunk_with_choices_is_never_withheld() -> None:
    chunk = event(said("a", reason="stop"), usage=STATED)
    assert reader(withholds=True).feed(chunk) == chunk


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([event(said("a", reason="length"))], id="cut by length"),
        pytest.param([event(said("a", reason="content_filter"))], id="filtered"),
        pytest.param([event(said("a"))], id="not finished"),
        pytest.param([event({"index": 0, "delta": {"refusal": "no"}}), event(said("", reason="stop"))], id="refused"),
        pytest.param([event(said("a", reason="error"), error={"message": "x"})], id="error beside choices"),
    ],
)
def test_other_endings_are_not_stored(stream: list[bytes]) -> None:
    read = reader()
    read_in(read, [*stream, event(usage=STATED), DONE])
    assert not read.cacheable


def test_every_choice_must_have_finished() -> None:
    read = reader(choices=2)
    read_in(read, [event(said("a", 0, "stop")), event(usage=STATED), DONE])
    assert read.complete and not read.cacheable
    read = reader(choices=2)
    read_in(read, [event(said("a", 0, "stop")), event(said("b", 1, "tool_calls")), event(usage=STATED), DONE])
    assert read.cacheable


@pytest.mark.parametrize("error", [{"error": {"message": "x"}}, {"choices": [], "x_groq": {"error": "x"}}])
def test_an_error_inside_is_seen_and_no_done_after_it_heals(error: dict[str, Any]) -> None:
    read = reader()
    read_in(read, [b"data: " + json.dumps(error).encode() + b"\n\n", DONE])
    assert read.failed and not read.complete


def test_texts_that_look_like_figures_are_texts() -> None:
    read = reader(withholds=True)
    text = 'say {"usage":{"prompt_tokens":1}, "finish_reason":"stop", "error"} [DONE]'
    assert read_in(read, [event(said(text))]) == event(said(text))
    assert (read.usage, read.complete, read.failed) == (None, False, False)
    assert read.received_text() == text


def test_garbage_passes_and_changes_nothing() -> None:
    read = reader(withholds=True)
    garbage = b'<html>"usage"</html>\n\ndata: {"usage":\n\ndata: [1,"error"]\n\nid: 5\n\n'
    assert read_in(read, [garbage]) == garbage
    assert (read.usage, read.complete, read.failed) == (None, False, False)


def test_all_kinds_of_generated_text_are_received() -> None:
    read = reader()
    delta = {
        "content": "a",
        "reasoning": "b",
        "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}],
    }
    read.feed(event({"index": 0, "delta": delta}))
    read.feed(event({"index": 0, "text": "legacy"}))
    assert read.received_text() == "abf{legacy"


def test_a_cut_stream_ends_in_an_error_in_place_of_what_was_held_back() -> None:
    read = reader(withholds=True)
    read.feed(b'data: {"choi')
    assert b'"code":"greyfox_upstream_failed"' in read.cut(UpstreamFailed("It broke off."), "r1")
    read = reader(withholds=False)
    read.feed(b'data: {"choi')
    assert read.cut(UpstreamFailed("It broke off."), "r1") == b""
