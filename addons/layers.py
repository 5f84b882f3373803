"""The one file, with its part `http1`, that touches mitmproxy's private classes.

mitmproxy sends an addon's own answer only whole, after the whole request, and forwards whatever no addon answered.
`Stream` changes just that, for every HTTP connection of the gateway:

- an answer with a body source is pulled piece by piece, by one hook a piece (`gf_chunk`);
- a refusal decided on the head is sent before the body has come;
- what no step answered is refused, never forwarded; mitmproxy's own error pages become errors in the caller's dialect;
- a client that leaves is told to the steps at once, while they wait.

`pinned.check()` stops the start with one line where a later mitmproxy has moved what this file relies on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mitmproxy import http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http import (
    DropStream,
    ErrorCode,
    HttpErrorHook,
    HttpLayer,
    HttpRequestHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
    HttpStream,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    SendHttp,
)

from addons.door import Door, Pull
from addons.http1 import HeadDecided, StrictServer, body_has_come, harden

DISCARD = 1_048_576  # bytes of an unwanted body that are read and thrown away before the connection is cut


@dataclass
class GfChunkHook(commands.StartHook):
    """Fill `data.chunk` with the next piece. mitmproxy derives the hook's name: gf_chunk."""

    data: Pull


class Stream(HttpStream):
    """One request and its answer."""

    pull: Pull | None = None
    head_sent = False
    discarded = 0
    over = False

    door: Door
    connection: Any  # the client's, as mitmproxy's HTTP layer keeps it

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self.over:
            return
        if isinstance(event, RequestProtocolError) and hasattr(self, "flow"):
            self.door.client_gone(self.flow, self.pull)
        for command in super().handle_event(event):
            if isinstance(command, SendHttp) and command.connection is self.context.client:
                if isinstance(command.event, ResponseHeaders):
                    self.head_sent = command.event.response.status_code >= 200
                elif isinstance(command.event, ResponseProtocolError) and not self.head_sent:
                    yield from self.own_error(command, command.event)
                    continue
            yield command

    def own_error(self, command: SendHttp, error: ResponseProtocolError) -> layer.CommandGenerator[None]:
        status = error.code.http_status_code()
        if status is None:
            yield command
            return
        self.head_sent = True
        response = self.door.protocol_error(getattr(self, "flow", None), status, error.message)
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
        yield SendHttp(ResponseData(self.stream_id, response.raw_content or b""), self.context.client)
        if self.context.client.alpn == b"h2":
            yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        else:
            yield command  # over HTTP/1 it closes the connection and writes no more

    def state_wait_for_request_headers(self, event: RequestHeaders) -> layer.CommandGenerator[None]:
        # Later on nothing tells origin-form from absolute-form any more.
        event.request.greyfox_form = event.request.first_line_format  # type: ignore[attr-defined]
        whole = event.end_stream or body_has_come(self.connection, event.request)
        if whole:
            event.request.headers.pop("expect", None)
        yield from super().state_wait_for_request_headers(event)
        if self.client_state == self.state_consume_request_body and self.flow.response and not whole:
            yield from self.refuse_early()
        if isinstance(self.connection, StrictServer) and self.connection.holds_body and self.context.client.connected:
            yield SendHttp(HeadDecided(self.stream_id), self.context.client)

    def state_consume_request_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self.flow.response is not None and isinstance(event, RequestData):
            return  # refused already, and the body is there: nobody needs it
        if isinstance(event, RequestData) and len(self.request_body_buf) + len(event.data) > self.door.limits.max_body:
            self.door.refuse_too_large(self.flow)
            self.request_body_buf.clear()
            yield from self.refuse_early()
        elif isinstance(event, RequestEndOfMessage):
            yield from self.answer()
        else:
            yield from super().state_consume_request_body(event)

    def answer(self) -> layer.CommandGenerator[None]:
        """The request is whole. What the steps leave is the answer; nothing is forwarded from here."""
        flow = self.flow
        flow.request.timestamp_end = time.time()
        flow.request.data.content = bytes(self.request_body_buf)
        self.request_body_buf.clear()
        self.client_state = self.state_done
        yield HttpRequestHook(flow)
        if (yield from self.check_killed(True)):
            return
        if flow.response is None:
            self.door.refuse_unadmitted(flow)
        if self.door.watched("responseheaders"):
            yield HttpResponseHeadersHook(flow)
            if (yield from self.check_killed(True)):
                return
        yield from self.send_response()

    def refuse_early(self) -> layer.CommandGenerator[None]:
        response = self.flow.response
        assert response is not None
        self.client_state = self.discard
        self.server_state = self.state_done
        if not self.flow.request.is_http2:
            response.headers["connection"] = "close"
            self.connection.refused = True
        yield HttpResponseHook(self.flow)
        self.flow.live = False
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
        yield SendHttp(ResponseData(self.stream_id, self.content_of(response)), self.context.client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    def content_of(self, response: http.Response) -> bytes:
        return b"" if self.flow.request.method == "HEAD" else response.raw_content or b""

    def discard(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, RequestEndOfMessage):
            yield DropStream(self.stream_id)
        elif isinstance(event, RequestData):
            self.discarded += len(event.data)
            if self.discarded > DISCARD and not self.flow.request.is_http2:
                yield commands.CloseConnection(self.context.client)

    def make_server_connection(self) -> layer.CommandGenerator[bool]:
        self.door.refuse_unadmitted(self.flow)
        yield from self.send_response()
        return False

    def send_response(self, already_streamed: bool = False) -> layer.CommandGenerator[None]:
        source = self.door.body_source(self.flow)
        response = self.flow.response
        if source is None or response is None or already_streamed:
            yield from self.send_whole()
            return
        pull = self.pull = Pull(self.flow, source, self.stream_id, self.connection)
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
        while not pull.gone:
            pull.chunk = None
            yield GfChunkHook(pull)
            if pull.done or pull.gone:
                break
            if not pull.chunk or pull.cut:  # no chunk: the hook itself failed
                pull.cut = True
                break
            yield SendHttp(ResponseData(self.stream_id, pull.chunk), self.context.client)
        self.server_state = self.state_done
        self.pull = None
        if pull.gone or pull.cut:
            yield HttpErrorHook(self.flow)
            self.flow.live = False
            self.client_state = self.state_errored
            if pull.cut:
                cut = ResponseProtocolError(self.stream_id, "The answer broke off.", ErrorCode.GENERIC_SERVER_ERROR)
                yield SendHttp(cut, self.context.client)
            yield DropStream(self.stream_id)
            return
        yield HttpResponseHook(self.flow)
        yield from self.flow_done()

    def flow_done(self) -> layer.CommandGenerator[None]:
        """Nothing comes after this: what refers back to the stream is let go of, so that no collector must find it."""
        yield from super().flow_done()
        self.over = True
        self._paused_event_queue.clear()
        self.context.layers.clear()
        self.client_state = self.server_state = _over

    def send_whole(self) -> layer.CommandGenerator[None]:
        """As mitmproxy does, but that nobody is told who does not listen."""
        response = self.flow.response
        assert response is not None
        response.timestamp_end = time.time()
        if self.door.watched("response"):
            yield HttpResponseHook(self.flow)
        else:
            self.door.finished(self.flow)
        self.server_state = self.state_done
        if (yield from self.check_killed(False)):
            return
        content = self.content_of(response)
        yield SendHttp(ResponseHeaders(self.stream_id, response, not content), self.context.client)
        if content:
            yield SendHttp(ResponseData(self.stream_id, content), self.context.client)
        yield from self.flow_done()


def _over(event: events.Event) -> layer.CommandGenerator[None]:
    yield from ()


class Layer(HttpLayer):
    """One client connection that speaks HTTP."""

    door: Door

    def make_stream(self, stream_id: int) -> layer.CommandGenerator[None]:
        stream = self.streams[stream_id] = Stream(self.context.fork(), stream_id)
        stream.door = self.door
        stream.connection = self.connections.get(self.context.client)
        yield from self.event_to_child(stream, events.Start())

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        yield from super()._handle_event(event)
        if isinstance(event, events.Start):
            harden(self.connections[self.context.client], self.door)


def adopt(http_layer: layer.Layer, door: Door) -> None:
    """Make an HTTP layer that mitmproxy has just built one of ours."""
    if type(http_layer) is HttpLayer:
        http_layer.__class__ = Layer
        http_layer.door = door  # type: ignore[attr-defined]
