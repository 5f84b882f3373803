"""One attempt at one upstream, from its durable reservation to its settlement.

However it ends, exactly one of the `settle_*` methods or `release` is called; a second call changes nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import ceil
from typing import Any

from greyfox_core.clock import Clock
from greyfox_core.dialects.base import Dialect
from greyfox_core.errors import Unavailable
from greyfox_core.forwarding.estimate import Dropped, worst_case
from greyfox_core.metrics import Metrics
from greyfox_core.quota.admission import Admission
from greyfox_core.quota.attempt import Outcome, Reservation, Settlement
from greyfox_core.tokens.count import TokenCounter
from greyfox_core.tokens.encodings import BrokenData
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.target import Target
from greyfox_core.values.usage import Usage


class Background:
    """Work that outlives its request: late counting, reading on. Ended before the stores close."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin `work` now; it is kept alive until it is done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finished(self, seconds: float) -> None:
        """Until nothing is left to do; what takes longer than `seconds` is cancelled and settles by what it has."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=seconds)
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(list(self._tasks))


@dataclass(frozen=True, slots=True)
class Books:
    """What an attempt needs to be booked."""

    admission: Admission
    counter: TokenCounter
    metrics: Metrics
    clock: Clock
    background: Background


@dataclass(frozen=True, slots=True)
class Received:
    """What came of an answer that told no final usage.

    `text` is what was kept of it, `chars` how many characters came in all. `input_known` is input tokens that were
    stated all the same, `at_least` a running total.
    """

    text: str = ""
    chars: int = 0
    input_known: int | None = None
    at_least: Usage | None = None

    def scaled(self, tokens: int) -> int:
        """Tokens of all that came, by those of the text that was kept."""
        return ceil(tokens * max(1.0, self.chars / len(self.text))) if self.text else 0


class OpenAttempt:
    """`input_estimate` is tokens; `started` monotonic seconds, when the call was sent.

    Where the estimate is not `exact`, it is a bound that sufficed to admit: the prompt is counted only if its figure is
    needed after all, because the provider states none.
    """

    def __init__(
        self,
        books: Books,
        exchange: Exchange,
        target: Target,
        dialect: Dialect,
        reservation: Reservation,
        input_estimate: int,
        *,
        exact: bool,
    ) -> None:
        assert exchange.parsed is not None
        self._books = books
        self.exchange = exchange
        self.target = target
        self.dialect = dialect
        self.reservation = reservation
        self.input_estimate = input_estimate
        self.exact = exact
        self.parsed: ParsedRequest = exchange.parsed
        self.started = books.clock.monotonic()
        self.first_byte: float | None = None  # monotonic seconds
        self.status: int | None = None
        self._closed = False

    def head_came(self, status: int) -> None:
        """The upstream has begun to answer."""
        self.status = status
        self.first_byte = self._books.clock.monotonic()
        self._books.metrics.first_byte(self.target.upstream, self.first_byte - self.started)

    def release(self) -> None:
        """No byte went out: nothing can have been billed."""
        if not self._closed:
            self._closed = True
            self._books.admission.release_soon(self.reservation)

    def settle_stated(self, usage: Usage, outcome: Outcome = "complete") -> None:
        """By the provider's own figures."""
        self._settle(usage, False, outcome)
        counted = self.exchange.rules.config.accounting.input_bound == "tokens"
        if outcome == "complete" and counted and self.exact and not self.parsed.unbounded:
            self._books.counter.learn(self.target.model, self.input_estimate, usage.input_total)

    def settle_unbilled(self) -> None:
        """The provider refused it: providers do not bill an error that they answer at once."""
        self._settle(Usage(), False, "failed")

    async def count_ahead(self, received: Received) -> None:
        """Count what the attempt will be settled by, so that settling it needs not wait: the answer's head tells it."""
        counter, model = self._books.counter, self.target.model
        try:
            if not self.exact:
                self.input_estimate, self.exact = await counter.count(self._prompt(), model), True
            if received.text:
                await counter.count(_text(received), model)
        except Unavailable:
            pass  # then it is settled when there is time to count
        except BaseException:
            self._settle(worst_case(self.input_estimate, self.reservation.reserved_output), True, "cut-client")
            raise

    def settle_worst(self, outcome: Outcome) -> None:
        """Nothing can be known of what was produced: all that was set aside."""
        self._count(Received(), outcome, lambda sent, _: worst_case(sent, self.reservation.reserved_output))

    def settle_text(self, received: Received, outcome: Outcome) -> None:
        """The answer is whole but states no usage: by its text, counted off the loop where it is long."""

        def usage(sent: int, tokens: int) -> Usage:
            return Usage(sent, min(tokens, self.reservation.reserved_output))

        self._count(received, outcome, usage)

    def settle_received(self, received: Received, outcome: Outcome) -> None:
        """The answer was cut: by what had come, plus what can have been produced beyond it."""
        seconds = self._books.clock.monotonic() - self.started

        def usage(sent: int, tokens: int) -> Usage:
            return Dropped(
                input_estimate=sent,
                reserved_output=self.reservation.reserved_output,
                received=tokens,
                seconds=seconds,
                model=self.target.model,
                thinks="thinking" in self.parsed.body,
                at_least=received.at_least,
            ).usage(self.exchange.rules.config.accounting.drop_margin)

        self._count(received, outcome, usage)

    def _count(self, received: Received, outcome: Outcome, usage: Callable[[int, int], Usage]) -> None:
        """Settle by `usage` of the tokens that were sent and that came; off the loop where they are long to count."""
        if self._closed:
            return
        sent = self._sent_now(received)
        came = self._books.counter.count_now(_text(received), self.target.model) if received.text else 0
        if sent is None or came is None:
            self._books.background.run(self._count_off_the_loop(received, outcome, usage))
        else:
            self._settle(usage(sent, received.scaled(came)), True, outcome)

    async def _count_off_the_loop(
        self, received: Received, outcome: Outcome, usage: Callable[[int, int], Usage]
    ) -> None:
        counter, model = self._books.counter, self.target.model
        try:
            sent = self._sent_now(received)
            if sent is None:
                sent = await counter.count(self._prompt(), model)
            came = await counter.count(_text(received), model) if received.text else 0
        except BaseException as error:  # too much waits to be counted; or the gateway stops
            self._settle(worst_case(self.input_estimate, self.reservation.reserved_output), True, outcome)
            if not isinstance(error, Unavailable | BrokenData):
                raise
        else:
            self._settle(usage(sent, received.scaled(came)), True, outcome)

    def _sent_now(self, received: Received) -> int | None:
        """Input tokens as far as they are known, or quickly counted."""
        if received.input_known is not None:
            return received.input_known
        return self.input_estimate if self.exact else self._books.counter.count_now(self._prompt(), self.target.model)

    def _prompt(self) -> Prompt:
        return self.dialect.prompt(self.parsed, self.target.model)

    def _settle(self, usage: Usage, estimated: bool, outcome: Outcome) -> None:
        if self._closed:
            return
        self._closed = True
        now = self._books.clock.monotonic()
        settled = self._books.admission.settle_soon(
            self.reservation,
            Settlement(
                usage=usage,
                estimated=estimated,
                outcome=outcome,
                status=self.status,
                first_byte_ms=None if self.first_byte is None else (self.first_byte - self.started) * 1000,
                duration_ms=(now - self.started) * 1000,
            ),
        )
        if outcome != "failed" or self.exchange.usage is None:
            self.exchange.usage = settled.usage
            self.exchange.estimated = settled.estimated
        self._books.metrics.settled(self.target.upstream, self.target.model, settled)


def _text(received: Received) -> Prompt:
    return Prompt(texts=(received.text,))
