"""The fast door behind its layer: one request from its head to its answer's last byte, without a flow.

Nothing here knows mitmproxy's layers. The steps are those of the flow door, in one go (`greyfox_core.steps.serve`).
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from mitmproxy import connection

from addons._flow import House, report
from greyfox_core.app import App
from greyfox_core.errors import Unavailable
from greyfox_core.http1 import answers
from greyfox_core.http1.requests import Head, RequestReader
from greyfox_core.steps.leaving import ClientLeft, Leaving
from greyfox_core.steps.relay import BrokenOff
from greyfox_core.steps.serve import UNDECIDED
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer, RequestHead, Source, Way
from greyfox_core.values.principal import Principal
from greyfox_core.values.tunnel import Tunnel

UNSENT = 65_536  # bytes that wait for a slow reader before no more is fetched for it


@dataclass(slots=True, eq=False)
class Call:
    """One request under way. `task` is what its layer waits for; `piece` is the next of an answer that is pulled."""

    app: App
    client: connection.Client
    exchange: Exchange
    to_head: bool
    close: bool  # no other request is read after this one
    task: asyncio.Task[None] | None = None
    piece: bytes | None = None
    sent: bool = False  # the answer has gone out by itself
    cut: bool = False  # the answer broke off: the client must see that
    over: bool = False  # all pieces have been pulled

    def begin(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`, as far as it goes without waiting. Whether that was all of it."""
        self.task = task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
        return task.done()

    def is_open(self) -> bool:
        """Whether there is still an answer to be given."""
        return not (self.exchange.answered or self.exchange.gone)

    def whole(self, answer: Answer) -> bytes:
        """The bytes of an answer that does not come in pieces."""
        body = answer.body
        assert isinstance(body, bytes)
        return answers.whole(answer.status, answer.headers, body, to_head=self.to_head, close=self.close)


class FastDoor:
    """What the layers of all connections share."""

    def __init__(self, house: House) -> None:
        self.house = house

    def reader(self) -> RequestReader:
        """For the requests of one connection."""
        limits, app = self.house.limits, self.house.app
        known = {} if app is None else app.known.parsed
        return RequestReader(limits.max_head, limits.max_body, known)

    def open(self, app: App, client: connection.Client, head: Head, tunnel: Tunnel | None) -> Call | None:
        """A request whose head has come; with all that can be decided on that. None: that failed."""
        call = None
        try:
            if tunnel is None and not self.house.draining:
                known = app.known.recall(head, app.rules)
                if known is not None and (head.length or 0) <= app.rules.config.limits.max_body:
                    return self._call(app, client, head, app.ingress.open_known(known))
            way, host, port = (Way.BASE_URL, "", 0) if tunnel is None else (Way.TUNNEL, tunnel.host, tunnel.port)
            request = RequestHead(head.method, head.path, head.query, head.fields, way, host, port)
            call = self._call(app, client, head, app.ingress.open(request, app.rules))
            bound: Principal | None = tunnel.principal if tunnel is not None else None
            if not app.serve.head(call.exchange, bound, head.length, draining=self.house.draining):
                call.begin(app.serve.caller(call.exchange, bound))
            elif tunnel is None:
                app.known.remember(head, call.exchange)
        except Exception as error:
            report(self.house, error, "FastDoor.open")
            if call is not None:
                self.closed(call)
            return None
        return call

    def _call(self, app: App, client: connection.Client, head: Head, exchange: Exchange) -> Call:
        app.opened(exchange)
        return Call(app, client, exchange, to_head=head.method == "HEAD", close=not head.keep_alive)

    async def serve(self, call: Call, body: bytes, writer: asyncio.StreamWriter | None) -> None:
        """All that follows once the body is there. An answer in pieces is sent by `writer`, if there is one."""
        exchange = call.exchange
        await call.app.serve(exchange, body)
        answer = exchange.answer
        if answer is not None and writer is not None and not isinstance(answer.body, bytes):
            call.sent = True
            await self._send(call, answer, answer.body, writer)

    def failed(self, call: Call) -> bool:
        """Whether the work that was begun failed past every guard. What nobody waits for any more, is stopped."""
        task, call.task = call.task, None
        if task is None:
            return False
        if not task.done():
            return task.cancel()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            report(self.house, error, "FastDoor")
        return task.cancelled() or error is not None

    def refuse(self, call: Call) -> None:
        """For what failed; where an answer is on its way already, the client has to see that it is cut."""
        if call.sent:
            call.cut = True
        else:
            call.app.serve.failed(call.exchange, Unavailable(UNDECIDED, retry_after=1), "FastDoor")

    async def pull(self, call: Call) -> None:
        """Leave the next piece in `call`, or none at the end; for a connection that only its layers can write to."""
        answer = call.exchange.answer
        assert answer is not None and not isinstance(answer.body, bytes)
        handler = self.house.connection_of(call.client)
        try:
            with Leaving(call.exchange, at_once=True):
                if handler is not None:
                    async with asyncio.timeout(call.exchange.rules.config.limits.send_timeout):
                        await handler.drain_writers()
                call.piece = await anext(answer.body)
        except StopAsyncIteration:
            call.over = True
        except ClientLeft:
            pass
        except Exception as error:
            self._broken(call, error)
        finally:
            if call.piece is None and not call.over:
                call.cut = True
                await answer.body.aclose()

    async def _send(self, call: Call, answer: Answer, source: Source, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        try:
            with Leaving(call.exchange, at_once=True):
                writer.write(answers.begun(answer.status, answer.headers, close=call.close))
                async for piece in source:
                    writer.write(answers.chunk(piece))
                    if transport.get_write_buffer_size() > UNSENT:
                        async with asyncio.timeout(call.exchange.rules.config.limits.send_timeout):
                            await writer.drain()
                writer.write(answers.LAST_CHUNK)
                call.over = True
        except ClientLeft:
            pass
        except Exception as error:
            self._broken(call, error)
        finally:
            if not call.over:
                call.cut = True
                await source.aclose()
        if call.cut and transport.get_write_buffer_size() > UNSENT:
            transport.abort()  # it would wait for a reader who does not read

    def _broken(self, call: Call, error: Exception) -> None:
        """The head has gone out: all that is left is to let the client see that the rest is missing."""
        if not isinstance(error, BrokenOff | TimeoutError | ConnectionError):
            report(self.house, error, "FastDoor")

    def gone(self, call: Call) -> None:
        """The client has left: what is done for it ends at once."""
        call.exchange.leave()

    def crashed(self, error: Exception, call: Call | None) -> None:
        """The layer itself failed: nothing more is done for the request."""
        report(self.house, error, "FastLayer")
        if call is not None:
            self.gone(call)
            call.app.abandon(call.exchange)
            self.closed(call)

    def closed(self, call: Call) -> None:
        """Nothing more is done for this request."""
        call.app.closed(call.exchange)

    def hold(self, client: connection.Client) -> None:
        """Take in no more from a client that sends request after request and waits for no answer."""
        if (transport := self.transport_of(client)) is not None:
            transport.pause_reading()

    def go_on(self, client: connection.Client) -> None:
        """Take in what it sends again."""
        if (transport := self.transport_of(client)) is not None:
            transport.resume_reading()

    def transport_of(self, client: connection.Client) -> asyncio.Transport | None:
        """That of a connection which is open."""
        writer = self.writer_of(client)
        if writer is None or writer.is_closing():
            return None
        transport: asyncio.BaseTransport = writer.transport
        return transport if isinstance(transport, asyncio.Transport) else None

    def writer_of(self, client: connection.Client) -> asyncio.StreamWriter | None:
        """Where a plain connection's bytes go."""
        handler = self.house.connection_of(client)
        io = handler.transports.get(client) if handler is not None else None
        return io.writer if io is not None and isinstance(io.writer, asyncio.StreamWriter) else None
