"""Is this caller's attempt admitted? Reserve before it is forwarded, settle when its answer ends.

Memory decides, the journal remembers: what is decided between two awaits holds, and no reservation is handed out
before the journal has it on disk. Entries reach the journal in the order in which memory changed, so the database
shows only states that memory went through: settled plus reserved is within the limit there too, at every commit.

Units:   tokens; durations are milliseconds.
Errors:  QuotaExhausted, QuotaBusy, RateLimited, StoreUnavailable (greyfox_core.errors).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from greyfox_core.clock import Clock
from greyfox_core.config.schema import Config
from greyfox_core.errors import StoreUnavailable
from greyfox_core.quota.attempt import Attempt, Reservation, Settled, Settlement
from greyfox_core.quota.book import Book, Plan
from greyfox_core.quota.counter import Charge
from greyfox_core.quota.ports import Changes, Closing, Counters, Journal, Line, Overrides
from greyfox_core.quota.reckoning import Ask, Block, booked, charge_of, fits, is_ample, room_for, used_up
from greyfox_core.quota.refusals import refusal, too_fast
from greyfox_core.quota.standing import Standing, shown_for, tightest
from greyfox_core.values.principal import Principal
from greyfox_core.values.usage import Usage

_NOTHING = Usage()
_RELEASED = Settled(_NOTHING, estimated=False)


class Admission:
    """Quotas and rate limits of one node. Used from one event loop."""

    def __init__(
        self, config: Config, journal: Journal, counters: Counters, clock: Clock, overrides: Overrides | None = None
    ) -> None:
        self._journal = journal
        self._counters = counters
        self._clock = clock
        self._book = Book(config, counters, overrides or {})
        self._charge_hits = config.accounting.charge_cache_hits
        self._open: dict[int, Reservation] = {}

    def reconfigure(self, config: Config) -> None:
        """Quotas and rates of a new configuration; what is settled and reserved stays."""
        self._charge_hits = config.accounting.charge_cache_hits
        self._book.reconfigure(config)

    def apply(self, changes: Changes) -> None:
        """What operators changed in the store: limits and corrections."""
        self._book.apply(changes)

    @property
    def in_flight(self) -> int:
        """How many reservations are open."""
        return len(self._open)

    def ready(self, who: Principal, model: str) -> bool:
        """Whether `check` can decide from memory; otherwise `prepare` first."""
        return self._book.ready(who, model, self._clock.now())

    async def prepare(self, who: Principal, model: str) -> None:
        """Bring the counters of the current periods into memory. Raises StoreUnavailable."""
        now = self._clock.now()
        if not self._book.ready(who, model, now):
            await self._book.prepare(who, model, now)

    def check(self, who: Principal, model: str, *, produces_output: bool = True) -> None:
        """Refuse a caller whose quota is used up or who comes too fast; counts one request for the rate limits.

        Decides in memory and writes nothing. `produces_output` False: an output quota does not matter (embeddings).
        """
        plan = self._known(who, model)
        if plan.counters and (block := used_up(plan.counters, produces_output=produces_output)):
            raise refusal(block, self._clock.now())
        if plan.requests:
            self._take(plan, "requests", 1)

    async def reserve(
        self,
        attempt: Attempt,
        *,
        input_tokens: int,
        asked_cap: int | None,
        model_max: int,
        choices: int = 1,
        floor: int = 1,
        produces_output: bool = True,
    ) -> Reservation:
        """Set aside what the attempt may cost on every matching quota, or on none; durable on return.

        Caps are tokens a choice: `asked_cap` the caller's own, `model_max` the model's maximum, `floor` the least with
        which the request makes sense. Cancelled while it waits, it leaves nothing reserved.
        """
        ask = Ask(input_tokens, asked_cap, model_max, choices, floor, produces_output)
        now = self._clock.now()
        if not self._book.ready(attempt.principal, attempt.model, now):
            await self._book.prepare(attempt.principal, attempt.model, now)
            now = self._clock.now()
        reservation = self._admit(attempt, ask, now)
        try:
            await self._journal.reserve(reservation)
        except StoreUnavailable:
            self._give_back(reservation)
            raise
        except BaseException:  # cancelled: the entry may be on its way to the disk, and its end follows it
            self.release_soon(reservation, code="cancelled")
            raise
        return reservation

    def settle_soon(self, reservation: Reservation, result: Settlement) -> Settled:
        """Book what an attempt cost, once: a second call changes nothing and returns what was booked.

        The journal has it when this returns and writes it in its own time; it is not lost while the process lives.
        """
        if not reservation.open:
            return reservation.settled or _RELEASED
        settled = booked(reservation, result)
        charged = tuple([charge_of(counter, settled.usage) for counter, _, _ in reservation.charges])
        self._end(reservation, "estimated" if settled.estimated else "settled", result, settled, charged)
        cost = settled.usage.input_total + settled.usage.output_total
        self._pour(reservation, cost - reservation.reserved_input)
        return settled

    async def settle(self, reservation: Reservation, result: Settlement) -> Settled:
        """The same, and wait until it is durable (as long as a broken store takes to recover)."""
        settled = self.settle_soon(reservation, result)
        await self._journal.written()
        return settled

    def release_soon(
        self, reservation: Reservation, *, status: int | None = None, code: str | None = None, duration_ms: float = 0.0
    ) -> None:
        """Give everything back: for the caller who knows that no byte went out. Once, like `settle_soon`."""
        if not reservation.open:
            return
        result = Settlement(_NOTHING, False, "failed", status=status, code=code, duration_ms=duration_ms)
        nothing = ((0, 0),) * len(reservation.charges)
        self._end(reservation, "released", result, _RELEASED, nothing)
        self._pour(reservation, -reservation.reserved_input)

    async def release(
        self, reservation: Reservation, *, status: int | None = None, code: str | None = None, duration_ms: float = 0.0
    ) -> None:
        """The same, and wait until it is durable."""
        self.release_soon(reservation, status=status, code=code, duration_ms=duration_ms)
        await self._journal.written()

    def hit(self, attempt: Attempt, usage: Usage, *, status: int = 200, duration_ms: float = 0.0) -> bool:
        """Record an answer from the cache that would have cost `usage`; written later. False where it was shed.

        Where hits are charged it must be called before the answer goes out: without room in a hard quota it raises
        QuotaExhausted or QuotaBusy and nothing is charged.
        """
        charges: tuple[tuple[int, int, int], ...] = ()
        if self._charge_hits:
            plan = self._known(attempt.principal, attempt.model)
            if (block := fits(usage, plan.counters)) is not None:
                raise refusal(block, self._clock.now())
            charges = tuple((counter.id, *charge_of(counter, usage)) for counter in plan.counters)
            for counter, (_, paid_in, paid_out) in zip(plan.counters, charges, strict=True):
                counter.input.settled += paid_in
                counter.output.settled += paid_out
        return self._journal.line(
            Line(
                id=self._journal.next_id(),
                kind="hit",
                attempt=attempt,
                at=self._clock.now(),
                status=status,
                code=None,
                duration_ms=duration_ms,
                charged=usage if self._charge_hits else _NOTHING,
                saved=usage,
                charges=charges,
            )
        )

    def refused(self, attempt: Attempt, *, status: int, code: str, duration_ms: float = 0.0) -> bool:
        """Record a refusal, written later; False where it was shed because too much waits to be written."""
        return self._journal.line(
            Line(
                id=self._journal.next_id(),
                kind="refusal",
                attempt=attempt,
                at=self._clock.now(),
                status=status,
                code=code,
                duration_ms=duration_ms,
                charged=_NOTHING,
                saved=_NOTHING,
            )
        )

    async def limits_input(self, who: Principal, model: str) -> bool:
        """Whether a hard quota limits this caller's input tokens with this model. Raises StoreUnavailable."""
        await self.prepare(who, model)
        counters = self._known(who, model).counters
        return any(one.quota.enforce == "hard" and one.input.limit is not None for one in counters)

    def ample_for(self, who: Principal, model: str, input_tokens: int) -> bool:
        """Whether so much input is next to nothing beside what is left: then a bound does in place of a count.

        Rate limits of tokens look at every single one. False where what is left is not in memory.
        """
        plan = self._book.plan(who, model)
        return plan is not None and not plan.tokens and is_ample(input_tokens, plan.counters)

    def standing(self, who: Principal, model: str) -> Standing | None:
        """The tightest enforced quota of this caller with this model; None where nothing is limited or loaded."""
        plan = self._book.plan(who, model)
        return None if plan is None or not plan.counters else tightest(plan.counters, self._clock.now())

    async def show(self, who: Principal) -> list[dict[str, Any]]:
        """Every quota that concerns this caller, in the form of `quota show --json`. Raises StoreUnavailable."""
        now = self._clock.now()
        stored = await self._counters.current(now, list(self._book.quotas))
        return shown_for(who, stored, self._book.current(now), self._book.quotas.values(), self._book.limits, now)

    def _known(self, who: Principal, model: str) -> Plan:
        plan = self._book.plan(who, model)
        if plan is None:
            raise StoreUnavailable("GreyFox has not loaded the quotas that apply to this request. Try again.")
        return plan

    def _admit(self, attempt: Attempt, ask: Ask, now: datetime) -> Reservation:
        """Decide and set aside in one piece: nothing else runs meanwhile."""
        plan = self._known(attempt.principal, attempt.model)
        room = room_for(ask, plan.counters)
        if isinstance(room, Block):
            raise refusal(room, now)
        if plan.tokens:
            self._take(plan, "tokens", room.input)
        input_, output, cap, observed = room
        for counter in plan.counters:
            counter.input.reserved += input_
            counter.output.reserved += output
        charges = tuple([Charge(counter, input_, output) for counter in plan.counters])
        reservation = Reservation(
            self._journal.next_id(), attempt, now, input_, output, output_cap=cap, observed=observed, charges=charges
        )
        self._open[reservation.id] = reservation
        return reservation

    def _end(
        self,
        reservation: Reservation,
        state: Literal["settled", "estimated", "released"],
        result: Settlement,
        settled: Settled,
        charged: tuple[tuple[int, int], ...],
    ) -> None:
        self._close(reservation)
        for (counter, _, _), (paid_in, paid_out) in zip(reservation.charges, charged, strict=True):
            counter.input.settled += paid_in
            counter.output.settled += paid_out
        reservation.settled = settled
        self._journal.close(Closing(reservation, state, self._clock.now(), result, settled, charged))

    def _close(self, reservation: Reservation) -> None:
        """Take what was set aside off the counters."""
        reservation.open = False
        del self._open[reservation.id]
        for counter, input_, output in reservation.charges:
            counter.input.reserved -= input_
            counter.output.reserved -= output

    def _give_back(self, reservation: Reservation) -> None:
        """The journal did not take it: as if it had never been."""
        self._close(reservation)
        self._pour(reservation, -reservation.reserved_input)

    def _take(self, plan: Plan, unit: str, amount: int) -> None:
        """From every bucket or from none."""
        limited = plan.requests if unit == "requests" else plan.tokens
        now = self._clock.monotonic()
        longest, longest_of = 0.0, None
        for one in limited:
            if (wait := one.bucket.wait(amount, now)) > longest:
                longest, longest_of = wait, one
        if longest_of is not None:
            raise too_fast(longest_of.limit, longest_of.subject, longest_of.unit, longest_of.a_minute, longest)
        for one in limited:
            one.bucket.add(amount, now)

    def _pour(self, reservation: Reservation, amount: int) -> None:
        """Correct the token buckets by what an attempt cost beyond its counted input."""
        if not self._book.limits_tokens:
            return
        plan = self._book.plan(reservation.attempt.principal, reservation.attempt.model)
        if plan is not None and plan.tokens:
            now = self._clock.monotonic()
            for one in plan.tokens:
                one.bucket.add(amount, now)
