"""Step 2 of a request: who calls?

Needs:  exchange.head with its credentials.
Leaves: exchange.principal; exchange.head without any credential, whatever came of it; exchange.controls, the caller's
wishes to GreyFox. Raises Unauthenticated, or what `unrouted` says.
"""

from greyfox_core.auth.credentials import strip
from greyfox_core.auth.keys import KeyRecord
from greyfox_core.auth.service import Authenticator, Identity
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import RequestHead
from greyfox_core.values.principal import Principal


class Identify:
    """`bound` is who opened the tunnel that the request came through."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def at_once(self, exchange: Exchange, bound: Principal | None) -> bool:
        """Decide from memory; False where that cannot be. Raises as `__call__`."""
        identity = self._authenticator.authenticate_now(exchange.head, bound)
        if identity is None:
            return False
        self._leave(exchange, identity)
        return True

    async def __call__(self, exchange: Exchange, bound: Principal | None) -> None:
        """Decide, asking the store or an issuer where memory does not know."""
        self._leave(exchange, await self._authenticator.authenticate(exchange.head, bound))

    def still_holds(self, key: KeyRecord) -> bool:
        """Whether the key that a caller was known by holds still, as far as memory can tell."""
        return self._authenticator.still_holds(key)

    def hide(self, exchange: Exchange) -> None:
        """Take every credential out of the exchange's head: from here on it can be shown, logged and forwarded."""
        head = exchange.head
        exchange.controls = tuple([field for field in head.headers if field[0].startswith("x-greyfox-")])
        headers, query = strip(head)
        exchange.head = RequestHead(head.method, head.path, query, headers, head.way, head.host, head.port)

    def _leave(self, exchange: Exchange, identity: Identity) -> None:
        exchange.principal = identity.principal
        exchange.key = identity.key
        exchange.passthrough = identity.passthrough
        if exchange.unrouted is not None:
            raise exchange.unrouted
