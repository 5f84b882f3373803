"""Step 3: what is asked for, and which model will answer? A pure decision; the router applies it.

Needs:   exchange.principal (auth), the body.
Leaves:  exchange.parsed, exchange.resolution; answers GreyFox's own pages.
"""

from mitmproxy import http

from addons._flow import House, guarded
from greyfox_core.steps.serve import local_answer
from greyfox_core.values.endpoint import Access


class Resolve:
    name = "greyfox.resolve"

    def __init__(self, house: House) -> None:
        self.house = house

    @guarded
    async def request(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.open_exchange(flow), self.house.app
        if exchange is None or app is None:
            return
        if exchange.own_page is not None:
            exchange.answer = await app.pages(exchange)
        elif exchange.endpoint is not None and exchange.endpoint.access is Access.LOCAL:
            exchange.answer = local_answer()
        else:
            await app.resolve(exchange, flow.request.raw_content or b"")
