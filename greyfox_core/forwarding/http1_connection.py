"""One connection to an upstream: HTTP/1.1 by llhttp, one request at a time, one timer.

An answer ends where its framing says so. What comes after it, another coding than `chunked` alone, another version, a
head or a stretch of framing without content that is too long: each ends the connection, and the answer with it unless
that was whole. The connection is free again when an answer is whole, nothing came after it and all of the request has
gone out.
Units: bytes; instants are the loop's clock in seconds.
Source: RFC 9112 sections 6.3 (length), 7.1 (chunks), 9 (connections), 9.8 (ends of TLS); RFC 9110 section 15.2 (interim
answers).
"""

import asyncio
import select
import ssl
from typing import NamedTuple, Protocol

import httptools

from greyfox_core.forwarding.http1_incoming import NEVER, Incoming

KEEP_ALIVE = 25.0  # seconds; below the 30 s and more after which common servers close idle connections
MOST_UNREAD = 65_536  # beyond this the upstream is made to wait
MOST_FRAMING = 65_536  # a head; or chunk extensions and trailers without content in between
JOINED = 65_536  # a body up to this goes out in one packet with its head, at the price of a copy
VERSIONS = ("1.1", "1.0")
SWITCHING_PROTOCOLS, NO_CONTENT, NOT_MODIFIED = 101, 204, 304


class Way(NamedTuple):
    """Where a connection leads; `context` is None for one without TLS."""

    host: str
    port: int
    context: ssl.SSLContext | None


class Owner(Protocol):
    """Who is told of a connection's life."""

    def made(self, connection: "Http1Connection") -> None: ...
    def free(self, connection: "Http1Connection") -> None: ...
    def ended(self, connection: "Http1Connection") -> None: ...


class NotHttp(Exception):
    """Raised inside llhttp's callbacks to stop it; it never leaves the connection."""


class Http1Connection(asyncio.Protocol):
    """Made by the loop's `create_connection`."""

    def __init__(self, owner: Owner, way: Way, loop: asyncio.AbstractEventLoop) -> None:
        self.way = way
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._poll = select.poll()
        self._incoming: Incoming | None = None
        self._framing = 0  # bytes since the last of a body
        self._interim = False  # inside a 1xx
        self._to_the_end = False  # this answer is as long as the connection
        self._reusable = False
        self.over = False  # nothing can be sent any more
        self._deadline = NEVER
        self._timer: asyncio.TimerHandle | None = None

    # --- the owner's side

    def ask(self, head: bytes, body: bytes | None, *, bodyless: bool) -> Incoming:
        """Send a request over a free connection. Its answer fails where the connection does."""
        assert self._transport is not None and self._incoming is None
        incoming = self._incoming = Incoming(self, self._loop, bodyless)
        self._framing = 0
        self._reusable = self._to_the_end = False
        self._deadline = NEVER
        if body is None:
            self._transport.write(head)
        elif len(body) <= JOINED:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        return incoming

    def usable(self) -> bool:
        """Whether it is open and silent: an end that the loop has not come to yet is seen too."""
        return not self.over and not self._poll.poll(0)

    def cut(self, failure: type[OSError] = ConnectionError) -> None:
        """End it at once; an answer that is not whole fails."""
        self.over = True
        incoming, self._incoming = self._incoming, None
        if incoming is not None and not incoming.complete:
            incoming.unanswered = not incoming.head_came and self._framing == 0
            incoming.fail(failure)
        if self._transport is not None:
            self._transport.abort()

    # --- the answer's side

    def expect(self, deadline: float) -> None:
        self._deadline = deadline
        timer = self._timer
        if timer is None or timer.when() > deadline:
            # One timer, rarely moved: where it comes too early it looks at the deadline and sets itself anew.
            if timer is not None:
                timer.cancel()
            self._timer = None if deadline == NEVER else self._loop.call_at(deadline, self._due)

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def drop(self, incoming: Incoming) -> None:
        if self._incoming is incoming:
            self.cut()

    def _due(self) -> None:
        timer, self._timer = self._timer, None
        assert timer is not None
        if self._deadline > timer.when():
            if self._deadline != NEVER:
                self._timer = self._loop.call_at(self._deadline, self._due)
        else:
            self.cut(TimeoutError)  # an answer that stands still, or nothing to do for too long

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        incoming, parser = self._incoming, self._parser
        if incoming is None or parser is None:
            self.cut()  # nobody has asked anything
            return
        self._framing += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._reusable = False
            if not incoming.complete:
                self.cut()
                return
        if incoming.complete:
            self._done()
        elif self._framing > MOST_FRAMING:
            self.cut()
        elif incoming.unread > MOST_UNREAD and self._transport is not None:
            incoming.paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        incoming = self._incoming
        if incoming is not None and incoming.head_came and self._to_the_end and self._end_is_meant():
            incoming.finish()
            self._incoming = None
        self.cut()

    def _end_is_meant(self) -> bool:
        """Over TLS an end counts only if the server has said it: TCP's own can come from anybody on the way."""
        assert self._transport is not None
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        try:
            return tls is None or tls.read(1) == b""
        except ssl.SSLError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = self._parser = None  # the parser holds our methods: a cycle
        self.cut()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.ended(self)

    def _done(self) -> None:
        self._incoming = None  # it keeps what nobody has taken yet, and this connection is free for the next request
        assert self._transport is not None
        if not self._reusable or self.over or self._transport.get_write_buffer_size():
            self.cut()
            return
        self.expect(self._loop.time() + KEEP_ALIVE)
        self._owner.free(self)

    # --- llhttp's side: what these raise ends the parsing

    def on_message_begin(self) -> None:
        if self._incoming is None or self._incoming.complete:
            raise NotHttp

    def on_header(self, name: bytes, value: bytes) -> None:
        incoming = self._incoming
        assert incoming is not None
        if not incoming.head_came:  # else it is a trailer, which nobody needs
            incoming.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        incoming, parser = self._incoming, self._parser
        assert incoming is not None and parser is not None
        headers, status = incoming.headers, parser.get_status_code()
        if status == SWITCHING_PROTOCOLS or parser.get_http_version() not in VERSIONS:
            raise NotHttp
        if status < 200:
            self._interim = True
            headers.clear()
            return
        if self._framing > MOST_FRAMING and sum(len(name) + len(value) + 4 for name, value in headers) > MOST_FRAMING:
            raise NotHttp
        fields = incoming.fields = dict(reversed(headers))
        if "transfer-encoding" in fields:
            if [value.lower() for name, value in headers if name == "transfer-encoding"] != ["chunked"]:
                raise NotHttp
        elif "content-length" not in fields:
            self._to_the_end = status not in (NO_CONTENT, NOT_MODIFIED)
        incoming.status = status
        incoming.head_came = True
        if incoming.bodyless:  # llhttp waits for a body now: this connection is not used again
            incoming.complete = True
        incoming.wake()

    def on_body(self, data: bytes) -> None:
        incoming = self._incoming
        assert incoming is not None
        if incoming.complete:
            raise NotHttp
        self._framing = 0
        incoming.add(data)

    def on_message_complete(self) -> None:
        incoming, parser = self._incoming, self._parser
        assert incoming is not None and parser is not None
        if self._interim:
            self._interim = False
        elif not incoming.complete:
            self._reusable = parser.should_keep_alive()
            incoming.finish()
