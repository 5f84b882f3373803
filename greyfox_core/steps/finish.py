"""The last step of a request: its headers, its refusal in the caller's dialect, its line in the books.

Needs:  the exchange as the other steps left it.
Leaves: exchange.answer with every `x-greyfox-*` field; the metrics; for a refusal a ledger row.
"""

from greyfox_core.clock import Clock
from greyfox_core.dialects.errors import headers_for
from greyfox_core.dialects.paths import guess_dialect
from greyfox_core.dialects.registry import Dialects
from greyfox_core.errors import Refused, Unauthenticated
from greyfox_core.metrics import Metrics
from greyfox_core.quota.admission import Admission
from greyfox_core.steps.ledger_facts import ledger_facts
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer, Way

CLIENT_LEFT = 499  # in the metrics only: nobody was there to be answered
PROXY_AUTHENTICATE = ("proxy-authenticate", 'Basic realm="GreyFox"')
# On own pages alone, which buy nothing: a browser that was asked sends the key along by itself afterwards, also when
# a stranger's page makes it call. It does so for paths beside the one that asked (RFC 7617, section 2.2).
ASK_BROWSER = ("www-authenticate", 'Basic realm="GreyFox"')


class Finish:
    """Ends exchanges."""

    def __init__(self, admission: Admission, dialects: Dialects, metrics: Metrics, clock: Clock) -> None:
        self._admission = admission
        self._dialects = dialects
        self._metrics = metrics
        self._clock = clock

    def refuse(self, exchange: Exchange, refusal: Refused) -> None:
        """Leave `refusal` as the answer, in the caller's own dialect."""
        exchange.refusal = refusal.at_rest()
        status = refusal.status
        headers = headers_for(refusal, exchange.id)
        if isinstance(refusal, Unauthenticated):
            if exchange.head.way is Way.PROXY:
                status = 407
                headers.append(PROXY_AUTHENTICATE)
            elif exchange.own_page is not None:
                headers.append(ASK_BROWSER)
        exchange.answer = Answer(status, headers, self._body(exchange, refusal))
        self.head(exchange)

    def head(self, exchange: Exchange) -> None:
        """Add GreyFox's own fields to the answer's head."""
        answer, add = exchange.answer, []
        assert answer is not None
        if exchange.refusal is None:
            add.append(("x-greyfox-request-id", exchange.id))
        if exchange.parsed is not None and exchange.refusal is None:
            add.extend(exchange.cache_headers)
        if exchange.target is not None:
            add.append(("x-greyfox-upstream", exchange.target.upstream))
            if exchange.target.model:
                add.append(("x-greyfox-model", exchange.target.model))
        if exchange.resolution is not None and exchange.parsed is not None:
            add.append(("x-greyfox-route", exchange.resolution.route))
        if exchange.attempts:
            add.append(("x-greyfox-attempts", str(exchange.attempts)))
        if exchange.output_cap is not None:
            add.append(("x-greyfox-output-cap", str(exchange.output_cap)))
        add.extend(self._quota(exchange))
        spent = self._clock.monotonic() - exchange.started - exchange.upstream_seconds
        self._metrics.overhead(exchange.cache_state if exchange.parsed else "", spent)
        add.append(("x-greyfox-overhead-ms", f"{spent * 1000:.1f}"))
        answer.headers.extend(add)

    def _quota(self, exchange: Exchange) -> list[tuple[str, str]]:
        """The tightest quota that applies; a refusal of a quota tells it too."""
        if exchange.principal is None or exchange.resolution is None or exchange.parsed is None:
            return []
        model = (exchange.target or exchange.resolution.targets[0]).model
        standing = self._admission.standing(exchange.principal, model)
        if standing is None:
            return []
        sides = (
            ("input", standing.limit_input, standing.remaining_input),
            ("output", standing.limit_output, standing.remaining_output),
        )
        fields = []
        for side, limit, remaining in sides:
            if limit is not None:
                fields.append((f"x-greyfox-quota-limit-{side}-tokens", str(limit)))
                fields.append((f"x-greyfox-quota-remaining-{side}-tokens", str(remaining)))
        fields.append(("x-greyfox-quota-reset", str(standing.reset_seconds)))
        return fields

    def _body(self, exchange: Exchange, refusal: Refused) -> bytes:
        name = exchange.endpoint.dialect if exchange.endpoint else self._guess(exchange)
        return self._dialects.named(name).error_body(refusal, exchange.id)

    def _guess(self, exchange: Exchange) -> str:
        api = None
        if exchange.addressed is not None:
            api = exchange.rules.upstream(exchange.addressed).dialect
        return guess_dialect(exchange.head.path, exchange.head.query, exchange.head.headers, api)

    # --- the books

    def close(self, exchange: Exchange) -> None:
        """The answer has gone out, or its client has: once for each exchange."""
        if exchange.closed:
            return
        exchange.closed = True
        seconds = self._clock.monotonic() - exchange.started
        dialect = exchange.endpoint.dialect if exchange.endpoint else ""
        upstream, model = (exchange.target.upstream, exchange.target.model) if exchange.target else ("", "")
        cache = exchange.cache_state if exchange.parsed else ""
        status = exchange.answer.status if exchange.answer else CLIENT_LEFT
        self._metrics.request(dialect, upstream, model, status, cache)
        self._metrics.latency(dialect, cache, seconds)
        if exchange.cache_state == "hit" and exchange.usage is not None:
            self._metrics.saved(model, exchange.usage)
        if exchange.refusal is not None:
            self._metrics.refused(exchange.refusal.code)
            self._refused(exchange, exchange.refusal, seconds)

    def _refused(self, exchange: Exchange, refusal: Refused, seconds: float) -> None:
        """A row for what was refused to somebody we know.

        Strangers leave a figure only, or they could fill the disk.
        """
        if exchange.principal is None or exchange.endpoint is None:
            return
        target = exchange.target or (exchange.resolution.targets[0] if exchange.resolution else None)
        self._admission.refused(
            ledger_facts(exchange, target, number=0, cache=None),
            status=exchange.answer.status if exchange.answer else refusal.status,
            code=refusal.code,
            duration_ms=seconds * 1000,
        )


def summary(exchange: Exchange) -> str:
    """What a person wants to see at a glance: «alice · gpt-4o · 120+40 · miss», with input and output tokens."""
    parts = [exchange.principal.user if exchange.principal else "nobody"]
    model = exchange.target.model if exchange.target else exchange.parsed.model if exchange.parsed else ""
    if model:
        parts.append(model)
    if exchange.usage is not None:
        sign = "~" if exchange.estimated else ""
        parts.append(f"{sign}{exchange.usage.input_total}+{exchange.usage.output_total}")
    if exchange.refusal is not None:
        parts.append(exchange.refusal.code)
    elif exchange.parsed is not None:
        parts.append(exchange.cache_state)
    return " · ".join(parts)
