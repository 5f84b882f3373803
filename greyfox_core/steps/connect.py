"""CONNECT: who may have a tunnel to where, and what is governed inside. The address to dial is judged here, once.

Errors: Unauthenticated (told as 407), Forbidden.
"""

import logging
from urllib.parse import urlsplit

from greyfox_core.auth.service import Authenticator
from greyfox_core.errors import BadRequest, Forbidden
from greyfox_core.forwarding.addresses import Resolver
from greyfox_core.forwarding.shadow import is_llm_host
from greyfox_core.metrics import Metrics
from greyfox_core.rules import Rules
from greyfox_core.values.http import Headers
from greyfox_core.values.tunnel import Tunnel

log = logging.getLogger("greyfox")


class Connector:
    """Decides on CONNECTs."""

    def __init__(self, authenticator: Authenticator, metrics: Metrics, resolve: Resolver) -> None:
        self._authenticator = authenticator
        self._metrics = metrics
        self._resolve = resolve

    async def __call__(self, host: str, port: int, headers: Headers, rules: Rules) -> Tunnel:
        """The tunnel that this caller may have."""
        principal = await self._authenticator.connect(headers)
        host = host.lower().rstrip(".")
        if not host or len(host) > 253 or not 0 < port < 65_536:
            raise BadRequest("CONNECT needs a host and a port.")
        upstream = rules.hosts.get(host)
        if upstream is not None and port in (80, 443, urlsplit(rules.upstream(upstream).base_url).port):
            return Tunnel(host, port, upstream, principal)
        if is_llm_host(host):
            denied = rules.config.proxy.shadow == "deny"
            self._metrics.shadow(host, "denied" if denied else "observed")
            log.info("shadow use: %s of %s", principal.user, host)
            if denied:
                self._metrics.tunnel("denied")
                raise Forbidden(
                    f"{host} is a language model's service that this gateway does not serve. "
                    "Ask whoever runs the gateway for an upstream."
                )
        if rules.config.proxy.unknown_hosts == "deny" and not rules.tunnels.names(host, port):
            self._metrics.tunnel("denied")
            raise Forbidden(f"{host} is no upstream of this gateway, and other hosts are not reached through it.")
        try:
            address = await rules.tunnels.address_for(host, port, self._resolve)
        except Forbidden:
            self._metrics.tunnel("denied")
            raise
        self._metrics.tunnel("opened")
        return Tunnel(host, port, None, principal, address)
