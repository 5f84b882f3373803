"""The fast door's layer: one HTTP/1 connection, plain or inside TLS or CONNECT, of which no flow is made.

Requests are read one after the other and handed to `FastDoor`. What is decided without waiting is sent at once. What
waits pauses this connection alone, by one hook a request (`gf_serve`), and where an answer in pieces has to pass TLS,
by one hook a piece (`gf_piece`). Whatever is not plainly an ordinary request (CONNECT, an upgrade, another version,
anything malformed) is handed over with the whole connection to the flow door, which serves it or refuses it.
"""

from __future__ import annotations

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode

from addons.fast import GfPieceHook, GfServeHook
from addons.fast_door import Call, FastDoor
from addons.layers import DISCARD, adopt
from addons.patience import Awaited
from greyfox_core.http1.answers import CONTINUE, LAST_CHUNK, begun, chunk, unreadable
from greyfox_core.http1.requests import FOREIGN, BadBody, Foreign, Head, TooLong
from greyfox_core.steps.decoding import too_large
from greyfox_core.steps.ingress import new_id
from greyfox_core.steps.serve import UNDECIDED
from greyfox_core.values.tunnel import Tunnel

AHEAD = 65_536  # bytes of further requests that are taken while one is under way


class FastLayer(layer.Layer):
    """One client connection. `tunnel` is what it was opened by, None where it came straight to the port."""

    def __init__(self, context: Context, door: FastDoor, tunnel: Tunnel | None) -> None:
        super().__init__(context)
        self._door = door
        self._tunnel = tunnel
        self._reader = door.reader()
        self._successor: HttpLayer | None = None
        self._call: Call | None = None
        self._discarded: int | None = None  # bytes of a body that nobody wants
        self._over = False
        self._ahead = 0
        self._patience = door.house.watchman.of(context.client)

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._successor is not None:
            yield from self._successor.handle_event(event)
            return
        try:
            if self._paused:
                self._meanwhile(event)
            yield from super().handle_event(event)
        except Exception as error:
            yield from self._crashed(error)

    def _crashed(self, error: Exception) -> layer.CommandGenerator[None]:
        """mitmproxy would log it and leave the connection hanging. Nothing has gone out for a call without answer."""
        call, self._call = self._call, None
        if not self._over and (call is None or call.exchange.answer is None):
            yield commands.SendData(self.context.client, unreadable(503, UNDECIDED, new_id()))
        self._door.crashed(error, call)
        yield from self._close()

    def _meanwhile(self, event: events.Event) -> None:
        """What happens while a request waits is dealt with after it; but a client that leaves ends the waiting."""
        if isinstance(event, events.ConnectionClosed) and self._call is not None:
            self._door.gone(self._call)
        elif isinstance(event, events.DataReceived):
            self._ahead += len(event.data)
            if self._ahead > AHEAD:
                self._door.hold(self.context.client)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._successor is not None:  # events that waited while the connection changed hands
            yield from self._successor.handle_event(event)
        elif isinstance(event, events.DataReceived):
            if self._discarded is not None:
                yield from self._discard(event.data)
            elif not self._over:
                self._reader.feed(event.data)
                yield from self._requests()
                self._wait_for_more(len(event.data))
        elif isinstance(event, events.ConnectionClosed):
            yield from self._closed(event)

    def _closed(self, event: events.ConnectionClosed) -> layer.CommandGenerator[None]:
        if self._call is not None:
            self._door.gone(self._call)
            self._finish(self._call)
        if event.connection.state is not ConnectionState.CLOSED:
            yield commands.CloseConnection(event.connection)

    # --- requests

    def _requests(self) -> layer.CommandGenerator[None]:
        """All that can be served of what has come."""
        while not self._over and self._successor is None and self._discarded is None:
            if self._call is None:
                app = self._door.house.app
                head = FOREIGN if app is None else self._reader.head()
                if head is None:
                    break
                if app is None or isinstance(head, Foreign):
                    yield from self._hand_over()
                    return
                self._call = self._door.open(app, self.context.client, head, self._tunnel)
                if self._call is None:
                    yield from self._last_words(503, UNDECIDED)
                    return
                yield from self._head_came(self._call, head)
            else:
                try:
                    body = self._reader.body()
                except TooLong:
                    self._call.app.refuse(self._call.exchange, too_large(self._reader.max_body))
                    yield from self._refuse_early(self._call)
                    break
                except BadBody:
                    yield from self._unreadable(self._call)
                    break
                if body is None:
                    break
                yield from self._serve(self._call, body)

    def _head_came(self, call: Call, head: Head) -> layer.CommandGenerator[None]:
        if call.task is not None:
            if not call.task.done():
                yield GfServeHook(call)
            if self._door.failed(call):
                self._door.refuse(call)
        if self._reader.whole:
            return
        if call.exchange.answered:
            yield from self._refuse_early(call)
        elif head.expects:
            yield commands.SendData(self.context.client, CONTINUE)

    def _serve(self, call: Call, body: bytes) -> layer.CommandGenerator[None]:
        exchange = call.exchange
        if call.is_open():
            writer = self._door.writer_of(self.context.client) if self._plain else None
            if not call.begin(self._door.serve(call, body, writer)):
                self._patience.nothing_awaited()
                yield GfServeHook(call)
            if self._door.failed(call) or call.is_open():
                self._door.refuse(call)
        answer = exchange.answer
        if answer is None:
            call.cut = True
        elif isinstance(answer.body, bytes):
            yield commands.SendData(self.context.client, call.whole(answer))
        elif not call.sent:
            call.sent = True
            yield commands.SendData(self.context.client, begun(answer.status, answer.headers, close=call.close))
            yield from self._pieces(call)
        self._finish(call)
        if call.close or call.cut:
            yield from self._close()

    def _pieces(self, call: Call) -> layer.CommandGenerator[None]:
        while True:
            call.piece = None
            yield GfPieceHook(call)
            if call.piece is None:
                break
            yield commands.SendData(self.context.client, chunk(call.piece))
        if call.over:
            yield commands.SendData(self.context.client, LAST_CHUNK)
        elif not call.cut:  # the hook itself failed
            call.cut = True
            call.app.abandon(call.exchange)

    def _finish(self, call: Call) -> None:
        self._call = None
        self._patience.nothing_awaited()
        if self._ahead > AHEAD:
            self._door.go_on(self.context.client)
        self._ahead = 0
        self._door.closed(call)

    def _close(self) -> layer.CommandGenerator[None]:
        self._over = True
        yield commands.CloseConnection(self.context.client)

    # --- bodies that nobody wants

    def _refuse_early(self, call: Call) -> layer.CommandGenerator[None]:
        """Answer before the body has come; then its rest is thrown away for a while, so that the client can read it."""
        answer = call.exchange.answer
        assert answer is not None
        call.close = True
        yield commands.SendData(self.context.client, call.whole(answer))
        self._finish(call)
        self._discarded = 0
        yield from self._discard(b"")

    def _discard(self, data: bytes) -> layer.CommandGenerator[None]:
        assert self._discarded is not None
        self._discarded += len(data)
        self._reader.feed(data)
        try:
            ended = self._reader.skip()
        except BadBody:
            ended = True
        if ended or self._discarded > DISCARD:
            yield from self._close()
        else:
            self._wait_for_more(len(data))

    def _unreadable(self, call: Call) -> layer.CommandGenerator[None]:
        self._door.gone(call)
        self._finish(call)
        yield from self._last_words(400, "The request's body is not framed as HTTP says.")

    def _last_words(self, status: int, message: str) -> layer.CommandGenerator[None]:
        """Of this connection: what comes behind them is thrown away, until the client has had time to read them."""
        client = self.context.client
        yield commands.SendData(client, unreadable(status, message, new_id()))
        self._over = True
        if self._plain:
            yield commands.CloseTcpConnection(client, half_close=True)
        self._patience.wait_for(Awaited.LEAVE, self._door.house.limits)

    # --- what is not for this door

    def _hand_over(self) -> layer.CommandGenerator[None]:
        context = self.context
        context.layers.remove(self)
        mode = HTTPMode.regular if self._tunnel is None else HTTPMode.transparent
        successor = self._successor = HttpLayer(context, mode)
        adopt(successor, self._door.house)
        yield from successor.handle_event(events.Start())
        yield from successor.handle_event(events.DataReceived(context.client, self._reader.rest()))

    # --- time

    def _wait_for_more(self, came: int) -> None:
        if self._discarded is not None:
            awaited = Awaited.UNWANTED
        elif self._call is not None:
            awaited = Awaited.BODY
        else:
            awaited = Awaited.HEAD if self._reader.begun else Awaited.REQUEST
        if not self._over:
            self._patience.wait_for(awaited, self._door.house.limits, came)

    @property
    def _plain(self) -> bool:
        """Whether what is written to the client's transport reaches the client as it is."""
        return self._tunnel is None and not self.context.client.tls
