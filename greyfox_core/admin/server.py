"""The admin listener: `/healthz`, `/readyz`, `/metrics`, on a socket of its own.

A browser on the same machine can be made to send requests here (DNS rebinding), but not to forge `Host`: a name that is
not this listener's own is refused before anything is looked at.

Errors: ConfigError where the address cannot be used, with what to do.
"""

import asyncio
import errno
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from greyfox_core.errors import ConfigError
from greyfox_core.metrics import CONTENT_TYPE, Metrics

SHUTDOWN = 2.0  # seconds that running admin requests get


class AdminServer:
    """`readiness` gives the reasons why this node should get no requests; none: it is ready."""

    def __init__(
        self,
        listen: str,
        readiness: Callable[[], list[str]],
        metrics: Metrics,
        *,
        hosts: Sequence[str] = (),
    ) -> None:
        """`listen` is `host:port`, port 0 for any free one. `hosts` are further names under which it may be addressed.

        Raises ConfigError for an address that cannot be read.
        """
        self._host, self._port = _address(listen)
        self._readiness = readiness
        self._metrics = metrics
        self._names = {self._host, "localhost", *(host.lower() for host in hosts)}
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it really listens on, once started."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Listen. Raises ConfigError where the address is taken or not this machine's."""
        app = web.Application(middlewares=[self._guard], client_max_size=65_536)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics_page),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(_why(self._host, self._port, error)) from None
        self._runner = runner

    async def stop(self) -> None:
        """Close the listener and its connections."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer: web.StreamResponse
        if all(map(self._is_ours, request.headers.getall(hdrs.HOST, ()))):
            try:
                answer = await handler(request)
            except web.HTTPException as error:  # unknown path or method
                answer = web.Response(status=error.status, text=f"{error.reason}\n")
        else:
            answer = web.Response(
                status=421, text="This is GreyFox's admin listener, and that host name is not its own.\n"
            )
        answer.headers["x-content-type-options"] = "nosniff"
        answer.headers["cache-control"] = "no-store"
        return answer

    def _is_ours(self, host: str) -> bool:
        """An address is fine where we listen on it: no page can have been loaded from a rebound name then."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in self._names:
            return True
        try:
            address = ip_address(name)
            own = ip_address(self._host)
        except ValueError:
            return False
        return own.is_unspecified or address == own or (own.is_loopback and address.is_loopback)

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        reasons = self._readiness()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def _metrics_page(self, request: web.Request) -> web.Response:
        body = await asyncio.to_thread(self._metrics.exposition)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f'"{listen}" is no address to listen on: admin.listen is host:port, as in 127.0.0.1:8090.')
    return host.strip("[]").lower(), int(port)


def _why(host: str, port: int, error: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = {
        errno.EADDRINUSE: "another program listens there",
        errno.EACCES: "ports below 1024 need privileges",
    }.get(error.errno or 0, "this machine has no such address")
    return f"The admin listener cannot use {where}: {reason}. Choose another address as admin.listen."
