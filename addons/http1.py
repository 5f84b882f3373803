"""Part of `layers`: the HTTP/1 server of a client connection, stricter than mitmproxy's own and without its pages.

- A head is judged before it is parsed (`strict_head`), also where it follows another request.
- Chunked bodies: bounded lines, no bare line feeds, trailers read and left out.
- What cannot be read is refused in words that quote nothing of it, and the connection is closed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import h11
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http import Http1Server

from greyfox_core.forwarding.strict_head import head_fault
from greyfox_core.steps.ingress import new_id

LONGEST_CHUNK_LINE = 4096  # bytes of a chunk's size with its extensions, or of one trailer
MAX_TRAILERS = 100

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large"}


class Chunks:
    """Reads a chunked body, in the form that h11's readers have."""

    def __init__(self) -> None:
        self._left = 0  # bytes of the chunk under way
        self._next = self._size
        self._trailers = 0

    def __call__(self, buffer: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        while True:
            if self._left:
                data = buffer.maybe_extract_at_most(self._left)
                if data is None:
                    return None
                self._left -= len(data)
                return h11.Data(data=bytes(data))
            line = buffer.maybe_extract_next_line()
            if line is None:
                if len(buffer) > LONGEST_CHUNK_LINE or b"\n" in bytes(buffer):
                    raise h11.RemoteProtocolError("bad chunk line")
                return None
            if len(line) > LONGEST_CHUNK_LINE or b"\n" in line[:-2]:
                raise h11.RemoteProtocolError("bad chunk line")
            if self._next(bytes(line)):
                return h11.EndOfMessage()

    def read_eof(self) -> None:
        raise h11.RemoteProtocolError("the body is incomplete")

    def _size(self, line: bytes) -> bool:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise h11.RemoteProtocolError("bad chunk size")
        self._left = int(found[1], 16)
        self._next = self._end_of_chunk if self._left else self._trailer
        return False

    def _end_of_chunk(self, line: bytes) -> bool:
        if line != b"\r\n":
            raise h11.RemoteProtocolError("bad end of chunk")
        self._next = self._size
        return False

    def _trailer(self, line: bytes) -> bool:
        self._trailers += 1
        if self._trailers > MAX_TRAILERS:
            raise h11.RemoteProtocolError("too many trailers")
        return line == b"\r\n"


def harden(server: layer.Layer, max_head: int) -> None:
    """Make an HTTP/1 server that has just started one of ours. `max_head` is bytes."""
    if type(server) is Http1Server:
        server.__class__ = StrictServer
        server.max_head = max_head  # type: ignore[attr-defined]
        server.state = server.read_headers  # bound before it was ours


class Refusal(commands.SendData):
    """Bytes of ours, not of mitmproxy's."""


class StrictServer(Http1Server):
    """One client connection that speaks HTTP/1."""

    max_head: int  # bytes

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            while bytes(self.buf).startswith(b"\r\n"):  # RFC 9112, 2.2: an empty line before a request is none
                self.buf.maybe_extract_at_most(2)
            fault = head_fault(bytes(self.buf), self.max_head)
            if fault is not None:
                yield from self._refuse(fault.status, fault.message)
                return
        for command in super().read_headers(event):
            if type(command) is commands.SendData:  # mitmproxy's page
                yield self._answer(400, "The request's head is not valid HTTP.")
            elif not isinstance(command, commands.Log):  # mitmproxy logs what it could not read, keys included
                yield command

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        if type(self.body_reader) is ChunkedReader:
            self.body_reader = Chunks()  # type: ignore[assignment]
        received = isinstance(event, events.DataReceived)
        for command in super().read_body(event):
            unreadable = isinstance(command, commands.CloseConnection) and self.state == self.read_body
            if unreadable and received and self.response is None:
                yield self._answer(400, "The request's body is not framed as HTTP says.")
            yield command

    def _refuse(self, status: int, message: str) -> Iterator[Any]:
        yield self._answer(status, message)
        yield commands.CloseConnection(self.conn)
        self.state = self.done

    def _answer(self, status: int, message: str) -> Refusal:
        code = "greyfox_too_large" if status == 431 else "greyfox_bad_request"
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        body = json.dumps({"error": error}).encode()
        head = [
            f"HTTP/1.1 {status} {_REASONS[status]}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"x-greyfox-request-id: {new_id()}",
            "connection: close",
        ]
        return Refusal(self.conn, "\r\n".join([*head, "", ""]).encode() + body)
