"""Legacy completions: many prompts, many choices, and a default of 16 tokens."""

import json
from typing import Any

import pytest

from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import COMPLETIONS, asked, read_in, sent


@pytest.mark.parametrize(
    ("changes", "choices"),
    [
        ({}, 1),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1], [2, 3]], "n": 3}, 6),
        ({"n": 2, "best_of": 5}, 5),
        ({"prompt": None}, 1),
    ],
)
def test_every_prompt_has_its_choices(changes: dict[str, Any], choices: int) -> None:
    assert asked(COMPLETIONS, **changes)[1].choices == choices


def test_a_request_without_a_cap_has_the_apis_default_and_says_so() -> None:
    assert asked(COMPLETIONS)[1].output_cap == 16
    assert sent(COMPLETIONS)["max_tokens"] == 16
    assert sent(COMPLETIONS, max_tokens=100) is None
    assert sent(COMPLETIONS, max_tokens=100, cap=40)["max_tokens"] == 40


@pytest.mark.parametrize(
    "changes", [{"prompt": [1, "a"]}, {"max_tokens": 0}, {"best_of": 0}, {"model": ""}, {"prompt": []}]
)
def test_bodies_that_cannot_be_metered_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(COMPLETIONS, **changes)


def test_the_prompt_is_texts_or_tokens() -> None:
    dialect, request = asked(COMPLETIONS, prompt=["a", "b"], suffix="c")
    assert dialect.prompt(request, "m").texts == ("a", "b", "c")
    assert dialect.prompt(asked(COMPLETIONS, prompt=[[1, 2], [3]])[1], "m").tokens == 3
    assert dialect.last_user_text(request) == dialect.all_text(request) == "a\nb"
    assert dialect.system_text(request) == ""


def test_a_stream_is_whole_when_each_answer_finished() -> None:
    def chunk(index: int, **fields: Any) -> bytes:
        return (
            b"data: "
            + json.dumps({"choices": [{"index": index, "text": "x", "finish_reason": "stop"}], **fields}).encode()
            + b"\n\n"
        )

    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    dialect, request = asked(COMPLETIONS, prompt=["a", "b"], n=1, best_of=4, stream=True)
    reader = dialect.stream(request, "text/event-stream")
    passed = read_in(reader, [chunk(0), chunk(1), usage, b"data: [DONE]\n\n"])
    assert usage not in passed
    assert reader.cacheable
    assert reader.received_text() == "xx"


def test_a_plain_answer() -> None:
    dialect, request = asked(COMPLETIONS)
    answer = {
        "choices": [{"text": "hi", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert dialect.plain_complete(answer)
    assert dialect.output_text(answer) == "hi"
    assert not dialect.plain_complete(answer | {"choices": [{"text": "hi", "finish_reason": "length"}]})
    reader = dialect.stream(request, "application/json")
    read_in(reader, [json.dumps(answer).encode()])
    assert reader.cacheable
    assert dialect.uncacheable(request, stored_responses=False) is None
    assert "user" not in dialect.fingerprint_fields(asked(COMPLETIONS, user="u")[1])
