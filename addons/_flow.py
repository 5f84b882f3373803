"""What the addons share: the house they belong to, the exchange of a flow, and the guard around every hook.

mitmproxy lets a flow go on when a hook raises, and skips the rest of the script's addons. So every hook here is
`guarded`: an exception becomes an answer in the caller's dialect, a refusal or a 503.
"""

import asyncio
import functools
import inspect
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import connection, http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.view import View
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.server import ConnectionHandler

from addons._messages import plain_error, plain_refusal, response_of
from addons.door import Pull
from addons.patience import TOLD, Awaited, Patience, Watchman
from addons.watchers import Watchers
from greyfox_core.app import App
from greyfox_core.config.schema import LimitsPart
from greyfox_core.errors import Refused, Unavailable
from greyfox_core.http1.answers import unreadable
from greyfox_core.steps import serve
from greyfox_core.steps.decoding import too_large
from greyfox_core.steps.ingress import new_id
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer
from greyfox_core.values.tunnel import Tunnel

ENDS_EXCHANGES = "addons.stream"
KEPT_FLOWS = 2000
KEPT_BODIES = 200


class House:
    """Built once, before anything runs. `app` is there from `running` to `done`.

    Without it every request is refused.
    """

    def __init__(self) -> None:
        self.app: App | None = None
        self.draining = False
        self.proxyserver: Proxyserver | None = None
        self.built_in_next_layer: Callable[[layer.NextLayer], None] | None = None
        self.view: View | None = None  # of mitmweb and the console
        self.limits = LimitsPart()  # the configuration's once it is read
        self.tunnels: WeakKeyDictionary[connection.Client, Tunnel] = WeakKeyDictionary()
        self.watchers = Watchers()
        self.watchman = Watchman(self.end_late)
        self._exchanges: WeakKeyDictionary[http.HTTPFlow, Exchange] = WeakKeyDictionary()
        self._seen: deque[http.HTTPFlow] = deque()

    # --- the exchange of a flow

    def begin(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self._exchanges[flow] = exchange

    def exchange_of(self, flow: http.HTTPFlow) -> Exchange | None:
        """None for a flow that no step has admitted."""
        return self._exchanges.get(flow)

    def open_exchange(self, flow: http.HTTPFlow) -> Exchange | None:
        """The exchange, where there is still something to decide; None once it is answered or the flow is broken."""
        exchange = self._exchanges.get(flow)
        if exchange is None or exchange.answered or exchange.gone or flow.error or flow.response:
            return None
        return exchange

    # --- what mitmproxy keeps

    def connection_of(self, client: connection.Client) -> ConnectionHandler | None:
        """Who moves the bytes of a client's connection."""
        return self.proxyserver.connections.get(client.id) if self.proxyserver is not None else None

    def end_tunnels(self, dead: frozenset[str]) -> None:
        """Close the connections of tunnels whose key (by its id) holds no longer."""
        for client, tunnel in list(self.tunnels.items()):
            handler = self.connection_of(client) if tunnel.principal.key_id in dead else None
            transport = handler.transports.get(client) if handler is not None else None
            if transport is not None and transport.handler is not None:
                transport.handler.cancel("the key holds no longer")

    def is_plain(self, client: connection.Connection) -> bool:
        """Whether bytes that are written to the client's transport reach the client as they are."""
        return not client.tls and client not in self.tunnels

    def end_late(self, client: connection.Client, awaited: Awaited) -> None:
        """Close the connection of a client that takes too long."""
        handler = self.connection_of(client)
        io = handler.transports.get(client) if handler is not None else None
        if io is None or io.handler is None:
            return
        if isinstance(io.writer, asyncio.StreamWriter):
            if io.writer.transport.get_write_buffer_size():
                io.writer.transport.abort()  # it would wait for a reader who does not read
            elif awaited in TOLD and self.is_plain(client):
                message = f"GreyFox has waited too long for {awaited.value} (limits)."
                io.writer.write(unreadable(408, message, new_id()))
        io.handler.cancel("the client takes too long")

    async def leave_nothing_open(self, client: connection.Client) -> None:
        """After its connection was given up.

        Where mitmproxy is told to close one while data of its waits to be handled, it neither closes it nor tells the
        layers.
        """
        handler = self.connection_of(client)
        io = handler.transports.pop(client, None) if handler is not None else None
        if handler is None or io is None:
            return
        client.state = connection.ConnectionState.CLOSED
        if io.writer is not None:
            io.writer.close()
        await handler.server_event(events.ConnectionClosed(client))

    def take_limits(self, limits: LimitsPart) -> None:
        """Bounds of what is taken in, from now on."""
        self.limits = limits

    def bound_view(self, flow: http.HTTPFlow) -> None:
        """mitmweb and the console keep every flow for ever: keep the last ones, and bodies of fewer still."""
        if self.view is None:
            return
        self._seen.append(flow)
        if len(self._seen) > KEPT_BODIES:
            old = self._seen[-KEPT_BODIES - 1]
            old.request.content = b""
            if old.response is not None:
                old.response.content = b""
        if len(self._seen) > KEPT_FLOWS:
            self.view.remove([self._seen.popleft()])

    # --- answers

    def refuse(self, flow: http.HTTPFlow, refusal: Refused) -> None:
        """Answer with `refusal` in the caller's dialect; without an exchange in the plainest one."""
        flow.request.headers.pop("expect", None)  # or mitmproxy would ask for the body first
        exchange = self._exchanges.get(flow)
        if exchange is not None and self.app is not None:
            self.app.refuse(exchange, refusal)
            assert exchange.answer is not None
            flow.response = response_of(exchange.answer, flow)
        else:
            flow.response = plain_refusal(refusal)

    def answer(self, flow: http.HTTPFlow, answer: Answer) -> None:
        flow.response = response_of(answer, flow)

    # --- what the layer asks (see layers.Door)

    def patience_with(self, client: connection.Client) -> Patience:
        return self.watchman.of(client)

    def watched(self, hook: str) -> bool:
        return self.watchers.of(hook, own=ENDS_EXCHANGES)

    def finished(self, flow: http.HTTPFlow) -> None:
        """What `Stream` does at the end of an answer, where nobody else is told by hooks."""
        exchange = self._exchanges.get(flow)
        if exchange is not None and self.app is not None:
            self.app.closed(exchange)

    def body_source(self, flow: http.HTTPFlow) -> Any:
        exchange = self._exchanges.get(flow)
        if exchange is None or exchange.answer is None or isinstance(exchange.answer.body, bytes):
            return None
        return exchange.answer.body

    def refuse_too_large(self, flow: http.HTTPFlow) -> None:
        self.refuse(flow, too_large(self.limits.max_body))

    def refuse_unadmitted(self, flow: http.HTTPFlow) -> None:
        self.refuse(flow, Unavailable("No step of GreyFox has admitted this request, so it is not forwarded."))

    def protocol_error(self, flow: http.HTTPFlow | None, status: int, message: str) -> http.Response:
        return plain_error(
            status,
            "greyfox_bad_request" if status < 500 else "greyfox_upstream_failed",
            "The request is not valid HTTP.",
        )

    def client_gone(self, flow: http.HTTPFlow, pull: Pull | None) -> None:
        if pull is not None:
            pull.gone = True
        exchange = self._exchanges.get(flow)
        if exchange is not None:
            exchange.leave()


def guarded(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of an addon with a `house`: whatever it raises is answered, and nothing is forwarded."""
    if inspect.iscoroutinefunction(hook):

        @functools.wraps(hook)
        async def waiting(self: Any, flow: http.HTTPFlow) -> None:
            try:
                await hook(self, flow)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Not we are cancelled, but something that we awaited: passed on, it would leave the caller waiting.
                failed(self.house, flow, error, hook.__qualname__)
            except Exception as error:
                failed(self.house, flow, error, hook.__qualname__)

        return waiting

    @functools.wraps(hook)
    def at_once(self: Any, flow: http.HTTPFlow) -> None:
        try:
            hook(self, flow)
        except Exception as error:
            failed(self.house, flow, error, hook.__qualname__)

    return at_once


def report(house: House, error: BaseException, where: str) -> None:
    """Tell the operator of a hook that raised."""
    serve.report(house.app.metrics if house.app is not None else None, error, where)


def failed(house: House, flow: http.HTTPFlow, error: BaseException, where: str) -> None:
    """Answer for a hook that raised."""
    if not isinstance(error, Refused):
        report(house, error, where)
        error = Unavailable(serve.UNDECIDED, retry_after=1)
    try:
        house.refuse(flow, error)
    except Exception:
        flow.response = plain_refusal(error)
