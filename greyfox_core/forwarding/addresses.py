"""Which addresses a tunnel may reach: public ones, and what the operator allows.

Everything is judged after resolution, and the very address that was judged is dialled: a name that resolves
differently a moment later changes nothing, and odd spellings (`0x7f000001`, `2130706433`, `0`) are judged by what
they resolve to.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from greyfox_core.errors import Forbidden

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Host and port in, textual addresses out; raises OSError where there are none."""

TUNNEL_PORT = 443
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
NOT_IN_USE = (
    IPv6Network("fec0::/10"),  # site-local, RFC 3879
    IPv6Network("::/96"),  # an IPv4 address in the last 32 bits, RFC 4291 section 2.5.5.1
)


async def by_system(host: str, port: int) -> list[str]:
    """The system's resolver, off the loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Whether `address` is one of the open internet, and not a disguise for one that is not."""
    try:
        ip = ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        for inner in _embedded(ip):
            if not is_public(str(inner)):
                return False
        if any(ip in network for network in NOT_IN_USE):
            return False
    return ip.is_global and not ip.is_multicast


def _embedded(ip: IPv6Address) -> list[IPv4Address]:
    found = [ip.ipv4_mapped, ip.sixtofour]
    if ip.teredo:
        found.append(ip.teredo[1])
    if ip in NAT64:
        found.append(IPv4Address(int(ip) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


@dataclass(frozen=True, slots=True)
class TunnelPolicy:
    """`allow` is from the configuration: `host`, `host:port` or a network; a host without a port means port 443."""

    allow: tuple[str, ...] = ()

    async def address_for(self, host: str, port: int, resolve: Resolver) -> str:
        """The address to dial. Raises Forbidden where there is none that may be reached."""
        if not self.names(host, port) and port != TUNNEL_PORT:
            raise Forbidden(
                f"Tunnels go to port {TUNNEL_PORT} only. An operator can allow {host}:{port} (proxy.allow)."
            )
        try:
            addresses = await resolve(host, port)
        except (OSError, UnicodeError):
            raise Forbidden(f"The name {host} could not be resolved.") from None
        for address in addresses:
            if is_public(address) or self.names(host, port) or self._in_network(address):
                return address
        raise Forbidden(f"{host} is not a public address. An operator can allow it (proxy.allow).")

    def names(self, host: str, port: int) -> bool:
        """Whether the allow-list names this host and port."""
        wanted = {f"{host.lower()}:{port}"}
        if port == TUNNEL_PORT:
            wanted.add(host.lower())
        return any(entry.lower() in wanted for entry in self.allow)

    def _in_network(self, address: str) -> bool:
        ip = ip_address(address.split("%", 1)[0])
        return any(ip in network for network in _networks(self.allow) if network.version == ip.version)


def _networks(entries: Iterable[str]) -> list[IPv6Network]:
    found = []
    for entry in entries:
        if "/" in entry:
            try:
                found.append(ip_network(entry, strict=False))
            except ValueError:
                continue
    return found  # type: ignore[return-value]
