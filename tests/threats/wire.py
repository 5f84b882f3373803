"""A client that writes any bytes whatever, and reads answers as plainly as can be."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

PATIENCE = 15  # seconds until an answer that never comes fails a test


@dataclass(frozen=True, slots=True)
class Reply:
    """Names of fields are in lower case; of a repeated one the last is kept."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def code(self) -> str:
        """GreyFox's own code, in whichever place the dialect has it; empty where there is none."""
        try:
            given = json.loads(self.body)
        except ValueError:
            return ""
        return code_in(given)


def code_in(given: Any) -> str:
    """GreyFox's code in a JSON body: `code`, `error_code` or `reason`, wherever it stands."""
    if isinstance(given, dict):
        for name, value in given.items():
            if name in ("code", "error_code", "reason") and str(value).startswith("greyfox_"):
                return str(value)
    inner = given.values() if isinstance(given, dict) else given if isinstance(given, list) else ()
    return next((found for value in inner if (found := code_in(value))), "")


class Wire:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Raises ConnectionError where the other side has closed already."""
        self._writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self._writer.drain()

    async def reply(self, *, to_head: bool = False) -> Reply | None:
        """The next answer that is not a 100; None where the connection ends first."""
        while True:
            head = await self._head()
            if head is None or head.status != 100:
                break
        if head is None or to_head or head.status in (204, 304):
            return head
        return Reply(head.status, head.headers, await self._body(head.headers))

    async def interim(self) -> Reply | None:
        """The next head as it comes, a 100 too."""
        return await self._head()

    async def exactly(self, count: int) -> bytes:
        """Exactly so many bytes, past any HTTP."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readexactly(count)

    async def some(self) -> bytes:
        """What has come, past any HTTP/1; empty at the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read(65_536)

    async def ended(self) -> bool:
        """Whether the other side closes, or resets, without another byte."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._reader.read(1) == b""
        except ConnectionError:
            return True

    async def start_tls(self, context: ssl.SSLContext, name: str | None) -> None:
        """TLS over what is open already. Raises ssl.SSLError, ConnectionError."""
        async with asyncio.timeout(PATIENCE):
            await self._writer.start_tls(context, server_hostname=name)

    @property
    def certificate(self) -> dict[str, Any]:
        """The other side's, after `start_tls`."""
        found: dict[str, Any] | None = self._writer.get_extra_info("peercert")
        return found or {}

    async def _head(self) -> Reply | None:
        try:
            async with asyncio.timeout(PATIENCE):
                first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        return Reply(int(first.split(" ")[1]), fields)

    async def _body(self, headers: dict[str, str]) -> bytes:
        async with asyncio.timeout(PATIENCE):
            if "content-length" in headers:
                return await self._reader.readexactly(int(headers["content-length"]))
            if headers.get("transfer-encoding") != "chunked":
                return await self._reader.read()
            body = b""
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                body += await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            await self._reader.readuntil(b"\r\n")
            return body


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """A connection to a port on loopback, closed afterwards."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            writer.transport.abort()


def request(
    method: str,
    target: str,
    *fields: str,
    body: bytes | None = None,
    host: str | None = "127.0.0.1",
    version: str = "1.1",
) -> bytes:
    """One request as bytes, with content-length where a body is given and `host` unless it is None."""
    lines = [f"{method} {target} HTTP/{version}"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += fields
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
