"""The pooled client for upstream calls: one connection pool for all callers, a time-out for each phase.

Units: time-outs are seconds, bodies bytes. Redirects are returned, never followed; a body that comes compressed though
nobody asked for that is decompressed; the machine's proxy settings are ignored. A response is either read to its end
(its connection returns to the pool) or closed (which tells the upstream to stop).
Errors: `NothingSent` where the upstream cannot have seen the request; `UpstreamFailed` and `UpstreamTimeout` where it
may have.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from greyfox_core.errors import UpstreamFailed, UpstreamTimeout
from greyfox_core.forwarding.http1_connection import Http1Connection, Way
from greyfox_core.forwarding.http1_request import head_of, split
from greyfox_core.forwarding.pool import Pool
from greyfox_core.forwarding.response import Response
from greyfox_core.forwarding.tls import Contexts

__all__ = ["Call", "NothingSent", "Response", "UpstreamClient"]

REPEATABLE = frozenset(("GET", "HEAD"))
"""Methods that an upstream may see twice: nothing is generated, nothing billed."""


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


class UpstreamClient:
    """Opens calls over a shared pool. `start()` needs the running loop; `close()` ends every connection."""

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._contexts = Contexts()

    def start(self) -> None:
        """Make the pool."""
        self._pool = Pool()

    async def close(self) -> None:
        """End every connection of the pool."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def open(self, call: Call) -> Response:
        """Send `call` and wait for the head of its answer."""
        pool = self._pool
        if pool is None:
            raise NothingSent("GreyFox is starting or stopping.")
        deadline = asyncio.get_running_loop().time() + call.first_byte_timeout
        try:
            origin, target = split(call.url)
            head = head_of(call.method, target, origin, call.headers, call.body)
            way = Way(origin.host, origin.port, await self._contexts.of(call.ca_file) if origin.secure else None)
        except (ValueError, OSError):
            raise _not_reached(call) from None
        connection = pool.take(way)
        if connection is not None:
            response = await _answered(call, connection, head, deadline, again=call.method in REPEATABLE)
            if response is not None:
                return response
        connection = await _connected(call, pool, way)
        response = await _answered(call, connection, head, deadline)
        assert response is not None
        return response


async def _connected(call: Call, pool: Pool, way: Way) -> Http1Connection:
    """A new connection, over which nothing has gone."""
    patience = min(call.connect_timeout, call.first_byte_timeout)
    try:
        return await pool.connect(way, patience)
    except TimeoutError:
        raise _NoConnection(f"Upstream {call.name} did not accept a connection in {patience:g} seconds.") from None
    except (OSError, ValueError):
        raise _not_reached(call) from None


async def _answered(
    call: Call, connection: Http1Connection, head: bytes, deadline: float, *, again: bool = False
) -> Response | None:
    """Send the request and wait for the head; None: the connection was dead, and the call may be made `again`."""
    incoming = connection.ask(head, call.body, bodyless=call.method == "HEAD")
    try:
        await incoming.head(deadline)
    except TimeoutError:
        raise UpstreamTimeout(
            f"Upstream {call.name} did not begin to answer within {call.first_byte_timeout:g} seconds."
        ) from None
    except OSError:
        if again and incoming.unanswered:
            return None
        raise UpstreamFailed(f"Upstream {call.name} closed the connection before it answered.") from None
    except BaseException:
        connection.cut()
        raise
    return Response(call.name, incoming, call.idle_timeout)


def _not_reached(call: Call) -> NothingSent:
    return NothingSent(f"Upstream {call.name} could not be reached.")


class _NoConnection(NothingSent, UpstreamTimeout):
    """Both: the caller is told of a time-out, the ledger that nothing was sent."""

    status = UpstreamTimeout.status
    code = UpstreamTimeout.code
