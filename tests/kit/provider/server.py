"""The stand-in provider: a real HTTP server on loopback that speaks every dialect and keeps its own bill.

    async with Provider() as provider:
        provider.once(Behaviour(status=503), path="/v1/chat/completions")
        ... requests to provider.url ...
        assert provider.bill().output_tokens == 12

What is billed when: the input as soon as the request is taken; a plain answer's output then too (a model that has begun
does not stop because the caller left); a stream's output event by event, as the events leave.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from tests.kit.provider.answer import Event
from tests.kit.provider.behaviour import Behaviour, Gate, Rules
from tests.kit.provider.bill import Bill, Entry, Totals
from tests.kit.provider.calls import Call, call_of, place
from tests.kit.provider.checks import checked_body
from tests.kit.provider.compose import JSON, Reply, compose, told
from tests.kit.provider.refusals import Refused
from tests.kit.provider.sending import charge_rest, send
from tests.kit.provider.store import Stored

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-5.4", "claude-sonnet-5-5", "gemini-3.8-flash", "llama3", "standin-embed")
MAX_BODY = 256 * 1024 * 1024


class Provider:
    """`credentials`: where given, a request must carry one of them, in any slot. `keep`: how many entries are kept."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        models: Sequence[str] = MODELS,
        credentials: Collection[str] | None = None,
        keep: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.connections = 0  # TCP connections accepted since the start
        self.models = tuple(models)
        self._tls = tls
        self._address = (host, port)
        self._credentials = credentials
        self._clock = clock
        self._book = Bill(keep)
        self._rules = Rules()
        self._stored = Stored()
        self._gates: set[Gate] = set()
        self._serial = 0
        self._stopping = False
        self._http: web.Server | None = None
        self._listener: asyncio.Server | None = None

    # --- life

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        # With cancellation, a handler that waits before a gate learns at once that the client has left.
        self._http = web.Server(
            self._serve, request_factory=_request, handler_cancellation=True, access_log=None, keepalive_timeout=3600
        )
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._listener = await loop.create_server(self._accept, host, port, ssl=self._tls, backlog=1024)
        self._address = (host, self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything; whoever still waits for an answer sees the connection end."""
        self._stopping = True
        if self._listener is not None and self._http is not None:
            self._listener.close()
            for gate in self._gates:
                gate.release()
            for connection in self._http.connections:
                connection.force_close()
                if connection.transport is not None:
                    connection.transport.abort()
            await self._http.shutdown(0.1)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _accept(self) -> RequestHandler:
        assert self._http is not None
        self.connections += 1
        return self._http()

    # --- for tests

    @property
    def port(self) -> int:
        return self._address[1]

    @property
    def url(self) -> str:
        """Scheme, host and port, without a path."""
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self.port}"

    @property
    def requests(self) -> list[Entry]:
        """The entries kept, oldest first."""
        return list(self._book.entries)

    def bill(self) -> Totals:
        """What all requests have cost up to now."""
        return self._book.totals

    def always(self, behaviour: Behaviour, *, path: str = "*", model: str = "*") -> None:
        """Every request that fits behaves so, from now on. `path` and `model` are shell patterns."""
        self._rules.add(behaviour, path=path, model=model)

    def once(self, *behaviours: Behaviour, path: str = "*", model: str = "*") -> None:
        """The next requests that fit behave so, one each, in this order; they come before `always`."""
        for behaviour in behaviours:
            self._rules.add(behaviour, path=path, model=model, times=1)

    async def until(self, holds: Callable[[], bool], seconds: float = 10) -> None:
        """Return as soon as `holds()`, which may look at `requests` and `bill()`. Raises TimeoutError."""
        await self._book.watch.until(holds, seconds)

    def reset(self) -> None:
        """Forget entries, totals, behaviours and stored objects; held answers are let out."""
        for gate in self._rules.gates():
            gate.release()
        self._book.clear()
        self._rules.clear()
        self._stored.clear()

    # --- one request

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/_"):
            return await self._admin(request)
        self._serial += 1
        entry = Entry(
            serial=self._serial,
            at=self._clock(),
            method=request.method,
            path=request.raw_path.partition("?")[0],
            query=dict(request.query),
            headers=_joined(request),
        )
        self._book.add(entry)
        behaviour = Behaviour()
        reply: Reply | None = None
        try:
            entry.body_bytes = await request.read()
            with contextlib.suppress(ValueError):
                entry.body = orjson.loads(entry.body_bytes)
            behaviour, reply = self._reply(request.path, entry)
            if behaviour.gate is not None:
                self._gates.add(behaviour.gate)
            return await send(request, self._book, entry, behaviour, reply)
        except (asyncio.CancelledError, ConnectionError):
            if not (self._stopping or entry.cut):
                if behaviour.bills_after_drop and reply is not None:
                    charge_rest(self._book, entry, reply)
                self._book.drop(entry)
            raise
        finally:
            if behaviour.gate is not None:
                self._gates.discard(behaviour.gate)
                behaviour.gate.leave()
            self._book.watch.changed()

    def _reply(self, path: str, entry: Entry) -> tuple[Behaviour, Reply]:
        behaviour = Behaviour()
        try:
            entry.dialect, entry.endpoint, model, stored_id = place(entry.method, path, entry.headers, entry.query)
            given = entry.body.get("model", "") if isinstance(entry.body, dict) else ""
            entry.model = model or str(given)
            behaviour = self._rules.take(path, entry.model)
            if behaviour.body is not None or behaviour.status != 200:
                return behaviour, told(entry.dialect, behaviour)
            self._check_credential(entry)
            body = checked_body(entry.dialect, entry.endpoint, entry.method, model, entry.headers, entry.body)
            call = call_of(entry.dialect, entry.endpoint, model, stored_id, entry.query, body)
            entry.stream = call.stream
            return behaviour, self._composed(call, behaviour, entry)
        except Refused as refused:
            if not entry.dialect:  # a path that nobody serves may still be told to answer
                behaviour = self._rules.take(path, "")
                if behaviour.body is not None or behaviour.status != 200:
                    return behaviour, told(refused.dialect, behaviour)
            return behaviour, Reply(refused.status, JSON, [Event(refused.body())])

    def _composed(self, call: Call, behaviour: Behaviour, entry: Entry) -> Reply:
        if call.endpoint == "stored":
            return Reply(200, JSON, [Event(self._stored.fetch(call.stored_id, delete=entry.method == "DELETE"))])
        call = self._stored.with_history(call)
        reply = compose(call, behaviour, entry.serial, self.models)
        if reply.answer is not None and call.endpoint == "responses":
            self._stored.remember(reply.answer)
        return reply

    def _check_credential(self, entry: Entry) -> None:
        if self._credentials is None:
            return
        headers = entry.headers
        carried = [headers.get(name, "") for name in ("x-api-key", "api-key", "x-goog-api-key")]
        carried += [headers.get("authorization", "").removeprefix("Bearer "), entry.query.get("key", "")]
        if not any(credential in self._credentials for credential in carried):
            raise Refused(entry.dialect, 401, "Incorrect API key provided.", code="invalid_api_key")

    # --- the admin path, for a provider in a process of its own

    async def _admin(self, request: web.BaseRequest) -> web.Response:
        """GET /_bill[?entries=1], POST /_reset, POST /_behave {behaviour, path, model, times}, POST /_release."""
        match request.path:
            case "/_bill":
                told_: dict[str, Any] = {"totals": asdict(self.bill()), "connections": self.connections}
                if "entries" in request.query:
                    told_["requests"] = [entry.as_json() for entry in self._book.entries]
                return web.json_response(told_)
            case "/_reset":
                self.reset()
            case "/_behave":
                given = await request.json()
                try:
                    behaviour = Behaviour.from_json(given["behaviour"])
                except (ValueError, TypeError) as error:
                    return web.json_response({"error": str(error)}, status=400)
                where = {"path": given.get("path", "*"), "model": given.get("model", "*")}
                self._rules.add(behaviour, times=given.get("times"), **where)
            case "/_release":
                for gate in [*self._gates, *self._rules.gates()]:
                    gate.release()
            case _:
                return web.json_response({"error": "no such path"}, status=404)
        return web.json_response({"ok": True})


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


def _joined(request: web.BaseRequest) -> dict[str, str]:
    """Header names in lower case; a repeated one keeps every value."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    return headers
