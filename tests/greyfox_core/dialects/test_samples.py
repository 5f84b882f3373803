"""Every sample answer states what its index says, whole and split anywhere, and reaches the client unchanged."""

import json
from typing import Any

import pytest

from greyfox_core.values.usage import Usage
from tests.greyfox_core.dialects.asked import LEAST, asked, asked_raw, each_byte, halves, read_in, sample
from tests.kit.provider.behaviour import sample_index

INDEX = sample_index()
GOOD = sorted(name for name, about in INDEX.items() if about["status"] == 200)


def reader_for(name: str) -> Any:
    about = INDEX[name]
    path, _, query = about["endpoint"].partition("?")
    streamed = "stream" in name
    wanted: dict[str, Any] = {}
    if path.startswith(("/v1/", "/api/", "/openai/")):
        wanted["stream"] = streamed
    if "chat/completions" in path and streamed:
        wanted["stream_options"] = {"include_usage": True}
    least = LEAST.get(path) or (LEAST["/v1/chat/completions"] if "chat" in path else {"contents": []})
    dialect, request = asked_raw(path, json.dumps(least | wanted).encode(), query)
    return dialect.stream(request, about["content_type"])


@pytest.mark.parametrize("name", GOOD)
def test_the_usage_is_what_the_index_says(name: str) -> None:
    reader = reader_for(name)
    passed = read_in(reader, [sample(name)])
    stated = INDEX[name]["usage"]
    assert reader.usage == (Usage(**stated) if stated else None)
    assert passed == sample(name)


@pytest.mark.parametrize("name", GOOD)
def test_it_does_not_matter_where_the_answer_is_split(name: str) -> None:
    whole = reader_for(name)
    read_in(whole, [sample(name)])
    known = (whole.usage, whole.complete, whole.failed, whole.cacheable, whole.input_known, whole.received_text())
    for pieces in [each_byte(sample(name)), *halves(sample(name))]:
        reader = reader_for(name)
        assert read_in(reader, pieces) == sample(name)
        now = (
            reader.usage,
            reader.complete,
            reader.failed,
            reader.cacheable,
            reader.input_known,
            reader.received_text(),
        )
        assert now == known


@pytest.mark.parametrize("name", [name for name in GOOD if "stream" in name])
def test_a_stream_is_complete_unless_it_ends_in_an_error(name: str) -> None:
    reader = reader_for(name)
    read_in(reader, [sample(name)])
    assert reader.failed == ("error" in name)
    assert reader.complete == ("error" not in name)


def test_only_whole_answers_with_usage_may_be_stored() -> None:
    may = set()
    for name in GOOD:
        reader = reader_for(name)
        read_in(reader, [sample(name)])
        if reader.cacheable:
            may.add(name)
    not_whole = {
        "openai-chat.stream-nousage.sse",
        "openai-responses.stream-incomplete.sse",
        "ollama.stream-nocount.ndjson",
    }
    assert may == set(GOOD) - not_whole - {name for name in GOOD if "error" in name}


@pytest.mark.parametrize("name", [name for name in GOOD if INDEX[name]["content_type"] == "text/event-stream"])
def test_line_ends_may_be_lf_or_crlf(name: str) -> None:
    lf = sample(name).replace(b"\r\n", b"\n")
    for data in (lf, lf.replace(b"\n", b"\r\n")):
        reader = reader_for(name)
        assert read_in(reader, each_byte(data)) == data
        assert (reader.usage is None) == (INDEX[name]["usage"] is None)


@pytest.mark.parametrize("name", [name for name in GOOD if "stream" in name])
def test_the_text_so_far_is_there_when_somebody_hangs_up(name: str) -> None:
    reader = reader_for(name)
    read_in(reader, [sample(name)])
    silent = {
        "openai-responses.stream-error.sse",
        "openai-responses.stream-incomplete.sse",
        "anthropic.stream-error.sse",
    }
    assert bool(reader.received_text()) == (name not in silent)
    assert reader.received_chars() == len(reader.received_text())


def test_the_input_is_known_where_only_the_start_of_a_message_has_come() -> None:
    dialect, request = asked("/v1/messages", stream=True)
    reader = dialect.stream(request, "text/event-stream")
    reader.feed(sample("anthropic.stream-error.sse").split(b"event: error")[0])
    assert (reader.usage, reader.input_known) == (None, 25)
