"""The chunked bodies that are taken. How a whole connection behaves is tested over sockets, in tests/threats."""

from itertools import pairwise

import h11
import pytest
from h11._receivebuffer import ReceiveBuffer
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.http1.chunks import LONGEST_CHUNK_LINE, MAX_TRAILERS, Chunks


def read(*pieces: bytes) -> tuple[bytes, bool, bytes]:
    """The body, whether it has ended, and what is left over, when it arrives in these pieces."""
    reader, buffer, body = Chunks(), ReceiveBuffer(), b""
    for piece in pieces:
        buffer += piece
        while (event := reader(buffer)) is not None:
            if isinstance(event, h11.EndOfMessage):
                assert not list(event.headers)
                return body, True, bytes(buffer)
            body += event.data
    return body, False, bytes(buffer)


def chunked(chunks: list[bytes], *trailers: bytes) -> bytes:
    body = b"".join(b"%X\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return body + b"0\r\n" + b"".join(trailer + b"\r\n" for trailer in trailers) + b"\r\n"


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    trailers=st.lists(st.sampled_from([b"x-a: b", b"authorization: Bearer c", b"d:"]), max_size=3),
    cuts=st.lists(st.integers(0, 400), max_size=10),
)
def test_the_body_is_the_same_however_it_arrives(chunks: list[bytes], trailers: list[bytes], cuts: list[int]) -> None:
    data = chunked(chunks, *trailers) + b"GET / HTTP/1.1\r\n"
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})

    body, ended, left = read(*[data[start:end] for start, end in pairwise(places)])

    assert (body, ended) == (b"".join(chunks), True)
    assert b"GET / HTTP/1.1\r\n".startswith(left)  # the next request is not read


def test_extensions_are_ignored() -> None:
    assert read(b'3;name="a b"\r\nabc\r\n0 ;x\r\n\r\n') == (b"abc", True, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1 \r\na\r\n",
        b"1_0\r\n",
        b"123456789\r\n",
        b"1\na\n0\n\n",
        b"1;a\nb\r\na\r\n",
        b"1\r\nab\r\n",
        b"2\r\na\r\n\r\n",
        b"1\r\na0\r\n\r\n",
        b"1;" + b"a" * LONGEST_CHUNK_LINE,
        b"1;" + b"a" * LONGEST_CHUNK_LINE + b"\r\na\r\n",
        b"0\r\n" + b"a: b\r\n" * (MAX_TRAILERS + 1),
        b"0\r\n" + b"a" * (LONGEST_CHUNK_LINE + 1),
        b"0\r\na: b\nc: d\r\n\r\n",
    ],
)
def test_what_is_not_framed_beyond_doubt_is_an_error(data: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        read(data)


def test_an_end_before_the_end_is_an_error() -> None:
    with pytest.raises(h11.RemoteProtocolError):
        Chunks().read_eof()
