"""One call to one upstream: where it goes, with which head and whose key.

The upstream's key is put in here, last, and is nowhere else: not in the exchange, not in a flow.
"""

from urllib.parse import quote, urlsplit

from greyfox_core.clock import Clock
from greyfox_core.config.schema import Upstream
from greyfox_core.errors import Forbidden, NoRoute
from greyfox_core.forwarding.client import Call, Response, UpstreamClient
from greyfox_core.forwarding.headers import upstream_headers
from greyfox_core.steps.leaving import Leaving
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Headers
from greyfox_core.values.target import Target

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


class Calling:
    """Makes calls over the pooled client."""

    def __init__(self, client: UpstreamClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def require_key(self, exchange: Exchange, target: Target) -> None:
        """A call that the upstream would answer with its own 401 says here what is missing."""
        upstream = exchange.rules.upstream(target.upstream)
        keyless = upstream.dialect == "ollama" or upstream.auth == "none"
        if keyless or _own_credential(exchange, target) or upstream.api_key.get_secret_value():
            return
        if urlsplit(upstream.base_url).hostname not in LOOPBACK:
            raise NoRoute(
                f"Upstream {target.upstream} has no API key: an operator sets upstreams.{target.upstream}.api_key, or "
                "the caller brings an own upstream key and identifies itself to the proxy (HTTPS_PROXY)."
            )

    def refuse_stored(self, exchange: Exchange, target: Target) -> None:
        """What is stored upstream under a key that all callers share is served to none of them by its handle."""
        stored = exchange.parsed.stored if exchange.parsed is not None else None
        if stored is None or exchange.rules.upstream(target.upstream).allow_stored or _own_credential(exchange, target):
            return
        raise Forbidden(
            f"This request refers to {stored} at upstream {target.upstream}, kept there under a key that all callers "
            "share: send the content itself (responses: store: false and the whole input). "
            f"An operator can allow it (upstreams.{target.upstream}.allow_stored)."
        )

    async def open(self, exchange: Exchange, target: Target, body: bytes | None) -> Response:
        """Send the request to `target` and wait for the head of its answer; the time is counted as the upstream's.

        Raises as `UpstreamClient.open`, and ClientLeft.
        """
        call = self._call(exchange, exchange.rules.upstream(target.upstream), target, body)
        started = self._clock.monotonic()
        try:
            with Leaving(exchange):
                return await self._client.open(call)
        finally:
            exchange.upstream_seconds += self._clock.monotonic() - started

    def _call(self, exchange: Exchange, upstream: Upstream, target: Target, body: bytes | None) -> Call:
        rules, endpoint = exchange.rules, exchange.endpoint
        assert endpoint is not None
        key = upstream.api_key.get_secret_value()
        path = endpoint.path.replace("{model}", quote(target.model or endpoint.model or "", safe=""))
        url = upstream.base_url.rstrip("/") + path
        if exchange.head.query:
            url += "?" + exchange.head.query
        headers = upstream_headers(
            exchange.head.headers,
            key=key,
            auth=rules.auth_field(upstream),
            passthrough=_own_credential(exchange, target),
            extra=upstream.headers,
        )
        return Call(
            name=target.upstream,
            method=exchange.head.method,
            url=url,
            headers=headers,
            body=body,
            connect_timeout=upstream.connect_timeout,
            first_byte_timeout=upstream.first_byte_timeout,
            idle_timeout=upstream.idle_timeout,
            ca_file=rules.folder / upstream.ca_file if upstream.ca_file else None,
        )


def _own_credential(exchange: Exchange, target: Target) -> Headers:
    """The caller's own upstream key, where it is used: at the upstream that the caller named, if that has no key.

    Wherever else a route sends the request, it is not meant for; and a placeholder beside a configured key is nobody's.
    """
    keyed = exchange.rules.upstream(target.upstream).api_key.get_secret_value()
    return exchange.passthrough if target.upstream == exchange.addressed and not keyed else ()
