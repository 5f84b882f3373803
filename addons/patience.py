"""How long the clients of the fast door may take: for a head, for a body, to come again, as `limits` says.

One task looks at all connections once a second, so that a request costs no timer.

Units: seconds, monotonic; bytes.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from enum import Enum
from math import inf
from weakref import WeakSet

from greyfox_core.config.schema import LimitsPart

LOOK = 1.0
PROGRESS = 1_024  # of a body, in each `body_timeout`


class Awaited(Enum):
    """What a connection's client is to send next."""

    REQUEST = "a request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"


class Patience:
    """Of one connection. `due` is when it ends."""

    def __init__(self) -> None:
        self.due = inf
        self.awaited: Awaited | None = None
        self.end: Callable[[Awaited], None] | None = None
        self._came = 0

    def nothing_awaited(self) -> None:
        """It is our turn."""
        self.due, self.awaited = inf, None

    def wait_for(self, what: Awaited, limits: LimitsPart, came: int) -> None:
        """The client's turn; `came` is how many bytes it has just sent. A head or a body that trickles ends in time."""
        self._came += came
        if what is self.awaited and not (what is Awaited.BODY and self._came >= PROGRESS):
            return
        self.awaited, self._came = what, 0
        self.due = time.monotonic() + _limit(what, limits)


def _limit(what: Awaited, limits: LimitsPart) -> float:
    match what:
        case Awaited.REQUEST:
            return limits.idle_timeout
        case Awaited.HEAD:
            return limits.head_timeout
        case Awaited.BODY:
            return limits.body_timeout


class Watchman:
    """Ends the connections whose patience is at its end. `end` is told what was awaited."""

    def __init__(self) -> None:
        self._watched: WeakSet[Patience] = WeakSet()  # each knows its connection: a value here would keep its key alive
        self._task: asyncio.Task[None] | None = None

    def watch(self, patience: Patience, end: Callable[[Awaited], None]) -> None:
        """From now on; `end` closes the connection. Needs a running loop."""
        patience.end = end
        self._watched.add(patience)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look())

    def forget(self, patience: Patience) -> None:
        """The connection is closed, or another's."""
        patience.end = None
        self._watched.discard(patience)

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
        for patience in list(self._watched):
            if patience.due <= now and patience.awaited is not None and (end := patience.end) is not None:
                self.forget(patience)
                end(patience.awaited)
