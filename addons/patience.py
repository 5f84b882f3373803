"""How long clients may take over HTTP/1: for a head, for a body, to come again, to leave, as `limits` says.

One task looks at all connections once a second, so that a request costs no timer.

Units: seconds, monotonic; bytes.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from enum import Enum
from math import inf
from weakref import WeakKeyDictionary

from mitmproxy.connection import Client

from greyfox_core.config.schema import LimitsPart

log = logging.getLogger("greyfox")

LOOK = 1.0
PROGRESS = 1_024  # of a body, in each `body_timeout`
LEAVE = 1.0  # for a client to read its last answer


class Awaited(Enum):
    """What a connection's client is to send, or to do, next."""

    REQUEST = "a request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    UNWANTED = "the rest of a body that was refused"
    LEAVE = "the end of the connection"


TOLD = (Awaited.HEAD, Awaited.BODY)
"""Whoever is too late with these is told so: no answer has gone out."""


class Patience:
    """With the client of one connection. `due` is when it ends."""

    def __init__(self) -> None:
        self.due = inf
        self.awaited: Awaited | None = None
        self._came = 0

    def nothing_awaited(self) -> None:
        """It is our turn."""
        self.due, self.awaited = inf, None

    def wait_for(self, what: Awaited, limits: LimitsPart, came: int = 0) -> None:
        """The client's turn; `came` is how many bytes it has just sent. A head or a body that trickles ends in time."""
        self._came += came
        if what is self.awaited and (what is not Awaited.BODY or self._came < PROGRESS):
            return
        self.awaited, self._came = what, 0
        self.due = time.monotonic() + _limit(what, limits)


def _limit(what: Awaited, limits: LimitsPart) -> float:
    match what:
        case Awaited.REQUEST:
            return limits.idle_timeout
        case Awaited.HEAD:
            return limits.head_timeout
        case Awaited.BODY | Awaited.UNWANTED:
            return limits.body_timeout
        case Awaited.LEAVE:
            return LEAVE


class Watchman:
    """Looks after the connections of all clients. `end` closes one, and is told what was awaited."""

    def __init__(self, end: Callable[[Client, Awaited], None]) -> None:
        self._end = end
        self._watched: WeakKeyDictionary[Client, Patience] = WeakKeyDictionary()
        self._task: asyncio.Task[None] | None = None

    def of(self, client: Client) -> Patience:
        """The patience with this client, watched from now on. Needs a running loop."""
        patience = self._watched.get(client)
        if patience is None:
            patience = self._watched[client] = Patience()
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._look())
        return patience

    def forget(self, client: Client) -> None:
        """Its connection is closed."""
        self._watched.pop(client, None)

    async def stop(self) -> None:
        """No more looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.end_overdue(time.monotonic())

    def end_overdue(self, now: float) -> None:
        """What `now` is too late for."""
        for client, patience in list(self._watched.items()):
            if patience.due <= now and patience.awaited is not None:
                awaited = patience.awaited
                patience.nothing_awaited()
                try:
                    self._end(client, awaited)
                except Exception as error:  # of one connection: the others are to be looked after
                    log.error("Watchman failed: %s", type(error).__name__)
