"""Heads that two readers could read differently are refused, wherever the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.http1.strict_head import MAX_FIELDS, head_fault

GOOD = b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-\xc3: \xc3\tb\r\n\r\n"
ROOM = 10_000


@given(cut=st.integers(0, len(GOOD)), body=st.binary(max_size=20))
def test_a_good_head_is_good_as_far_as_it_has_come_whatever_follows(cut: int, body: bytes) -> None:
    assert head_fault(GOOD[:cut], ROOM) is None
    assert head_fault(GOOD + body, ROOM) is None


BAD = [
    (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n A: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"GET / HTTP/1.10\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1 \r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"SSH-2.0-x\r\n", 400),
    (b"GET /\x80 \xa0 HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTRANSFER-ENCODING: chunked,\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding : x\r\n\r\n", 400),
    (b"GET /" + b"a" * ROOM, 431),
    (b"GET / HTTP/1.1\r\nA: " + b"a" * ROOM + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_FIELDS + 2), 431),
]


@pytest.mark.parametrize(("head", "status"), BAD)
def test_a_bad_head_is_refused_in_words_that_quote_nothing(head: bytes, status: int) -> None:
    fault = head_fault(head, ROOM)

    assert fault is not None
    assert fault.status == status
    assert "SSH" not in fault.message and "aaa" not in fault.message


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b" \t chunked \t"])
def test_chunked_alone_is_a_transfer_coding(value: bytes) -> None:
    assert head_fault(b"GET / HTTP/1.1\r\ntransfer-encoding:" + value + b"\r\n\r\n", ROOM) is None


def test_as_many_fields_and_bytes_as_are_allowed_are_taken() -> None:
    head = b"GET / HTTP/1.0\r\n" + b"A: b\r\n" * MAX_FIELDS + b"\r\n"

    assert head_fault(head, len(head)) is None
    assert head_fault(head, len(head) - 1) is not None


@given(st.binary(max_size=300))
def test_nothing_raises_and_no_control_character_passes(data: bytes) -> None:
    fault = head_fault(data, ROOM)

    head = data.partition(b"\r\n\r\n")[0]
    if fault is None:
        assert b"\0" not in head and b"\n" not in head.replace(b"\r\n", b"")
