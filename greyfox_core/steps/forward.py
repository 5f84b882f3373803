"""Step 6 of a request: ask the upstream, and its fallbacks, with room set aside for each attempt.

Needs:  exchange.resolution; exchange.parsed for metered paths, exchange.body for free ones.
Leaves: exchange.answer: whole, or a source of pieces that settles when it ends. Raises QuotaExhausted, QuotaBusy,
UpstreamFailed, UpstreamTimeout and what else forbids an attempt.

No byte of a metered attempt leaves before its reservation is durable. There is no retry once the client has a byte.
"""

import asyncio

import orjson

from greyfox_core.dialects.base import Dialect
from greyfox_core.dialects.registry import Dialects
from greyfox_core.errors import Forbidden, Refused, UpstreamFailed, UpstreamTimeout
from greyfox_core.forwarding.client import NothingSent, Response
from greyfox_core.forwarding.headers import answer_headers
from greyfox_core.steps.calling import Calling
from greyfox_core.steps.leaving import ClientLeft, Leaving
from greyfox_core.steps.ledger_facts import ledger_facts
from greyfox_core.steps.open_attempt import Books, OpenAttempt, Received
from greyfox_core.steps.recall import Recall
from greyfox_core.steps.relay import Relay
from greyfox_core.tokens.models import max_output
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer
from greyfox_core.values.target import Target

RETRYABLE = frozenset((408, 429, 500, 502, 503, 504, 520, 522, 524, 529))
"""An upstream's statuses after which the next target is tried."""

MAY_HAVE_GENERATED = frozenset((502, 504, 524))
"""Statuses that come from a server in between: the model behind it can have worked."""

PARSED_ON_THE_LOOP = 1_048_576  # bytes of a plain answer


class Forward:
    """Asks upstreams. One object serves all requests."""

    def __init__(self, calling: Calling, dialects: Dialects, books: Books, recall: Recall) -> None:
        self._calling = calling
        self._dialects = dialects
        self._books = books
        self._recall = recall

    async def __call__(self, exchange: Exchange) -> None:
        """Leave the answer of the first target that gives one."""
        assert exchange.resolution is not None
        targets = exchange.resolution.targets
        for position, target in enumerate(targets):
            last = position == len(targets) - 1
            exchange.attempts += 1
            answer: Answer | None
            try:
                if exchange.parsed is None:
                    answer = await self._free(exchange, target)
                else:
                    answer = await self._metered(exchange, target, last)
            except (UpstreamFailed, UpstreamTimeout):
                if last:
                    raise
                continue
            if answer is not None:
                exchange.target = target
                exchange.answer = answer
                return

    # --- free paths: nothing to reserve, nothing to count

    async def _free(self, exchange: Exchange, target: Target) -> Answer:
        self._calling.require_key(exchange, target)
        response = await self._calling.open(exchange, target, exchange.body or None)
        try:
            raw = await response.read(exchange.rules.config.limits.max_answer)
        finally:
            response.close()
        return Answer(response.status, answer_headers(response.headers), raw)

    # --- metered paths

    async def _metered(self, exchange: Exchange, target: Target, last: bool) -> Answer | None:
        """None: this target has refused in a way that lets the next one try."""
        self._calling.require_key(exchange, target)
        self._calling.refuse_stored(exchange, target)
        attempt, body = await self._reserve(exchange, target)
        if exchange.gone:
            attempt.release()
            raise ClientLeft
        try:
            response = await self._calling.open(exchange, target, body)
        except NothingSent:
            attempt.release()
            raise
        except Refused:
            await attempt.count_ahead(Received())
            attempt.settle_worst("failed")
            raise
        except BaseException:
            self._left_early(attempt)
            raise
        attempt.head_came(response.status)
        if not 200 <= response.status < 300:
            return await self._failed(attempt, response, last)
        streamed = exchange.parsed is not None and (exchange.parsed.stream or _is_stream(response))
        if streamed:
            return self._stream(attempt, response)
        return await self._whole(attempt, response)

    async def _reserve(self, exchange: Exchange, target: Target) -> tuple[OpenAttempt, bytes]:
        """Set room aside and make the body; the reservation is durable when this returns."""
        parsed, who = exchange.parsed, exchange.principal
        assert parsed is not None and who is not None
        rules, dialect = exchange.rules, self._dialects.of(parsed.endpoint)
        upstream = rules.upstream(target.upstream)
        accounting = rules.config.accounting
        estimate, exact = await self._estimate(exchange, dialect, target)
        admission = self._books.admission
        if parsed.unbounded and await admission.limits_input(who, target.model):
            if not accounting.allow_unbounded_input:
                raise Forbidden(
                    f"This request's input cannot be known beforehand ({parsed.unbounded}), and an input quota "
                    "applies. An operator can allow it (accounting.allow_unbounded_input)."
                )
            estimate += accounting.unbounded_input_tokens
        model_max = max_output(target.model, accounting.max_output_tokens, accounting.default_max_output_tokens)
        can_cap = dialect.can_cap(parsed)
        reservation = await admission.reserve(
            ledger_facts(exchange, target, number=exchange.attempts, cache=exchange.cache_state),
            input_tokens=estimate,
            asked_cap=parsed.output_cap,
            model_max=model_max,
            choices=parsed.choices,
            floor=parsed.output_floor if can_cap else model_max,
            produces_output=parsed.produces_output,
        )
        exchange.output_cap = reservation.output_cap if can_cap else None
        attempt = OpenAttempt(self._books, exchange, target, dialect, reservation, estimate, exact=exact)
        try:
            body = dialect.prepare(
                parsed,
                model=target.model,
                output_cap=exchange.output_cap,
                cap_field=rules.cap_field(upstream),
                ask_usage=upstream.stream_usage,
            )
        except BaseException:
            attempt.release()
            raise
        return attempt, body

    async def _estimate(self, exchange: Exchange, dialect: Dialect, target: Target) -> tuple[int, bool]:
        """Input tokens to set aside; and whether they are as good as we know, or a bound that does for now."""
        parsed, who = exchange.parsed, exchange.principal
        assert parsed is not None and who is not None
        prompt = dialect.prompt(parsed, target.model)
        bound = self._books.counter.bound(prompt)
        if exchange.rules.config.accounting.input_bound == "bytes":
            return bound, True
        if not parsed.unbounded and self._books.admission.ample_for(who, target.model, bound):
            return bound, False
        counted = self._books.counter.count_now(prompt, target.model)
        return (await self._books.counter.count(prompt, target.model) if counted is None else counted), True

    async def _failed(self, attempt: OpenAttempt, response: Response, last: bool) -> Answer | None:
        """An answer that is no success is the caller's, byte for byte, unless another target may do better."""
        exchange = attempt.exchange
        try:
            raw = await response.read(exchange.rules.config.limits.max_answer)
        except Refused:
            attempt.settle_received(Received(), "failed")
            raise
        except BaseException:
            self._left_early(attempt)
            raise
        finally:
            response.close()
        if response.status in MAY_HAVE_GENERATED:
            await attempt.count_ahead(Received())
            attempt.settle_received(Received(), "failed")
        else:
            attempt.settle_unbilled()
        if response.status in RETRYABLE and not last:
            return None
        self._recall.not_kept(exchange)
        return Answer(response.status, answer_headers(response.headers), raw)

    async def _whole(self, attempt: OpenAttempt, response: Response) -> Answer:
        exchange, dialect = attempt.exchange, attempt.dialect
        started = self._books.clock.monotonic()
        try:
            with Leaving(exchange):
                raw = await response.read(exchange.rules.config.limits.max_answer)
        except Refused:
            attempt.settle_worst("cut-upstream")
            raise
        except BaseException:
            attempt.settle_worst("cut-client")
            raise
        finally:
            response.close()
            exchange.upstream_seconds += self._books.clock.monotonic() - started
        parsed = await _json(raw)
        usage = dialect.usage(parsed) if parsed is not None else None
        if usage is not None:
            attempt.settle_stated(usage)
        elif parsed is not None:
            received = Received(dialect.output_text(parsed))
            await attempt.count_ahead(received)
            attempt.settle_text(received, "complete")
        else:
            await attempt.count_ahead(Received())
            attempt.settle_worst("failed")
        whole = response.status == 200 and parsed is not None and dialect.plain_complete(parsed)
        if not (whole and self._recall.keep(exchange, attempt.target, response.headers, raw)):
            self._recall.not_kept(exchange)
        return Answer(response.status, answer_headers(response.headers), raw)

    def _stream(self, attempt: OpenAttempt, response: Response) -> Answer:
        exchange = attempt.exchange
        upstream = exchange.rules.upstream(attempt.target.upstream)
        reader = attempt.dialect.stream(attempt.parsed, response.content_type, usage_asked=upstream.stream_usage)
        recorder = self._recall.recorder(exchange)
        relay = Relay(
            attempt,
            response,
            reader,
            self._books.background,
            record=None if recorder is None else recorder.add,
            keep=None
            if recorder is None
            else lambda done: self._recall.keep(done.exchange, done.target, response.headers, recorder.body()),
        )
        return Answer(response.status, answer_headers(response.headers), relay)

    def _left_early(self, attempt: OpenAttempt) -> None:
        """The client left before a byte of the answer: a stream has given nothing, a plain answer may be finished."""
        if attempt.parsed.stream:
            attempt.settle_received(Received(), "cut-client")
        else:
            attempt.settle_worst("cut-client")


def _is_stream(response: Response) -> bool:
    return response.content_type.startswith(("text/event-stream", "application/x-ndjson"))


async def _json(raw: bytes) -> dict[str, object] | None:
    try:
        if len(raw) > PARSED_ON_THE_LOOP:
            parsed = await asyncio.to_thread(orjson.loads, raw)
        else:
            parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None
