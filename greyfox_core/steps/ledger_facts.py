"""What the ledger is told of an exchange: the same facts for an attempt, a cache hit and a refusal."""

from greyfox_core.quota.attempt import Attempt
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.target import Target


def ledger_facts(exchange: Exchange, target: Target | None, *, number: int, cache: str | None) -> Attempt:
    """`number` is 0 for rows that are no attempt; `target` is None where the request got no further than its caller."""
    who, endpoint, parsed = exchange.principal, exchange.endpoint, exchange.parsed
    assert who is not None and endpoint is not None
    return Attempt(
        request_id=exchange.id,
        number=number,
        principal=who,
        dialect=endpoint.dialect,
        operation=endpoint.operation,
        upstream=target.upstream if target else "",
        model=target.model if target else "",
        requested_model=parsed.model if parsed else "",
        route=exchange.resolution.route if exchange.resolution else "",
        way=exchange.head.way.value,
        stream=parsed.stream if parsed else False,
        tags=exchange.tags,
        cache=cache,
    )
