"""A streamed answer on its way: upstream bytes → reader (meter) → cache recorder → client.

One async iterator. Whoever holds it exhausts it or closes it, and either settles the attempt: at the provider's
figures where they came, else by what was received. A break on the upstream's side ends in the dialect's own error
event, or where it has none in `BrokenOff`, so that no client takes a part for the whole.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from greyfox_core.dialects.base import StreamReader
from greyfox_core.errors import Refused
from greyfox_core.forwarding.client import Response
from greyfox_core.quota.attempt import Outcome
from greyfox_core.steps.open_attempt import Background, OpenAttempt, Received

Keep = Callable[[OpenAttempt], object]
"""Called once after settlement with a whole, cacheable answer."""


class BrokenOff(Exception):
    """The upstream broke off and the framing has no way to say so: the connection must be cut."""


class Relay:
    """An async iterator of the pieces for the client.

    `record` sees each piece that goes to the client; `keep` is called where the answer may be stored.
    """

    def __init__(
        self,
        attempt: OpenAttempt,
        response: Response,
        reader: StreamReader,
        background: Background,
        record: Callable[[bytes], None] | None,
        keep: Keep | None,
    ) -> None:
        self._attempt = attempt
        self._response = response
        self._reader = reader
        self._background = background
        self._record = record
        self._keep = keep
        self._started = False
        self._pieces = self._body()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._started = True
        return await self._pieces.__anext__()

    async def aclose(self) -> None:
        """The client wants no more; settles also where not one piece was taken."""
        if self._started:
            await self._pieces.aclose()
        else:
            self._started = True
            await self._pieces.aclose()  # a generator that never ran runs no `finally` either
            self._end("cut-client")

    async def _body(self) -> AsyncGenerator[bytes]:
        reader, record = self._reader, self._record
        outcome: Outcome = "cut-client"
        try:
            async for data in self._response.pieces():
                out = reader.feed(data)
                if out:
                    if record is not None:
                        record(out)
                    yield out
            out = reader.finish()
            outcome = "complete" if reader.complete else "cut-upstream"
            if out:
                if record is not None:
                    record(out)
                yield out
        except Refused as broken:
            outcome = "cut-upstream"
            event = reader.cut(broken, self._attempt.exchange.id)
            if not event:
                raise BrokenOff from None
            yield event
        finally:
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        accounting = self._attempt.exchange.rules.config.accounting
        if outcome == "cut-client" and accounting.on_drop == "drain" and not self._reader.complete:
            self._background.run(self._read_on(accounting.drain_timeout))
            return
        self._response.close()
        self._settle(outcome)

    async def _read_on(self, timeout: float) -> None:
        """The client has left: read to the end for the true figures, within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                async for data in self._response.pieces():
                    self._reader.feed(data)
            self._reader.finish()
        except (Refused, TimeoutError):
            pass  # then it is settled by what came
        finally:
            self._response.close()
            self._settle("drained" if self._reader.complete else "cut-client")

    def _settle(self, outcome: Outcome) -> None:
        reader, attempt = self._reader, self._attempt
        if reader.complete and reader.usage is not None:
            attempt.settle_stated(reader.usage, outcome)
        else:
            received = Received(reader.received_text(), reader.received_chars(), reader.input_known, reader.usage)
            if reader.complete:
                attempt.settle_text(received, outcome)
            else:
                attempt.settle_received(received, outcome)
        if self._keep is not None and outcome == "complete" and reader.cacheable:
            self._keep(attempt)
        del self._attempt, self._keep  # they lead to the exchange, and that to this: nothing is left to the collector
