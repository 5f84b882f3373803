"""HTTP as plain values: heads without a socket behind them."""

from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from greyfox_core.record import record

Headers = tuple[tuple[str, str], ...]
"""Fields in order, duplicates kept, names in lower case."""


class Way(StrEnum):
    """How the request came to us."""

    BASE_URL = "base-url"  # origin-form, or HTTP/2 straight to the port
    PROXY = "proxy"  # absolute-form
    TUNNEL = "tunnel"  # inside CONNECT


@record
class RequestHead:
    """A request's head as it arrived. `path` is raw (percent-encoded) and has no query; `query` has no `?`.

    `host` is what the request addresses: the proxied host and port by PROXY and TUNNEL, empty by BASE_URL.
    """

    method: str
    path: str
    query: str
    headers: Headers
    way: Way
    host: str = ""
    port: int = 0

    def get(self, name: str) -> str | None:
        """The first field of that (lower-case) name."""
        for field, value in self.headers:
            if field == name:
                return value
        return None

    def all(self, name: str) -> list[str]:
        """Every field of that (lower-case) name."""
        return [value for field, value in self.headers if field == name]


class Source(Protocol):
    """Pieces of a body as they come."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    def aclose(self) -> Coroutine[Any, Any, None]:
        """Stop: nobody takes any more."""
        ...


@dataclass(slots=True)
class Answer:
    """What goes back to the client. A `body` in bytes is whole; an iterator yields pieces as they come.

    Whoever holds an iterator must exhaust it or `aclose()` it: that is what settles the request.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Source
