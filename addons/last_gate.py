"""The last gate: it stands outside the script's own list and stays shut when the script breaks.

mitmproxy unloads a script's addons when its file is broken, replaced or gone, and from then on would forward
everything, for anybody. `start` puts this addon beside the script, not in it. It lets a connection out only to a
tunnel that was let through, to the very address that was judged, and refuses every request that no step has answered.
"""

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons._flow import House
from addons._messages import plain_refusal
from greyfox_core.errors import Unavailable

SHUT = Unavailable("No step of GreyFox has admitted this request, so it is not forwarded.")


class LastGate:
    """Knows what the steps have let through, and nothing else."""

    name = "greyfox.last_gate"

    def __init__(self, house: House) -> None:
        self._house = house

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.error is None and flow.response is None and self._house.exchange_of(flow) is None:
            flow.response = plain_refusal(SHUT)

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response is None:
            flow.response = plain_refusal(SHUT)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        if flow.response is None and flow.client_conn not in self._house.tunnels:
            flow.response = plain_refusal(SHUT)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        tunnel = self._house.tunnels.get(data.client)
        if tunnel is None or tunnel.address is None:
            data.server.error = "GreyFox forwards governed traffic by itself only."
        else:  # the address that was judged, whatever the name resolves to by now
            data.server.address = (tunnel.address, tunnel.port)
