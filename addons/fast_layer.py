"""The fast door's layer: one HTTP/1 connection, plain or inside TLS or CONNECT, of which no flow is made.

What its client says, and what is done about it, is a `Conversation`. Inside TLS its bytes pass mitmproxy's layers, and
what waits pauses this one alone, by one hook a request (`gf_serve`) and one a piece of an answer that comes in pieces
(`gf_piece`). On a plain connection `FastProtocol` serves it past all that, as soon as it can.
"""

from __future__ import annotations

import asyncio

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode

from addons.actions import CLOSE, HandOver, Piece
from addons.conversation import Conversation
from addons.fast import GfPieceHook, GfServeHook
from addons.fast_door import Call, FastDoor
from addons.fast_protocol import FastProtocol
from addons.layers import adopt
from greyfox_core.values.tunnel import Tunnel


class FastLayer(layer.Layer):
    """One client connection. `tunnel` is what it was opened by, None where it came straight to the port."""

    def __init__(self, context: Context, door: FastDoor, tunnel: Tunnel | None) -> None:
        super().__init__(context)
        self._door = door
        self._tunnel = tunnel
        self._plain = door.house.is_plain(context.client)
        self._conversation = Conversation(door, context.client, tunnel, plain=self._plain)
        self._successor: HttpLayer | None = None
        self._by_itself = False  # the protocol serves

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._successor is not None:
            yield from self._successor.handle_event(event)
            return
        try:
            if self._paused:  # dealt with afterwards; but a client that leaves ends the waiting
                if isinstance(event, events.ConnectionClosed):
                    self._conversation.gone()
                elif isinstance(event, events.DataReceived):
                    self._conversation.count_ahead(len(event.data))
            yield from super().handle_event(event)
        except Exception as error:  # mitmproxy would log it and leave the connection hanging
            if last_words := self._conversation.crashed(error):
                yield commands.SendData(self.context.client, last_words)
            yield commands.CloseConnection(self.context.client)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._successor is not None:  # events that waited while the connection changed hands
            yield from self._successor.handle_event(event)
        elif isinstance(event, events.DataReceived):
            if self._by_itself:  # it came back
                yield from self._hand_over(event.data)
            elif not (self._plain and self._serve_past_layers(event.data)):
                yield from self._serve_through_layers(event.data)
        elif isinstance(event, events.ConnectionClosed):
            self._conversation.end()
            if event.connection.state is not ConnectionState.CLOSED:
                yield commands.CloseConnection(event.connection)

    def _serve_past_layers(self, data: bytes) -> bool:
        """Let the transport be served by our own protocol, beginning with these bytes.

        False where it cannot be, or where other bytes are on their way through mitmproxy. None are while the task that
        reads them hands these to us, and its reader is empty (for which asyncio has no public word).
        """
        client = self.context.client
        handler, transport = self._door.house.connection_of(client), self._door.transport_of(client)
        if handler is None or transport is None:
            return False
        io = handler.transports[client]
        if io.handler is not asyncio.current_task() or getattr(io.reader, "_buffer", None) != b"":
            return False
        self._by_itself = True
        FastProtocol(handler, transport, self._conversation).take(data)
        return True

    def _serve_through_layers(self, data: bytes) -> layer.CommandGenerator[None]:
        client = self.context.client
        for action in self._conversation.receive(data):
            if isinstance(action, bytes):
                yield commands.SendData(client, action)
            elif isinstance(action, Call):
                yield GfServeHook(action)
            elif isinstance(action, Piece):
                yield GfPieceHook(action.call)
            elif isinstance(action, HandOver):
                yield from self._hand_over(action.rest)
            elif action is CLOSE or not self._plain:
                yield commands.CloseConnection(client)
            else:
                yield commands.CloseTcpConnection(client, half_close=True)

    def _hand_over(self, rest: bytes) -> layer.CommandGenerator[None]:
        context = self.context
        context.layers.remove(self)
        successor = HttpLayer(context, HTTPMode.regular if self._tunnel is None else HTTPMode.transparent)
        self._successor = successor
        adopt(successor, self._door.house)
        yield from successor.handle_event(events.Start())
        yield from successor.handle_event(events.DataReceived(context.client, rest))
