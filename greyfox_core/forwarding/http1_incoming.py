"""One answer as it comes: its head, and what of its body nobody has taken yet.

The connection writes here, one reader reads. What has come is taken without waiting; only where nothing has come does
a future arise. Data that came before a failure is read before the failure is told.
Units: bytes; instants are the loop's clock in seconds.
Errors: TimeoutError where nothing came in time, ConnectionError where the connection ended or spoke no HTTP.
"""

import asyncio
from typing import Protocol

NEVER = float("inf")


class Line(Protocol):
    """What an answer asks of the connection that it comes over."""

    def expect(self, deadline: float) -> None:
        """Fail the answer at `deadline` unless something of it comes before."""

    def resume(self) -> None:
        """Read on: what was unread is taken."""

    def drop(self, incoming: "Incoming") -> None:
        """Nobody wants the rest: cut the connection, unless it has this answer behind it."""


class Incoming:
    """Made with the request; its head is there after `head()`."""

    __slots__ = (
        "_line",
        "_loop",
        "_pieces",
        "_waiter",
        "bodyless",
        "complete",
        "failure",
        "fields",
        "head_came",
        "headers",
        "paused",
        "status",
        "unanswered",
        "unread",
    )

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop, bodyless: bool) -> None:
        """`bodyless`: the request was a HEAD."""
        self._line = line
        self._loop = loop
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self.bodyless = bodyless
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.fields: dict[str, str] = {}  # the first of each name
        self.head_came = False
        self.complete = False
        self.unread = 0
        self.paused = False  # the connection reads on when all is taken
        self.failure: type[OSError] | None = None
        self.unanswered = False  # it failed before a single byte came

    # --- the connection's side

    def add(self, data: bytes) -> None:
        """A piece of the body has come."""
        self._pieces.append(data)
        self.unread += len(data)
        if self._waiter is not None:
            self.wake()

    def finish(self) -> None:
        """All has come."""
        self.complete = True
        self.wake()

    def fail(self, failure: type[OSError]) -> None:
        """Nothing more will come."""
        self.failure = failure
        self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            self._line.expect(NEVER)
            if not waiter.done():
                waiter.set_result(None)

    # --- the reader's side

    async def head(self, deadline: float) -> None:
        """Wait until the head is here."""
        while not self.head_came:
            await self._wait(deadline)

    async def more(self, patience: float) -> None:
        """Wait, `patience` seconds at most, until there is something to take or all is taken."""
        while not self._pieces and not self.complete:
            await self._wait(self._loop.time() + patience)

    def take(self) -> bytes:
        """All that waits, which may be nothing."""
        pieces = self._pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.unread = 0
        if self.paused:
            self.paused = False
            self._line.resume()
        return data

    def close(self) -> None:
        """The rest is not wanted."""
        self._line.drop(self)

    async def _wait(self, deadline: float) -> None:
        if self.failure is not None:
            raise self.failure
        waiter = self._waiter = self._loop.create_future()
        self._line.expect(deadline)
        try:
            await waiter
        finally:
            # Cancelled. After `wake` the connection may be another request's already: hands off its deadline.
            if self._waiter is waiter:
                self._waiter = None
                self._line.expect(NEVER)
