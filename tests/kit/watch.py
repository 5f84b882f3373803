"""Waiting for a condition instead of for time."""

import asyncio
from collections.abc import Callable


class Watch:
    """Something that changes; whoever waits for a condition on it looks again at each change."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Future[None]] = set()

    def changed(self) -> None:
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        self._watchers.clear()

    async def until(self, holds: Callable[[], bool], seconds: float | None = None) -> None:
        """Return as soon as `holds()`. Raises TimeoutError after `seconds`, if given."""
        async with asyncio.timeout(seconds):
            while not holds():
                watcher = asyncio.get_running_loop().create_future()
                self._watchers.add(watcher)
                try:
                    await watcher
                finally:
                    self._watchers.discard(watcher)
