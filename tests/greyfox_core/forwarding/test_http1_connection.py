"""Answers byte by byte: where one ends, what ends its connection, and that no cut makes a part look like the whole."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.forwarding.http1_connection import MOST_FRAMING, MOST_UNREAD, Http1Connection, Way
from greyfox_core.forwarding.http1_incoming import Incoming

ONE_READ = 262_144  # bytes that asyncio takes at once

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"2\r\nhe\r\n3;note=x\r\nllo\r\n0\r\nTrailer: x\r\n\r\n"
)
INTERIM = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhello"
OLD = b"HTTP/1.0 200 OK\r\n\r\nhello"


class Transport(asyncio.Transport):
    """Keeps what is written, and what is done to it."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__({"socket": end})
        self.written = b""
        self.unsent = 0
        self.aborted = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Owner:
    def __init__(self) -> None:
        self.freed = 0

    def made(self, connection: Http1Connection) -> None: ...
    def ended(self, connection: Http1Connection) -> None: ...
    def free(self, connection: Http1Connection) -> None:
        self.freed += 1


@dataclass
class Wire:
    """A connection whose other end is the test."""

    connection: Http1Connection
    transport: Transport
    owner: Owner

    def ask(self, *, bodyless: bool = False) -> Incoming:
        return self.connection.ask(b"GET / HTTP/1.1\r\n\r\n", None, bodyless=bodyless)

    def send(self, data: bytes) -> None:
        """As TCP delivers it: nothing after the connection has been cut."""
        while data and not self.transport.aborted:
            self.connection.data_received(data[:ONE_READ])
            data = data[ONE_READ:]

    @property
    def state(self) -> str:
        return "cut" if self.transport.aborted else "free" if self.owner.freed else "busy"


def wired(loop: asyncio.AbstractEventLoop, ends: tuple[socket.socket, socket.socket]) -> Wire:
    owner, transport = Owner(), Transport(ends[0])
    connection = Http1Connection(owner, Way("here.test", 80, None), loop)
    connection.connection_made(transport)
    return Wire(connection, transport, owner)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    ends = socket.socketpair()
    made = wired(asyncio.get_running_loop(), ends)
    yield made
    made.connection.connection_lost(None)
    for end in ends:
        end.close()


def result(data: bytes, cuts: list[int], *, end: bool) -> tuple[Any, ...]:
    """What an answer comes to that arrives in these segments, with or without an end of the connection after it."""
    loop, ends = asyncio.new_event_loop(), socket.socketpair()
    try:
        wire = wired(loop, ends)
        incoming = wire.ask()
        at = [0, *sorted(cuts), len(data)]
        body = b""
        for first, last in pairwise(at):
            wire.send(data[first:last])
            body += incoming.take()
        if end:
            wire.connection.eof_received()
        wire.connection.connection_lost(None)
        return incoming.status, incoming.headers, body + incoming.take(), incoming.complete, incoming.failure
    finally:
        loop.close()
        for one in ends:
            one.close()


def begun(waiting: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that has run to its first wait already."""
    return asyncio.Task(waiting, loop=asyncio.get_running_loop(), eager_start=True)


async def turns() -> None:
    """Let the loop do all that is due."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, INTERIM + CHUNKED, TO_THE_END, OLD])
@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_an_answer_is_the_same_in_any_segments(data: bytes, cuts: list[int]) -> None:
    cuts = [min(cut, len(data)) for cut in cuts]

    found = result(data, cuts, end=True)

    assert found == result(data, [], end=True)
    assert found[2:] == (b"hello", True, None)


def test_of_an_interim_answer_nothing_remains() -> None:
    assert result(INTERIM + PLAIN, [], end=True) == result(PLAIN, [], end=True)


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, INTERIM + PLAIN])
@pytest.mark.parametrize("end", [True, False], ids=["closed", "reset"])
def test_an_answer_that_ends_early_is_a_failure_wherever_it_ends(data: bytes, end: bool) -> None:
    for length in range(len(data)):
        *_, complete, failure = result(data[:length], [], end=end)
        assert (complete, failure) == (False, ConnectionError), data[:length]


def test_an_answer_without_a_length_is_whole_where_the_server_says_so_and_not_where_it_is_reset() -> None:
    assert result(TO_THE_END[:-2], [], end=True)[2:] == (b"hel", True, None)
    assert result(TO_THE_END, [], end=False)[2:] == (b"hello", False, ConnectionError)
    for length in range(TO_THE_END.index(b"hello")):
        assert result(TO_THE_END[:length], [], end=True)[4] is ConnectionError


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, INTERIM + PLAIN, b"HTTP/1.1 204 No Content\r\n\r\n"])
async def test_after_a_whole_answer_the_connection_is_free(wire: Wire, data: bytes) -> None:
    for number in (1, 2, 3):
        incoming = wire.ask()
        wire.send(data)
        assert incoming.complete
        assert (wire.owner.freed, wire.state) == (number, "free")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        PLAIN + b"!",
        PLAIN + PLAIN,
        CHUNKED + b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["said", "old", "junk", "second", "half-second"],
)
async def test_an_answer_after_which_the_connection_is_not_used(wire: Wire, data: bytes) -> None:
    incoming = wire.ask()
    wire.send(data)

    assert (incoming.take(), incoming.complete, incoming.failure) == (b"hello", True, None)
    assert (wire.owner.freed, wire.state) == (0, "cut")


async def test_an_answer_before_all_of_the_request_has_gone_out_is_the_last(wire: Wire) -> None:
    incoming = wire.ask()
    wire.transport.unsent = 1
    wire.send(PLAIN)

    assert incoming.complete
    assert wire.state == "cut"


async def test_what_nobody_asked_for_ends_the_connection(wire: Wire) -> None:
    wire.send(PLAIN)

    assert wire.state == "cut"


@pytest.mark.parametrize(
    "data",
    [
        b"secret garbage\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.2 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\nx: a\n\n",
        b"HTTP/1.1 200 OK\r\nx y: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n",
    ],
)
async def test_a_head_that_could_be_read_in_two_ways_is_no_answer(wire: Wire, data: bytes) -> None:
    incoming = wire.ask()
    wire.send(data)

    assert (incoming.head_came, incoming.failure, wire.state) == (False, ConnectionError, "cut")


@pytest.mark.parametrize("chunk", [b"5\nhello\r\n", b"x\r\n", b"-1\r\n", b"5 \r\nhello\r\n", b"2\r\nhello\r\n"])
async def test_a_chunk_that_is_none_ends_the_answer(wire: Wire, chunk: bytes) -> None:
    incoming = wire.ask()
    wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk)

    assert (incoming.head_came, incoming.complete, incoming.failure) == (True, False, ConnectionError)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * MOST_FRAMING + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * (MOST_FRAMING // 5) + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MOST_FRAMING // 20),
        b"\r\n" * MOST_FRAMING,
        b"HTTP/1.1 200 " + b"a" * 2 * MOST_FRAMING,
    ],
    ids=["field", "fields", "interim", "nothing", "reason"],
)
async def test_a_head_that_is_too_long_is_no_answer(wire: Wire, data: bytes) -> None:
    incoming = wire.ask()
    wire.send(data)

    assert (incoming.head_came, incoming.failure, wire.state) == (False, ConnectionError, "cut")


@pytest.mark.parametrize(
    "framing",
    [b"1;" + b"x" * 2 * MOST_FRAMING, b"0\r\n" + b"x: a\r\n" * (MOST_FRAMING // 3), b"0" * 2 * MOST_FRAMING],
    ids=["extension", "trailers", "size"],
)
async def test_framing_without_content_is_bounded(wire: Wire, framing: bytes) -> None:
    incoming = wire.ask()
    wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    wire.send(framing)

    assert (incoming.take(), incoming.failure) == (b"hello", ConnectionError)


async def test_a_stream_of_small_chunks_is_not_framing(wire: Wire) -> None:
    incoming = wire.ask()
    wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1;x\r\na\r\n" * MOST_FRAMING)

    assert incoming.failure is None


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("junk", [b"", b"hello"])
async def test_the_answer_to_a_head_has_no_body(wire: Wire, head: bytes, junk: bytes) -> None:
    incoming = wire.ask(bodyless=True)
    wire.send(head + junk)

    assert (incoming.status, incoming.take(), incoming.complete, incoming.failure) == (200, b"", True, None)
    assert wire.state == "cut"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none_whatever_its_head_says(wire: Wire, status: int) -> None:
    incoming = wire.ask()
    wire.send(b"HTTP/1.1 %d X\r\ncontent-length: 5\r\n\r\n" % status)

    assert (incoming.status, incoming.complete, wire.state) == (status, True, "free")


async def test_more_than_is_read_makes_the_upstream_wait(wire: Wire) -> None:
    incoming = wire.ask()
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (4 * MOST_UNREAD))
    wire.send(bytes(MOST_UNREAD))
    assert wire.transport.reading
    wire.send(b"a")
    assert not wire.transport.reading

    assert len(incoming.take()) == MOST_UNREAD + 1

    assert wire.transport.reading


async def test_a_reader_of_an_earlier_answer_does_not_touch_the_next_ones_deadline(wire: Wire) -> None:
    first = wire.ask()
    waiting = begun(first.head(float("inf")))
    wire.send(PLAIN)
    second = wire.ask()
    late = begun(second.head(0.0))  # it waits before the other wakes
    await waiting

    with pytest.raises(TimeoutError):
        await late


async def test_a_deadline_ends_with_what_was_waited_for(wire: Wire) -> None:
    incoming = wire.ask()
    waiting = begun(incoming.head(0.0))  # due in the loop's next turn
    wire.send(PLAIN[:-1])
    await waiting
    await turns()

    assert incoming.failure is None


async def test_a_deadline_holds_only_while_somebody_waits(wire: Wire) -> None:
    incoming = wire.ask()
    begun(incoming.head(0.0)).cancel()
    await turns()

    assert incoming.failure is None


async def test_a_connection_with_nothing_to_do_ends_itself(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greyfox_core.forwarding.http1_connection.KEEP_ALIVE", 0.01)
    wire.ask()
    wire.send(PLAIN)
    assert wire.connection.usable()

    async with asyncio.timeout(10):
        while not wire.transport.aborted:
            await asyncio.sleep(0)

    assert not wire.connection.usable()
