"""A client that leaves while its upstream is being asked.

The wait ends at once, or with `on_drop: drain` after the time that reading on may take.
"""

import asyncio

from greyfox_core.values.exchange import Exchange


class ClientLeft(Exception):
    """The client has left while its upstream was being asked; everything is settled."""


class Leaving:
    """While inside, a client that leaves ends the waiting, by ClientLeft.

    `at_once`: also with `on_drop: drain`, for what waits for the client itself and not for an upstream.
    """

    def __init__(self, exchange: Exchange, *, at_once: bool = False) -> None:
        accounting = exchange.rules.config.accounting
        self._exchange = exchange
        self._patience = 0.0 if at_once or accounting.on_drop == "close" else accounting.drain_timeout
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        if self._exchange.gone:
            if not self._patience:  # what follows may not wait at all, and then nothing would end it
                raise ClientLeft
            self._left()
        self._exchange.on_gone = self._left

    def _left(self) -> None:
        if self._patience:
            if self._timer is not None:
                return
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._task.cancel)
        else:
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._exchange.on_gone = None
        if self._timer is not None:
            self._timer.cancel()
        if kind is asyncio.CancelledError and self._exchange.gone:
            self._task.uncancel()
            raise ClientLeft from None
