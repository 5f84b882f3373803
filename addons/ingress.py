"""Step 1: which way in, which upstream? And CONNECT: intercept, tunnel or refuse.

Leaves:  the exchange of each request, in the house; a tunnel for each CONNECT that was let through.
"""

import logging

from mitmproxy import connection, http
from mitmproxy.proxy import layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientTLSLayer, TCPLayer
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons._flow import House, failed, guarded
from addons._messages import plain_refusal, request_head, show_without_credentials
from addons.fast_door import FastDoor
from addons.fast_layer import FastLayer
from addons.layers import adopt
from addons.patience import Awaited
from greyfox_core.errors import Refused, Unavailable
from greyfox_core.steps.finish import PROXY_AUTHENTICATE
from greyfox_core.steps.serve import STARTING, judge_head
from greyfox_core.values.tunnel import Tunnel

log = logging.getLogger("greyfox")

H2_PREFACE = b"PRI * HTTP/2.0"


class Ingress:
    name = "greyfox.ingress"

    def __init__(self, house: House, fast: FastDoor) -> None:
        self.house = house
        self.fast = fast

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        app, tunnel = self.house.app, self.house.tunnels.get(flow.client_conn)
        head = request_head(flow, tunnel)
        show_without_credentials(flow, head)
        if app is None:
            raise Unavailable(STARTING, retry_after=1)
        exchange = app.ingress.open(head, app.rules)
        self.house.begin(flow, exchange)
        app.opened(exchange)
        if flow.error is not None:  # not valid HTTP: mitmproxy answers, nothing may be set aside
            app.identify.hide(exchange)
            exchange.leave()
            return
        declared = flow.request.headers.get("content-length", "")
        try:
            judge_head(exchange, int(declared) if declared.isdigit() else None, draining=self.house.draining)
        except Refused as refusal:
            self.house.refuse(flow, refusal)
            app.identify.hide(exchange)

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """An authenticated caller's tunnel, or a refusal: most clients show its status alone."""
        try:
            app = self.house.app
            if app is None or self.house.draining:
                raise Unavailable(STARTING, retry_after=1)
            fields = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in flow.request.headers.fields
            )
            flow.request.headers.pop("proxy-authorization", None)
            tunnel = await app.connect(flow.request.host, flow.request.port, fields)
            self.house.tunnels[flow.client_conn] = tunnel
            if tunnel.upstream is None:
                app.metrics.open_tunnels(+1)
            flow.comment = f"{tunnel.principal.user} · tunnel" if tunnel.upstream is None else tunnel.principal.user
        except Refused as refusal:
            flow.response = plain_refusal(refusal)
            if refusal.status == 401:
                flow.response.status_code, flow.response.reason = 407, "Proxy Authentication Required"
                flow.response.headers[PROXY_AUTHENTICATE[0]] = PROXY_AUTHENTICATE[1]
            else:  # what the client has sent behind it was meant for the tunnel: it is no request of its own
                flow.response.headers["connection"] = "close"
        except Exception as error:
            failed(self.house, flow, error, "Ingress.http_connect")

    def client_connected(self, client: connection.Client) -> None:
        self.house.watchman.of(client).wait_for(Awaited.REQUEST, self.house.limits)

    async def client_disconnected(self, client: connection.Client) -> None:
        await self.house.leave_nothing_open(client)
        self.house.watchman.forget(client)
        tunnel = self.house.tunnels.pop(client, None)
        if tunnel is not None and tunnel.upstream is None and self.house.app is not None:
            self.house.app.metrics.open_tunnels(-1)

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        if data.client in self.house.tunnels and self.house.app is not None:
            self.house.app.metrics.tunnel("failed")

    def next_layer(self, nl: layer.NextLayer) -> None:
        """Make HTTP connections ours, and let tunnels pass untouched."""
        context = nl.context
        tunnel = self.house.tunnels.get(context.client)
        if tunnel is not None and tunnel.upstream is None and len(context.layers) > 1:
            nl.layer = TCPLayer(context, ignore=True)
            return
        if not context.client.tls and nl.data_client().startswith(H2_PREFACE):
            context.client.alpn = b"h2"  # HTTP/2 with prior knowledge
        if self._straight_tls(context):
            nl.layer = HttpLayer(context, HTTPMode.regular)
        elif self.house.built_in_next_layer is not None:
            self.house.built_in_next_layer(nl)
        if self.house.watchers.nobody_needs_flows():
            self._take_fast_door(nl, tunnel)
        for one in context.layers:
            if isinstance(one, HttpLayer):
                adopt(one, self.house)

    def _straight_tls(self, context: Context) -> bool:
        """Inside TLS that was opened to the very port: see `_take_fast_door`."""
        return len(context.layers) == 2 and isinstance(context.layers[1], ClientTLSLayer)

    def _take_fast_door(self, nl: layer.NextLayer, tunnel: Tunnel | None) -> None:
        """HTTP/1 without flows. What is spoken inside TLS is known after its handshake: then this is asked again."""
        context, chosen = nl.context, nl.layer
        if isinstance(chosen, ClientTLSLayer) and type(chosen.child_layer) is HttpLayer:
            context.layers.remove(chosen.child_layer)
            chosen.child_layer = layer.NextLayer(context)
        elif type(chosen) is HttpLayer and context.client.alpn != b"h2":
            context.layers.remove(chosen)
            nl.layer = FastLayer(context, self.fast, tunnel)
