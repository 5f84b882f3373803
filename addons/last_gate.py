"""The last gate: it stands outside the script's own list and stays shut when the script breaks.

mitmproxy unloads a script's addons when its file is broken, replaced or gone, and from then on would forward
everything, for anybody. `start` puts this addon beside the script, not in it. It lets a connection out only to a
tunnel that was let through, to the very address that was judged, and refuses every request that no step has answered.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons._flow import House, plain_refusal
from greyfox_core.errors import Forbidden, Unavailable
from greyfox_core.forwarding.addresses import TunnelPolicy

log = logging.getLogger("greyfox")

SHUT = Unavailable("No step of GreyFox has admitted this request, so it is not forwarded.")


class LastGate:
    """`policy` gives the rules for tunnels that are in force."""

    name = "greyfox.last_gate"

    def __init__(self, house: House, policy: Callable[[], TunnelPolicy]) -> None:
        self._house = house
        self._policy = policy

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.error is None and flow.response is None and self._house.exchange_of(flow) is None:
            flow.response = plain_refusal(SHUT)

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response is None:
            flow.response = plain_refusal(SHUT)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        if flow.response is None and flow.client_conn not in self._house.tunnels:
            flow.response = plain_refusal(SHUT)

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        tunnel = self._house.tunnels.get(data.client)
        if tunnel is None or tunnel.upstream is not None or data.server.address != (tunnel.host, tunnel.port):
            data.server.error = "GreyFox forwards governed traffic by itself only."
            return
        try:
            address = await self._policy().address_for(tunnel.host, tunnel.port, resolve)
        except Forbidden as refusal:
            data.server.error = refusal.message
            return
        data.server.address = (address, tunnel.port)


async def resolve(host: str, port: int) -> list[str]:
    """By the system's resolver, off the loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
