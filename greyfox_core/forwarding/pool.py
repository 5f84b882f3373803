"""Connections that are open and free, by where they lead; and new ones.

A connection belongs to one server and one TLS context. The one that was used last is used next, so that the others
grow old and close. Nothing is sent over one that its server has closed or that said something unasked.
Units: seconds.
Errors: TimeoutError and OSError (ssl.SSLError is one) where no connection comes about.
"""

import asyncio

from greyfox_core.forwarding.dialling import dial
from greyfox_core.forwarding.http1_connection import Http1Connection, Way


class Pool:
    """All connections of a loop. It has no limit: every call has one of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: set[Http1Connection] = set()
        self._free: dict[Way, dict[Http1Connection, None]] = {}
        self._closed: asyncio.Future[None] | None = None

    def take(self, way: Way) -> Http1Connection | None:
        """A free connection that can be used, if there is one."""
        free = self._free.get(way)
        while free:
            connection, _ = free.popitem()
            if connection.usable():
                return connection
            connection.cut()
        return None

    async def connect(self, way: Way, patience: float) -> Http1Connection:
        """A new one, within `patience` seconds."""
        async with asyncio.timeout(patience):
            _, connection = await self._loop.create_connection(
                lambda: Http1Connection(self, way, self._loop),
                sock=await dial(way.host, way.port),
                ssl=way.context,
                server_hostname=None if way.context is None else way.host,
            )
        if self._closed is not None or connection.over:
            connection.cut()
            raise ConnectionError
        return connection

    async def close(self) -> None:
        """End every connection, also those with an answer under way."""
        self._closed = self._loop.create_future()
        for connection in list(self._open):
            connection.cut()
        if self._open:
            await self._closed

    # --- the connections' side

    def made(self, connection: Http1Connection) -> None:
        """It is open; whoever waited for it has it next."""
        self._open.add(connection)

    def free(self, connection: Http1Connection) -> None:
        """Its answer is whole."""
        self._free.setdefault(connection.way, {})[connection] = None

    def ended(self, connection: Http1Connection) -> None:
        """It is closed, on whichever side."""
        self._open.discard(connection)
        free = self._free.get(connection.way)
        if free is not None:
            free.pop(connection, None)
            if not free:
                del self._free[connection.way]
        if self._closed is not None and not self._open and not self._closed.done():
            self._closed.set_result(None)
