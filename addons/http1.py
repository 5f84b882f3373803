"""Part of `layers`: the HTTP/1 server of a client connection, stricter than mitmproxy's own and without its pages.

- A head is judged before it is parsed (`strict_head`), also where it follows another request.
- Chunked bodies: bounded lines, no bare line feeds, trailers read and left out.
- What cannot be read is refused in words that quote nothing of it, and the connection is closed.
"""

from collections.abc import Iterator
from typing import Any

from h11._readers import ChunkedReader
from mitmproxy import http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http import Http1Server, HttpEvent, ReceiveHttp, RequestEndOfMessage, RequestHeaders

from addons.door import Door
from addons.patience import Awaited, Patience
from greyfox_core.http1.answers import unreadable
from greyfox_core.http1.chunks import Chunks
from greyfox_core.http1.requests import says_close
from greyfox_core.http1.strict_head import head_fault
from greyfox_core.steps.ingress import new_id


def harden(server: layer.Layer, door: Door) -> None:
    """Make an HTTP/1 server that has just started one of ours."""
    patience = door.patience_with(server.context.client)
    if type(server) is Http1Server:
        server.__class__ = StrictServer
        server.door, server.patience = door, patience  # type: ignore[attr-defined]
        server.state = server.read_headers  # bound before it was ours
    else:
        patience.nothing_awaited()


class HeadDecided(HttpEvent):
    """To the server: what was to be decided on the head is decided, its body may be read."""


def body_has_come(connection: object, request: http.Request) -> bool:
    """Whole, with its head: then it is read, and the connection is kept, whatever comes of the request."""
    length = request.headers.get("content-length", "")
    return isinstance(connection, StrictServer) and length.isdigit() and len(connection.buf) >= int(length)


class Refusal(commands.SendData):
    """Bytes of ours, not of mitmproxy's."""


class StrictServer(Http1Server):
    """One client connection that speaks HTTP/1."""

    door: Door
    patience: Patience
    holds_body = False  # until the head is decided: what is wrong with a body matters to nobody who is refused
    refused = False  # before its body has come; the answer is under way

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        yield from super()._handle_event(event)
        self._wait_for_more(len(event.data) if isinstance(event, events.DataReceived) else 0)

    def _wait_for_more(self, came: int) -> None:
        if self.state == self.read_body:
            awaited = Awaited.BODY if self.response is None else Awaited.UNWANTED
        elif self.state == self.read_headers:
            awaited = Awaited.HEAD if self.buf else Awaited.REQUEST
        elif self.state == self._leave:
            awaited = Awaited.LEAVE
        else:
            self.patience.nothing_awaited()
            return
        self.patience.wait_for(awaited, self.door.limits, came)

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            while bytes(self.buf).startswith(b"\r\n"):  # RFC 9112, 2.2: an empty line before a request is none
                self.buf.maybe_extract_at_most(2)
            fault = head_fault(bytes(self.buf), self.door.limits.max_head)
            if fault is not None:
                yield from self._refuse(fault.status, fault.message)
                return
        refused = False
        for command in super().read_headers(event):
            if type(command) is commands.SendData:  # mitmproxy's page
                refused = True
                yield from self._refuse(400, "The request's head is not valid HTTP.")
            elif refused and isinstance(command, commands.CloseConnection):
                continue
            elif not isinstance(command, commands.Log):  # mitmproxy logs what it could not read, keys included
                if isinstance(command, ReceiveHttp) and isinstance(command.event, RequestHeaders):
                    self._head_came(command.event)
                yield command
        if refused:
            self.state = self._leave

    def _head_came(self, event: RequestHeaders) -> None:
        headers = event.request.headers
        if says_close(headers.get("connection", "")):
            headers["connection"] = "close"  # mitmproxy knows it in lower case only
        self.holds_body = not event.end_stream

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        if self.state == self._leave:
            return  # the last words have been said
        if not isinstance(event, HeadDecided):
            yield from super().send(event)
            if self.response is not None and self.response.status_code < 200:
                self.response = None  # a client that was asked for the body has no answer yet
            return
        self.holds_body = False
        if self.state == self.read_body:
            yield from self.read_body(events.DataReceived(self.conn, b""))

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        if type(self.body_reader) is ChunkedReader:
            self.body_reader = Chunks()  # type: ignore[assignment]
        received = isinstance(event, events.DataReceived)
        if received and self.holds_body:
            return
        for command in super().read_body(event):
            unreadable = isinstance(command, commands.CloseConnection) and self.state == self.read_body
            if not (unreadable and received and self.response is None):
                yield command
            elif self.refused:
                yield ReceiveHttp(RequestEndOfMessage(self.stream_id))
                yield from self.mark_done(request=True)
                return
            else:
                yield from self._refuse(400, "The request's body is not framed as HTTP says.")

    def _refuse(self, status: int, message: str) -> Iterator[Any]:
        """The last words on this connection: what comes behind them is thrown away, until they can have been read."""
        yield self._answer(status, message)
        if self.door.is_plain(self.conn):
            yield commands.CloseTcpConnection(self.conn, half_close=True)
        self.state = self._leave

    def _leave(self, event: events.Event) -> Iterator[Any]:
        self.buf.maybe_extract_at_most(len(self.buf))
        if isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.conn)

    def _answer(self, status: int, message: str) -> Refusal:
        return Refusal(self.conn, unreadable(status, message, new_id()))
