"""Requests as they arrive in any pieces; and whatever two readers could read differently, which is nobody's here."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.http1.requests import FOREIGN, BadBody, Foreign, Head, RequestReader, TooLong

LINE = b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: gateway:8080\r\n"


def reader(known: dict[bytes, Head] | None = None, *, max_head: int = 1_000, max_body: int = 1_000) -> RequestReader:
    return RequestReader(max_head, max_body, {} if known is None else known)


def first(data: bytes, **options: Any) -> Head | Foreign | None:
    """The head that these bytes begin with."""
    one = reader(**options)
    one.feed(data)
    return one.head()


def all_of(
    data: bytes, cuts: list[int], known: dict[bytes, Head] | None = None
) -> tuple[list[tuple[Head, bytes]], bytes]:
    """Every request in `data`, arriving in these pieces, and what is left over."""
    one = reader(known)
    found: list[tuple[Head, bytes]] = []
    head: Head | Foreign | None = None
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(places):
        one.feed(data[start:end])
        while True:
            head = head or one.head()
            if not isinstance(head, Head):
                break
            body = one.body()
            if body is None:
                break
            found.append((head, body))
            head = None
    return found, one.rest()


def request(body: bytes, chunks: list[int] | None) -> bytes:
    """A request with this body, with a length or in chunks of these sizes."""
    if chunks is None:
        return LINE + b"content-length: %d\r\n\r\n%b" % (len(body), body)
    framed, at = b"", 0
    for size in [*chunks, len(body)]:
        piece = body[at : at + size]
        at += len(piece)
        framed += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    return LINE + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


bodies = st.lists(
    st.tuples(st.binary(max_size=60), st.none() | st.lists(st.integers(1, 20), max_size=4)), min_size=1, max_size=4
)


@given(bodies, st.lists(st.integers(1, 900), max_size=12), st.booleans())
def test_requests_are_the_same_in_whatever_pieces_they_arrive(
    sent: list[tuple[bytes, list[int] | None]], cuts: list[int], remembered: bool
) -> None:
    known: dict[bytes, Head] = {}
    if remembered:
        for body, chunks in sent:
            head = first(request(body, chunks))
            assert isinstance(head, Head)
            known[head.raw] = head
    data = b"".join(request(body, chunks) for body, chunks in sent)

    found, left = all_of(data, cuts, known)

    assert [body for _, body in found] == [body for body, _ in sent]
    assert [head.length for head, _ in found] == [None if chunks is not None else len(body) for body, chunks in sent]
    assert left == b""


def test_a_head_as_it_came() -> None:
    head = first(LINE + b"X-Two: a\r\nx-two:  b\t\r\nAuthorization: Bearer caf\xe9\r\nConnection: close\r\n\r\n")

    assert isinstance(head, Head)
    assert (head.method, head.path, head.query) == ("POST", "/v1/chat/completions", "a=b")
    assert head.fields == (
        ("host", "gateway:8080"),
        ("x-two", "a"),
        ("x-two", "b"),
        ("authorization", "Bearer café"),
        ("connection", "close"),
    )
    assert (head.length, head.expects, head.keep_alive) == (0, False, False)


def test_a_client_may_wait_to_be_asked_for_the_body() -> None:
    head = first(LINE + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")

    assert isinstance(head, Head)
    assert (head.expects, head.length) == (True, 5)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n\r\n", id="connect"),
        pytest.param(b"GET http://host/ HTTP/1.1\r\nHost: host\r\n\r\n", id="absolute-form"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: host\r\n\r\n", id="asterisk-form"),
        pytest.param(b"GET / HTTP/1.0\r\nHost: host\r\n\r\n", id="http-1.0"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: host\r\n\r\n", id="http-2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2-preface"),
        pytest.param(b"GET /\r\n", id="http-0.9"),
        pytest.param(b"get / HTTP/1.1\r\nHost: host\r\n\r\n", id="lower-case-method"),
        pytest.param(b"FOX / HTTP/1.1\r\nHost: host\r\n\r\n", id="unknown-method"),
        pytest.param(b"GET  / HTTP/1.1\r\nHost: host\r\n\r\n", id="two-spaces"),
        pytest.param(b"GET /\xe9 HTTP/1.1\r\nHost: host\r\n\r\n", id="target-not-ascii"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\nHost: host\r\n\r\n", id="empty-line-first"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(LINE + b"Host: other\r\n\r\n", id="two-hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", id="host-with-path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", id="host-with-user"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", id="port-too-high"),
        pytest.param(LINE + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", id="websocket"),
        pytest.param(LINE + b"Upgrade: h2c\r\n\r\n", id="upgrade-alone"),
        pytest.param(LINE + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", id="two-lengths"),
        pytest.param(LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="length-and-chunks"),
        pytest.param(LINE + b"Content-Length: +5\r\n\r\n", id="signed-length"),
        pytest.param(LINE + b"Content-Length: 05\r\n\r\n", id="leading-zero"),
        pytest.param(LINE + b"Content-Length: 5,5\r\n\r\n", id="length-list"),
        pytest.param(LINE + b"Content-Length: 99999999999999999999\r\n\r\n", id="length-too-great"),
        pytest.param(LINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="two-codings"),
        pytest.param(LINE + b"Transfer-Encoding: identity\r\n\r\n", id="other-coding"),
        pytest.param(LINE + b"A: b\r\n c\r\n\r\n", id="folded"),
        pytest.param(LINE + b"A : b\r\n\r\n", id="space-before-colon"),
        pytest.param(LINE + b"A: b\nC: d\r\n\r\n", id="bare-line-feed"),
        pytest.param(LINE + b"A: b\rC: d\r\n\r\n", id="bare-carriage-return"),
        pytest.param(LINE + b"A: b\x00c\r\n\r\n", id="nul"),
        pytest.param(LINE + b"A\xe9: b\r\n\r\n", id="name-not-ascii"),
        pytest.param(LINE + b"A: " + b"b" * 1_000 + b"\r\n\r\n", id="too-long"),
        pytest.param(LINE + b"A: " + b"b" * 1_000, id="too-long-and-not-whole"),
        pytest.param(LINE + b"A: b\r\n" * 150 + b"\r\n", id="too-many-fields"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", id="tls"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="ssh"),
    ],
)
def test_what_is_not_plainly_ours_is_given_back_whole(data: bytes) -> None:
    one = reader(max_head=10_000 if b"A: b\r\nA: b" in data else 1_000)
    one.feed(data)

    assert one.head() is FOREIGN
    assert one.rest() == data


def test_a_head_that_has_begun_well_is_waited_for() -> None:
    one = reader()
    assert one.head() is None
    assert not one.begun
    one.feed(LINE[:9])
    assert one.head() is None
    assert one.begun


def test_a_known_head_is_taken_with_the_length_that_it_states_now() -> None:
    head = first(LINE + b"Content-Length: 5\r\n\r\n")
    assert isinstance(head, Head)

    again = first(LINE + b"Content-Length: 12\r\n\r\n", known={head.raw: head})

    assert isinstance(again, Head)
    assert (again.length, again.fields) == (12, head.fields)


@pytest.mark.parametrize("figures", [b"05", b"+5", b"5 ", b"", b"5,5", b"-1", b"0x5", b"9" * 17])
def test_a_known_head_states_its_length_as_strictly_as_any(figures: bytes) -> None:
    head = first(LINE + b"Content-Length: 5\r\n\r\n")
    assert isinstance(head, Head)
    data = LINE + b"Content-Length: " + figures + b"\r\n\r\n"

    again = first(data, known={head.raw: head})

    assert again is FOREIGN or (isinstance(again, Head) and figures == b"5 ")


def test_figures_in_another_field_are_no_length() -> None:
    head = first(LINE + b"A: content-length: 7\r\nContent-Length: 5\r\n\r\n")
    assert isinstance(head, Head)
    assert head.length == 5

    again = first(LINE + b"A: content-length: 8\r\nContent-Length: 5\r\n\r\n", known={head.raw: head})

    assert isinstance(again, Head)
    assert again.length == 5


@pytest.mark.parametrize("chunk", [b"x\r\n", b"-1\r\n", b"5\nhello", b"FFFFFFFFF\r\n", b"1;" + b"e" * 5_000])
def test_chunks_that_cannot_be_read(chunk: bytes) -> None:
    one = reader()
    one.feed(LINE + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert isinstance(one.head(), Head)

    with pytest.raises(BadBody):
        one.body()


def test_chunks_beyond_the_limit() -> None:
    one = reader(max_body=10)
    one.feed(LINE + b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n")
    assert isinstance(one.head(), Head)

    with pytest.raises(TooLong):
        one.body()


@pytest.mark.parametrize("chunks", [None, [3, 3]])
def test_a_body_that_nobody_wants_is_passed_over(chunks: list[int] | None) -> None:
    data = request(b"0123456789", chunks)
    one = reader()
    one.feed(data[:-4])
    assert isinstance(one.head(), Head)
    assert one.skip() is False
    one.feed(data[-4:] + LINE)

    assert one.skip() is True
    assert one.rest() == LINE


def test_whether_a_body_has_come_with_its_head() -> None:
    one = reader()
    one.feed(request(b"hello", None)[:-1])
    assert isinstance(one.head(), Head)
    assert not one.whole
    one.feed(b"o")
    assert one.whole
