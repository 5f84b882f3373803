"""From the writer's thread back to the event loops that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

Future = asyncio.Future[Any]


def tell(results: Iterable[tuple[Future, Any]]) -> None:
    """Hand results to the loops that wait: an exception, a value in a tuple, or None. One wake-up a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Future, Any]]] = {}
    for waiter, result in results:
        by_loop.setdefault(waiter.get_loop(), []).append((waiter, result))
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, told)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            continue


def _resolve(told: list[tuple[Future, Any]]) -> None:
    for waiter, result in told:
        if waiter.done():
            continue
        if isinstance(result, Exception):
            waiter.set_exception(result)
        else:
            waiter.set_result(result[0] if result is not None else None)
