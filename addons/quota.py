"""Step 4: may this caller ask now? Rates, and quotas that are used up.

Needs:   exchange.resolution (resolve).
Leaves:  nothing; or the refusal. Room for the request itself is set aside by each attempt (router): a cache hit costs
nothing.
"""

from mitmproxy import http

from addons._flow import House, guarded


class Quota:
    name = "greyfox.quota"

    def __init__(self, house: House) -> None:
        self.house = house

    @guarded
    async def request(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.open_exchange(flow), self.house.app
        if exchange is not None and app is not None:
            await app.admit(exchange)
