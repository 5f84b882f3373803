"""Step 5 of a request: is the answer known? And afterwards: keep it, if it may be kept.

Needs:  exchange.parsed, exchange.resolution, exchange.principal.
Leaves: exchange.answer from the cache; or where the answer is to be kept (exchange.cache_key). Raises NotCached, and
what an exhausted quota says where the cache does not know the answer.

A hit opens no connection, costs no quota unless the operator charges hits, and waits for no write.
"""

from dataclasses import replace

from greyfox_core.cache.ports import Entry
from greyfox_core.cache.recorder import Recorder
from greyfox_core.cache.service import Asked, Cache, Decision, Plan
from greyfox_core.clock import Clock
from greyfox_core.dialects.registry import Dialects
from greyfox_core.forwarding.headers import answer_headers
from greyfox_core.quota.admission import Admission
from greyfox_core.steps.ledger_facts import ledger_facts
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer
from greyfox_core.values.target import Target

PER_REQUEST = frozenset(
    (
        "date",
        "x-request-id",
        "request-id",
        "openai-processing-ms",
        "x-envoy-upstream-service-time",
        "server-timing",
        "cf-ray",
    )
)
"""Fields of an upstream's answer that are true of one request only: a later hit must not repeat them."""


class Recall:
    """Asks the cache, and fills it."""

    def __init__(self, cache: Cache, dialects: Dialects, admission: Admission, clock: Clock) -> None:
        self._cache = cache
        self._dialects = dialects
        self._admission = admission
        self._clock = clock

    async def __call__(self, exchange: Exchange) -> None:
        """Answer from the cache, or leave the key for the answer to come."""
        if exchange.parsed is None:
            return
        decision = await self._cache.lookup(self._plan(exchange))
        exchange.cache_state = decision.state
        exchange.cache_headers = self._cache.headers(decision)
        if decision.entry is not None:
            await self._serve(exchange, decision.entry)
            return
        if exchange.exhausted is not None:
            raise exchange.exhausted
        exchange.cache_key, exchange.cache_ttl, exchange.cache_tags = decision.key, decision.ttl, decision.tags

    def _plan(self, exchange: Exchange) -> Plan:
        decided = exchange.decided
        if decided is not None and decided.plan is not None:
            return decided.plan
        plan = self._cache.plan(self._asked(exchange), exchange.rules.config.cache)
        if decided is not None:
            decided.plan = plan
        return plan

    def _asked(self, exchange: Exchange) -> Asked:
        parsed, resolution, who = exchange.parsed, exchange.resolution, exchange.principal
        assert parsed is not None and resolution is not None and who is not None
        dialect = self._dialects.of(parsed.endpoint)
        head = exchange.head
        if exchange.controls:
            head = replace(head, headers=head.headers + exchange.controls)
        stored = exchange.rules.config.cache.stored_responses
        target = resolution.targets[0]
        # Where the upstream's own key goes out, what the caller's client holds (a placeholder, mostly) plays no part.
        own_key = exchange.rules.upstream(target.upstream).api_key.get_secret_value()
        return Asked(
            head=head,
            principal=who,
            parsed=parsed,
            target=target,
            route=resolution.route,
            fields=lambda: dialect.fingerprint_fields(parsed),
            uncacheable=dialect.uncacheable(parsed, stored_responses=stored),
            passthrough=() if own_key else exchange.passthrough,
        )

    async def _serve(self, exchange: Exchange, entry: Entry) -> None:
        who = exchange.principal
        assert who is not None
        if not self._admission.ready(who, entry.model):
            await self._admission.prepare(who, entry.model)
        target = Target(entry.upstream, entry.model)
        self._admission.hit(
            ledger_facts(exchange, target, number=0, cache="hit"),
            entry.usage,
            status=entry.status,
            duration_ms=(self._clock.monotonic() - exchange.started) * 1000,
        )
        exchange.target = target
        exchange.usage = entry.usage
        headers = [*entry.headers, ("x-request-id", exchange.id), ("request-id", exchange.id)]
        exchange.answer = Answer(entry.status, headers, entry.body)

    def recorder(self, exchange: Exchange) -> Recorder | None:
        """For the pieces of a stream that is to be kept; None where it is not."""
        return None if exchange.cache_key is None else self._cache.recorder(exchange.rules.config.cache)

    def not_kept(self, exchange: Exchange) -> None:
        """The answer is no one to be served again: its head says so."""
        if exchange.cache_state == "miss":
            exchange.cache_headers = self._cache.headers(Decision("miss"))

    def keep(self, exchange: Exchange, target: Target, headers: list[tuple[str, str]], body: bytes | None) -> bool:
        """Store a whole, settled answer, unless it came from a fallback: the key names the first choice."""
        first = exchange.resolution.targets[0] if exchange.resolution is not None else None
        if exchange.cache_key is None or exchange.usage is None or body is None or target != first:
            return False
        return self._cache.store(
            exchange.cache_key,
            status=200,
            headers=tuple(field for field in answer_headers(headers) if field[0] not in PER_REQUEST),
            body=body,
            usage=exchange.usage,
            target=target,
            ttl=exchange.cache_ttl,
            tags=exchange.cache_tags,
        )
