"""Step 7: what GreyFox tells on every answer's head: request id, cache, route, what is left of the quota.

Needs:   exchange.answer.
Leaves:  the flow's response; a body that comes in pieces is left to the layer.
"""

from mitmproxy import http

from addons._flow import House, guarded


class Headers:
    name = "greyfox.headers"

    def __init__(self, house: House) -> None:
        self.house = house

    @guarded
    def request(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.exchange_of(flow), self.house.app
        if exchange is None or app is None or exchange.answer is None or flow.response is not None:
            return
        app.finish.head(exchange)
        self.house.answer(flow, exchange.answer)
