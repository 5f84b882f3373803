"""Step 2: who calls? Decided on the head, before the body has come.

Needs:   the exchange (ingress).
Leaves:  exchange.principal, and an exchange without any credential in it; or the refusal.
"""

from mitmproxy import http

from addons._flow import House, guarded
from greyfox_core.errors import Refused
from greyfox_core.values.endpoint import Access


class Auth:
    name = "greyfox.auth"

    def __init__(self, house: House) -> None:
        self.house = house

    @guarded
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.open_exchange(flow), self.house.app
        if exchange is None or app is None:
            return
        tunnel = self.house.tunnels.get(flow.client_conn)
        bound = tunnel.principal if tunnel is not None else None
        try:
            anybody = exchange.endpoint is not None and exchange.endpoint.access is Access.LOCAL
            if not anybody and not app.identify.at_once(exchange, bound):
                await app.identify(exchange, bound)
        except Refused as refusal:
            self.house.refuse(flow, refusal)  # while the credential is there: its field can tell the caller's dialect
        finally:
            app.identify.hide(exchange)
