"""A plain connection of the fast door: its transport is served by ourselves, past mitmproxy's streams and layers.

asyncio lets a transport change its protocol. mitmproxy's own stays behind ours: it is told of everything but the data,
so that whoever waits on its reader or writer sees the connection's end and its back-pressure as ever. Where the flow
door is to go on, it gets the transport back.
"""

import asyncio
import time
from collections.abc import Iterator

from mitmproxy.proxy.server import ConnectionHandler

from addons.actions import CLOSE, LEAVE, Action, HandOver
from addons.conversation import Conversation
from addons.fast_door import Call


class FastProtocol(asyncio.Protocol):
    """Serves one transport, from `take` until its end or until the flow door has it back."""

    def __init__(
        self,
        handler: ConnectionHandler,
        transport: asyncio.Transport,
        conversation: Conversation,
    ) -> None:
        self._watchdog = handler.timeout_watchdog
        self._transport = transport
        self._conversation = conversation
        before = transport.get_protocol()
        assert isinstance(before, asyncio.Protocol)
        self._before = before
        self._waiting: Iterator[Action] | None = None

    def take(self, data: bytes) -> None:
        """These bytes of the transport, and from now on all of them."""
        self._transport.set_protocol(self)
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        self._watchdog.last_activity = time.time()
        if self._waiting is not None:
            self._conversation.ahead(data)
        else:
            self._do(self._conversation.receive(data))

    def _do(self, actions: Iterator[Action]) -> None:
        """What there is to do, up to what must be waited for."""
        transport = self._transport
        try:
            for action in actions:
                if isinstance(action, bytes):
                    if not transport.is_closing():
                        transport.write(action)
                elif isinstance(action, Call):
                    assert action.task is not None
                    self._waiting = actions
                    self._watchdog.can_timeout.clear()
                    action.task.add_done_callback(self._go_on)
                    return
                elif action is CLOSE:
                    transport.close()
                elif action is LEAVE:
                    if not transport.is_closing():
                        transport.write_eof()
                elif isinstance(action, HandOver):
                    transport.set_protocol(self._before)
                    self._before.data_received(action.rest)
        except Exception as error:
            if last_words := self._conversation.crashed(error):
                transport.write(last_words)
            transport.close()

    def _go_on(self, task: asyncio.Task[None]) -> None:
        self._watchdog.last_activity = time.time()
        self._watchdog.can_timeout.set()
        actions, self._waiting = self._waiting, None
        if actions is not None:
            self._do(actions)

    # --- what mitmproxy's own protocol must know too

    def eof_received(self) -> bool | None:
        self._conversation.gone()
        return self._before.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._conversation.gone()
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()
