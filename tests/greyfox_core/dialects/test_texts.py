"""What is text, what is counted otherwise, and what is silent."""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects.texts import Gathered, joined, objects, strings, text_of


def media_of(part: Mapping[str, Any]) -> int | None:
    return 100 if part.get("type") == "picture" else None


def test_unknown_fields_are_text_known_switches_are_not_and_base64_never_is() -> None:
    found = Gathered(media_of, overhead=1)
    found.add(
        [
            {"type": "invented", "id": "i1", "novelty": {"words": ["a", "b"]}, "number": 5, "empty": ""},
            {"type": "picture", "data": "A" * 4000},
            {"type": "redacted", "data": "A" * 40},
            {"type": "text", "data": "a text document"},
            {"type": "call", "name": "f", "input": {"type": "kept", "id": 7}, "arguments": "raw"},
        ]
    )
    found.add_definitions([{"name": "tool"}])
    prompt = found.prompt()
    assert prompt.texts == ("a", "b", "a text document", "f", '{"type":"kept","id":7}', "raw", '{"name":"tool"}')
    assert (prompt.overhead, prompt.media, prompt.tokens) == (17, 110, 0)


def test_opaque_lists_are_counted_and_other_opaque_values_are_not() -> None:
    found = Gathered(media_of)
    found.add({"data": ["AAAA", "AAAAA"], "signature": 5})
    assert found.prompt().media == 3


def test_a_messages_text() -> None:
    assert text_of("a") == "a"
    assert text_of([{"text": "a"}, "b", {"text": ""}, {"other": "c"}, {"text": 5}, None]) == "a\nb"
    assert text_of(None) == text_of({"text": "a"}) == ""


def test_reading_what_may_not_be_there() -> None:
    assert joined(["a", "", "b"]) == "a\nb"
    assert list(strings({"a": "x", "b": 5, "c": ""}, "a", "b", "c", "d")) == ["x"]
    assert list(strings(None, "a")) == []
    assert objects([{}, 1, None, {"a": 1}]) == [{}, {"a": 1}]
    assert objects({"a": 1}) == objects(None) == []
