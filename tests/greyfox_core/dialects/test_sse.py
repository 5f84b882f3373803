"""Server-sent events pass as they came, split anywhere; a reader that withholds gives whole events."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.dialects import sse
from greyfox_core.dialects.sse import (
    SseReader,
    all_said,
    data_of,
    last_boundary,
    loaded,
    next_boundary,
    said_under,
    split,
)
from greyfox_core.errors import Refused, UpstreamFailed


class Noting(SseReader):
    """Notes every event's data, and withholds those that say so."""

    def __init__(self, *, withholds: bool) -> None:
        super().__init__(withholds=withholds)
        self.noted: list[bytes] = []

    @property
    def cacheable(self) -> bool:
        return self.complete

    def matters(self, block: bytes) -> bool:
        return True

    def read(self, data: bytes) -> bool:
        if data:
            self.noted.append(data)
        return self._withholds and data == b"secret"

    def text_in(self, events: bytes) -> str:
        return events.decode(errors="replace")

    def error_event(self, error: Refused, request_id: str) -> bytes:
        return b"data: error\n\n"


PIECES = st.lists(
    st.sampled_from(
        [
            b"data: one",
            b"data: secret",
            b"data:two",
            b": comment",
            b"event: x",
            b"\n",
            b"\r\n",
            b"\n\n",
            b"\r\n\r\n",
            b"\r",
        ]
    )
    | st.binary(max_size=4),
    max_size=25,
)


@given(PIECES, st.lists(st.integers(0, 200)))
def test_what_never_withholds_never_changes_a_byte(pieces: list[bytes], places: list[int]) -> None:
    data = b"".join(pieces)
    cuts = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    reader = Noting(withholds=False)
    passed = [reader.feed(data[a:b]) for a, b in itertools.pairwise(cuts)]
    assert b"".join([*passed, reader.finish()]) == data
    assert all(len(one) == b - a for one, (a, b) in zip(passed, itertools.pairwise(cuts), strict=False))  # at once


@given(PIECES, st.lists(st.integers(0, 200)))
def test_events_are_the_same_however_they_are_split(pieces: list[bytes], places: list[int]) -> None:
    data = b"".join(pieces)
    whole = Noting(withholds=True)
    expected = whole.feed(data) + whole.finish()
    cuts = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    reader = Noting(withholds=True)
    passed = b"".join(reader.feed(data[a:b]) for a, b in itertools.pairwise(cuts)) + reader.finish()
    assert (passed, reader.noted) == (expected, whole.noted)
    if b"secret" not in data:
        assert passed == data


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data: {}\r\n\r\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b"event: x\ndata: {}\nid: 1\n\n", b"{}"),
        (b"data: {\ndata: }\n\n", b"{\n}"),
        (b"data: 1\n:\n\n", b"1"),
        (b": comment\n\n", b""),
        (b"data\n\n", b""),
        (b"\n", b""),
        (b"data: [DONE]", b"[DONE]"),
    ],
)
def test_an_events_data(event: bytes, data: bytes) -> None:
    assert data_of(event) == data


def test_boundaries_are_blank_lines() -> None:
    block = b"a\n\nb\r\n\r\nc\n\r\nd"
    assert list(split(block)) == [b"a\n\n", b"b\r\n\r\n", b"c\n\r\n", b"d"]
    assert next_boundary(block, 0) == 3
    assert last_boundary(block, 0) == len(block) - 1
    assert last_boundary(b"a\nb", 0) == next_boundary(b"a\nb", 0) == 0


@pytest.mark.parametrize("withholds", [True, False])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_that_is_too_long_passes_unread_and_the_next_is_read(
    withholds: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 50)
    data = b"data: one\n\ndata: " + b"x" * 300 + b"\n\ndata: two\n\ndata: secret\n\n"
    reader = Noting(withholds=withholds)
    passed = b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size)) + reader.finish()
    assert passed == (data.replace(b"data: secret\n\n", b"") if withholds else data)
    if size < 50:
        assert reader.noted == [b"one", b"two", b"secret"]


def test_a_cut_says_so_between_events_only() -> None:
    error = UpstreamFailed("It broke off.")
    reader = Noting(withholds=False)
    reader.feed(b"data: one\n\n\n")
    assert reader.cut(error, "r") == b"data: error\n\n"
    reader.feed(b"data: t")
    assert reader.cut(error, "r") == b""
    holding = Noting(withholds=True)
    assert holding.feed(b"data: t") == b""
    assert holding.cut(error, "r") == b"data: error\n\n"


def test_what_cannot_be_read_is_an_empty_object() -> None:
    assert loaded(b'{"a":1}') == {"a": 1}
    assert loaded(b"[1]") == loaded(b"{") == loaded(b"") == {}


@given(st.lists(st.text(), max_size=5), st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
def test_the_texts_under_a_field_are_what_a_json_reader_finds(
    texts: list[str], blanks: tuple[str, str], ascii_only: bool
) -> None:
    events = "".join(
        json.dumps({"a": text, "b": f'"a":"{text}"', "c": [{"a": text}]}, separators=blanks, ensure_ascii=ascii_only)
        + "\n"
        for text in texts
    ).encode("utf-8", "surrogatepass")
    expected = "".join(text * 2 for text in texts)
    if not any("\ud800" <= sign <= "\udfff" for sign in expected):
        assert all_said(said_under("a", "z"), events) == expected


def test_texts_that_are_no_texts_are_shown_as_they_are() -> None:
    assert all_said(said_under("a"), b'{"a":"x\xff","a":"\\q"}') == "x\ufffd\\q"
    assert all_said(said_under("a"), b'{"a":"cut off') == ""
