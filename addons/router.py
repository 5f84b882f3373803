"""Step 6: ask the upstream that was resolved, and its fallbacks.

Needs:   exchange.resolution, the plain body (resolve).
Leaves:  exchange.answer, whole or as a source of pieces; the flow shows the upstream that was asked. No upstream key
is ever in it.
"""

from urllib.parse import urlsplit

from mitmproxy import http

from addons._flow import House, guarded
from greyfox_core.steps.leaving import ClientLeft
from greyfox_core.steps.serve import collected
from greyfox_core.values.exchange import Exchange


class Router:
    name = "greyfox.router"

    def __init__(self, house: House) -> None:
        self.house = house

    @guarded
    async def request(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.open_exchange(flow), self.house.app
        if exchange is None or app is None:
            return
        try:
            await app.forward(exchange)
        except ClientLeft:
            if exchange.ended is not None:  # the client is still there, it is we who leave
                raise exchange.ended from None
            return
        if exchange.answer is not None and (flow.request.http_version == "HTTP/1.0" or flow.request.method == "HEAD"):
            await collected(exchange.answer)
        _show(flow, exchange)


def _show(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Where the request went, for a person who watches flows."""
    if exchange.target is None:
        return
    base = urlsplit(exchange.rules.upstream(exchange.target.upstream).base_url)
    request = flow.request.data
    request.scheme = base.scheme.encode()
    request.host = base.hostname or ""
    request.port = base.port or (443 if base.scheme == "https" else 80)
