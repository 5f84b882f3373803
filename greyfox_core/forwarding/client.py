"""The pooled client for upstream calls: one connection pool for all callers, a time-out for each phase.

Units: time-outs are seconds, bodies bytes. Redirects are returned, never followed; a body that comes compressed though
nobody asked for that is decompressed; the machine's proxy settings are ignored. A response is either read to its end
(its connection returns to the pool) or closed (which tells the upstream to stop).
Errors: `NothingSent` where the upstream cannot have seen the request; `UpstreamFailed` and `UpstreamTimeout` where it
may have.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import aiohttp
from yarl import URL

from greyfox_core.errors import UpstreamFailed, UpstreamTimeout

KEEP_ALIVE = 25.0  # seconds; below the 30 s and more after which common servers close idle connections


class NothingSent(UpstreamFailed):
    """No connection came about: nothing can have been billed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One outgoing request, complete. `name` is the upstream's, for messages."""

    name: str
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None
    connect_timeout: float
    first_byte_timeout: float
    idle_timeout: float
    ca_file: Path | None = None


class Response:
    """An answer whose head has come."""

    def __init__(self, call: Call, response: aiohttp.ClientResponse) -> None:
        self._call = call
        self._response = response
        self.status = response.status
        self.headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers
        ]
        self.content_type = response.headers.get("content-type", "")

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises UpstreamFailed where it breaks off, UpstreamTimeout where nothing comes for too long.
        """
        content = self._response.content
        try:
            while True:
                data = content.read_nowait()  # mostly it has come with the head: no waiting, no timer
                if not data:
                    async with asyncio.timeout(self._call.idle_timeout):
                        data = await content.readany()
                    if not data:
                        return
                yield data
                if content.at_eof():
                    return
        except TimeoutError:
            raise UpstreamTimeout(
                f"Upstream {self._call.name} sent nothing for {self._call.idle_timeout:g} seconds."
            ) from None
        except (aiohttp.ClientError, OSError):
            raise UpstreamFailed(f"Upstream {self._call.name} broke off its answer.") from None

    async def read(self, limit: int) -> bytes:
        """The whole body; UpstreamFailed where it is longer than `limit` bytes."""
        collected = bytearray()
        async for piece in self.pieces():
            collected += piece
            if len(collected) > limit:
                raise UpstreamFailed(f"The answer of upstream {self._call.name} is longer than {limit:,} bytes.")
        return bytes(collected)

    def close(self) -> None:
        """Give the connection back if the answer was read to its end; else cut it, which stops the upstream."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class UpstreamClient:
    """Opens calls over a shared pool. `start()` needs the running loop; `close()` ends every connection."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[Path, ssl.SSLContext] = {}

    def start(self) -> None:
        """Make the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=65536,
        )

    async def close(self) -> None:
        """End every connection of the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def open(self, call: Call) -> Response:
        """Send `call` and wait for the head of its answer."""
        if self._session is None:
            raise NothingSent("GreyFox is starting or stopping.")
        try:
            async with asyncio.timeout(call.first_byte_timeout):
                response = await self._session.request(
                    call.method,
                    URL(call.url, encoded=True),
                    headers=call.headers,
                    data=call.body,
                    allow_redirects=False,
                    ssl=self._context(call.ca_file),
                    timeout=_timeouts(call.connect_timeout),
                )
        except aiohttp.ConnectionTimeoutError:
            raise _NoConnection(
                f"Upstream {call.name} did not accept a connection in {call.connect_timeout:g} seconds."
            ) from None
        except TimeoutError:
            raise UpstreamTimeout(
                f"Upstream {call.name} did not begin to answer within {call.first_byte_timeout:g} seconds."
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.InvalidURL):
            raise NothingSent(f"Upstream {call.name} could not be reached.") from None
        except (aiohttp.ClientError, OSError):
            raise UpstreamFailed(f"Upstream {call.name} closed the connection before it answered.") from None
        return Response(call, response)

    def _context(self, ca_file: Path | None) -> ssl.SSLContext | bool:
        if ca_file is None:
            return True
        context = self._contexts.get(ca_file)
        if context is None:
            context = self._contexts[ca_file] = ssl.create_default_context(cafile=str(ca_file))
        return context


class _NoConnection(NothingSent, UpstreamTimeout):
    """Both: the caller is told of a time-out, the ledger that nothing was sent."""

    status = UpstreamTimeout.status
    code = UpstreamTimeout.code


@lru_cache(64)
def _timeouts(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)
