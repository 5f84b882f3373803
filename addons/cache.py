"""Step 5: is the answer known?

Needs:   exchange.parsed and exchange.resolution (resolve), a caller who may ask (quota).
Leaves:  exchange.answer from memory, without a connection to any upstream; or exchange.cache_key, under which the
answer will be kept.
"""

from mitmproxy import http

from addons._flow import House, guarded


class Cache:
    name = "greyfox.cache"

    def __init__(self, house: House) -> None:
        self.house = house

    @guarded
    async def request(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.open_exchange(flow), self.house.app
        if exchange is not None and app is not None:
            await app.recall(exchange)
