"""Step 1 of a request: which API's path is it, by which way, and which upstream does it name?

Leaves: exchange.endpoint and exchange.addressed; or exchange.unrouted, which only an authenticated caller is told; or
exchange.own_page.
"""

import random
import time
from collections.abc import Mapping

from greyfox_core.clock import Clock
from greyfox_core.dialects.paths import Served, classify, classify_at
from greyfox_core.errors import BadRequest, Forbidden, MethodNotAllowed, NoRoute, Refused
from greyfox_core.rules import Rules
from greyfox_core.steps.known import Known
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import RequestHead, Way

OWN_PAGES = "/greyfox/"
NEVER_SERVED = ("TRACE", "CONNECT")


def new_id() -> str:
    """A request's id: `gfr_`, the time in milliseconds, 64 random bits; ids sort by time.

    Whoever can guess one learns nothing by it, so it is not worth a system call.
    """
    return f"gfr_{int(time.time() * 1000):012x}{random.getrandbits(64):016x}"


class Ingress:
    """Makes the exchange."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def open(self, head: RequestHead, rules: Rules) -> Exchange:
        """The exchange of a request that has just arrived; never raises for what it asks."""
        exchange = Exchange(id=new_id(), head=head, started=self._clock.monotonic(), rules=rules)
        if head.way is Way.BASE_URL and head.path.startswith(OWN_PAGES):
            exchange.own_page = head.path.removeprefix(OWN_PAGES)
            return exchange
        try:
            self._classify(exchange, rules.served)
        except Refused as refusal:
            exchange.unrouted = refusal
        return exchange

    def open_known(self, known: Known) -> Exchange:
        """The exchange of a request whose head is known, as `open` and `identify` would leave it."""
        return Exchange(
            id=new_id(),
            head=known.head,
            started=self._clock.monotonic(),
            rules=known.rules,
            endpoint=known.endpoint,
            addressed=known.addressed,
            principal=known.principal,
            controls=known.controls,
            key=known.key,
            known=known,
        )

    def _classify(self, exchange: Exchange, served: Mapping[str, Served]) -> None:
        head = exchange.head
        if head.method in NEVER_SERVED or head.path == "*":
            raise MethodNotAllowed(f"GreyFox serves no {head.method}.")
        if head.way is Way.BASE_URL:
            found = classify(head.method, head.path, head.query, head.headers, prefix_upstreams=served)
        else:
            if head.way is Way.PROXY and not _agrees(head):
                raise BadRequest("The Host field and the request's target name different hosts.")
            name = exchange.rules.hosts.get(head.host.lower())
            if name is None:
                raise Forbidden(
                    f"{head.host} is no upstream of this gateway. Hosts that are none are reached by CONNECT only."
                )
            exchange.addressed = name
            found = classify_at(head.method, head.path, head.query, head.headers, name, served[name])
        exchange.endpoint = found.endpoint
        exchange.addressed = found.upstream
        if found.upstream is not None and found.upstream not in served:
            raise NoRoute(f"There is no upstream {found.upstream}.")


def _agrees(head: RequestHead) -> bool:
    """Whether an absolute-form request's Host field names what its target names (RFC 9112, section 3.2.2)."""
    named, host = (head.get("host") or "").lower(), head.host.lower()
    bare = f"[{host}]" if ":" in host else host
    return named in (bare, f"{bare}:{head.port}")
