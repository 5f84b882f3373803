"""A client that leaves while its upstream is being asked.

The wait ends at once, or with `on_drop: drain` after the time that reading on may take.
"""

import asyncio

from greyfox_core.values.exchange import Exchange


class ClientLeft(Exception):
    """The client has left while its upstream was being asked; everything is settled."""


class Leaving:
    """While inside, a client that leaves ends the waiting, by ClientLeft."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer: asyncio.TimerHandle | None = None
        self._exchange.on_gone = self._left
        if self._exchange.gone:
            self._left()

    def _left(self) -> None:
        accounting = self._exchange.rules.config.accounting
        if accounting.on_drop == "drain":
            self._timer = asyncio.get_running_loop().call_later(accounting.drain_timeout, self._task.cancel)
        else:
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._exchange.on_gone = None
        if self._timer is not None:
            self._timer.cancel()
        if kind is asyncio.CancelledError and self._exchange.gone:
            self._task.uncancel()
            raise ClientLeft from None
