import json

import pytest

from bench.replies import SIZE, held_back, holding, plain_answer, stream_answer


@pytest.mark.parametrize("microseconds", [0, 1, 1_234_567])
def test_a_plain_answer_tells_for_how_long_it_was_held_back(microseconds: int) -> None:
    head, _, content = held_back(plain_answer(), microseconds).partition(b"\r\n\r\n")
    assert b"content-length: %d" % SIZE in head
    assert len(content) == SIZE
    assert json.loads(content)["usage"]["completion_tokens"] == 50
    assert holding(content) == microseconds


def test_a_body_that_does_not_say_was_not_held_back() -> None:
    assert holding(b"{}") == 0


@pytest.mark.parametrize("events", [1, 50, 500])
def test_a_stream_has_as_many_words_as_events_were_asked_for(events: int) -> None:
    pieces = stream_answer(events)
    assert sum(b" word" in piece for piece in pieces) == events
    assert pieces[0].startswith(b"HTTP/1.1 200")
    assert pieces[-2:] == (b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n")
