"""What holds for every dialect, whatever it speaks."""

from dataclasses import fields

import orjson
import pytest

from greyfox_core.dialects.base import StreamReader
from greyfox_core.errors import BadRequest, UpstreamFailed
from greyfox_core.values.request import Prompt
from tests.greyfox_core.dialects.asked import LEAST, asked, asked_raw, sent

PATHS = sorted(LEAST)
every_path = pytest.mark.parametrize("path", PATHS)


@every_path
def test_a_body_that_is_no_object_is_refused(path: str) -> None:
    for body in (b"", b"[]", b"null", b"{", b'{"model":"a","model":"b"}', b"\xff"):
        with pytest.raises(BadRequest):
            asked_raw(path, body)


@every_path
def test_the_bytes_that_were_parsed_are_the_bytes_that_are_sent(path: str) -> None:
    body = b" " + orjson.dumps(LEAST[path] | {"max_tokens": 16, "unknown": [1.0, None]}) + b"\n"
    dialect, request = asked_raw(path, body)
    sent_up = dialect.prepare(
        request, model=request.model, output_cap=None, cap_field="max_completion_tokens", ask_usage=False
    )
    assert sent_up is body


@every_path
def test_a_request_is_left_as_it_was(path: str) -> None:
    _, before = asked(path)
    dialect, request = asked(path)
    dialect.prepare(request, model="other", output_cap=33, cap_field="max_tokens", ask_usage=True)
    dialect.fingerprint_fields(request)
    dialect.prompt(request, "gpt-4o")
    assert request == before


@every_path
def test_a_cap_that_is_set_is_the_cap_that_is_read(path: str) -> None:
    dialect, request = asked(path)
    body = dialect.prepare(request, model=request.model, output_cap=33, cap_field="max_tokens", ask_usage=False)
    again = dialect.parse(request.endpoint, body, max_depth=64)
    assert again.output_cap == (33 if dialect.can_cap(request) else None)


@every_path
def test_one_word_costs_its_text_and_little_else(path: str) -> None:
    dialect, request = asked(path)
    prompt = dialect.prompt(request, "gpt-4o")
    assert "Hello" in prompt.texts
    assert prompt.overhead <= 20
    assert {field.name for field in fields(Prompt)} == {"texts", "overhead", "media", "tokens"}
    assert dialect.last_user_text(request) == dialect.all_text(request) == "Hello"
    assert dialect.system_text(request) == ""


@every_path
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "application/x-ndjson", "text/html"])
def test_whatever_comes_back_a_reader_passes_it_on(path: str, content_type: str) -> None:
    dialect, request = asked(path)
    reader: StreamReader = dialect.stream(request, content_type)
    data = b'<html>\n\n{"usage":-1}\r\n\r\ndata: "\xff"'
    assert b"".join([reader.feed(data[:9]), reader.feed(data[9:]), reader.finish()]) == data
    assert (reader.usage, reader.complete, reader.cacheable) == (None, False, False)
    assert isinstance(reader.received_text(), str)
    assert reader.received_chars() >= 0


@every_path
def test_a_reader_never_claims_what_has_not_come(path: str) -> None:
    dialect, request = asked(path)
    reader = dialect.stream(request, "text/event-stream")
    assert (reader.usage, reader.complete, reader.failed, reader.cacheable, reader.input_known) == (
        None,
        False,
        False,
        False,
        None,
    )
    assert (reader.received_text(), reader.received_chars()) == ("", 0)
    tail = reader.cut(UpstreamFailed("It broke off."), "r1")
    assert tail == b"" or b"It broke off." in tail


@every_path
def test_answers_of_any_shape_are_read_without_raising(path: str) -> None:
    dialect, _ = asked(path)
    for answer in (
        {},
        {"usage": [], "choices": {}, "output": 5, "content": "x", "candidates": [None], "message": "x", "data": 1},
        {"usage": {"prompt_tokens": {}}, "choices": [{"message": []}], "output": [{"content": 1}], "content": [5]},
        {"usageMetadata": "x", "candidates": [{"content": {"parts": "x"}}], "promptFeedback": [], "done": True},
    ):
        assert dialect.usage(answer) is None
        assert not dialect.plain_complete(answer)
        assert isinstance(dialect.output_text(answer), str)


def test_models_change_in_the_body_where_the_body_names_them() -> None:
    for path in PATHS:
        body = sent(path, model="other")
        assert body is None if "/models/" in path else body["model"] == "other"
