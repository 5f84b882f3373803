"""Step 1: which way in, which upstream? And CONNECT: intercept, tunnel or refuse.

Leaves:  the exchange of each request, in the house; a tunnel for each CONNECT that was let through.
"""

import logging

from mitmproxy import connection, http
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons._flow import House, failed, guarded
from addons._messages import plain_refusal, request_head, show_without_credentials
from addons.layers import adopt
from greyfox_core.errors import HeadTooLarge, Refused, TooLarge, Unavailable
from greyfox_core.forwarding.strict_head import MAX_FIELDS
from greyfox_core.steps.finish import PROXY_AUTHENTICATE

log = logging.getLogger("greyfox")

STARTING = "GreyFox is starting or stopping. Try again in a moment."
H2_PREFACE = b"PRI * HTTP/2.0"


class Ingress:
    name = "greyfox.ingress"

    def __init__(self, house: House) -> None:
        self.house = house

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
        if self.house.draining:
            app.identify.hide(exchange)
            raise Unavailable(STARTING, retry_after=1)
        if len(exchange.head.headers) > MAX_FIELDS:  # over HTTP/2; over HTTP/1 it does not get here
            app.identify.hide(exchange)
            raise HeadTooLarge(f"The request has more than {MAX_FIELDS} header fields.")
        if flow.error is not None:  # not valid HTTP: mitmproxy answers, nothing may be set aside
            app.identify.hide(exchange)
            exchange.leave()
            return
        declared = flow.request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self.house.max_body:
            app.identify.hide(exchange)
            raise TooLarge(f"The request's body is larger than {self.house.max_body:,} bytes (limits.max_body).")

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

    def client_disconnected(self, client: connection.Client) -> None:
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
        built_in = self.house.built_in_next_layer
        if built_in is not None:
            built_in(nl)
        for one in context.layers:
            if isinstance(one, HttpLayer):
                adopt(one, self.house)
