"""The bytes of answers."""

import json

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.http1 import answers


def read(data: bytes, method: str = "POST") -> tuple[h11.Response, bytes, bool]:
    """What a strict client reads: the head, the body, and whether the connection may be used again."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "a"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    head = client.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        body += event.data
    assert client.trailing_data[0] == b""
    return head, body, client.their_state is h11.DONE


@given(st.binary(max_size=50), st.booleans())
def test_a_whole_answer(body: bytes, close: bool) -> None:
    data = answers.whole(200, [("x-a", "b"), ("x-a", "c")], body, to_head=False, close=close)

    head, received, again = read(data)

    assert (head.status_code, received, again) == (200, body, not close)
    assert [value for name, value in head.headers if name == b"x-a"] == [b"b", b"c"]


def test_an_answer_to_head_says_how_long_it_would_be() -> None:
    head, received, again = read(answers.whole(200, [], b"hello", to_head=True, close=False), "HEAD")

    assert (dict(head.headers)[b"content-length"], received, again) == (b"5", b"", True)


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    data = answers.whole(status, [("x-a", "b")], b"", to_head=False, close=False)

    assert b"content-length" not in data
    assert read(data)[1:] == (b"", True)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_an_answer_in_pieces(pieces: list[bytes]) -> None:
    data = answers.begun(200, [], close=False) + b"".join(map(answers.chunk, pieces)) + answers.LAST_CHUNK

    assert read(data)[1:] == (b"".join(pieces), True)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "greyfox_bad_request"), (408, "greyfox_timeout"), (431, "greyfox_too_large")]
)
def test_what_could_not_be_read_is_refused_in_words(status: int, code: str) -> None:
    head, body, again = read(answers.unreadable(status, "It is no HTTP.", "gfr_1"))

    assert (head.status_code, again) == (status, False)
    assert dict(head.headers)[b"x-greyfox-request-id"] == b"gfr_1"
    assert json.loads(body)["error"]["code"] == code


def test_every_status_has_a_reason() -> None:
    assert answers.reason(429) == "Too Many Requests"
    assert answers.reason(599) == "Unknown"
    assert answers.whole(599, [], b"", to_head=False, close=False).startswith(b"HTTP/1.1 599 Unknown\r\n")
