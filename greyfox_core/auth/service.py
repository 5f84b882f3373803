"""Who calls? Every credential that a request presents is verified, and all must name one principal.

In the usual case memory decides (`authenticate_now`): a virtual key costs one HMAC and a look-up in the store's memory,
a JWT that was verified during the last minute one hash. A revoked key is refused as soon as the store's memory knows.

Errors:  Unauthenticated, the same for every reason; StoreUnavailable where a key must be looked up and cannot be;
         Unavailable where an issuer's keys cannot be had.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cachetools import LRUCache

from greyfox_core.auth.credentials import Presented, collect, proxy_credential, unauthenticated
from greyfox_core.auth.issuers import Issuers
from greyfox_core.auth.jwks import Fetch
from greyfox_core.auth.keys import KeyRecord, digest_of, well_formed
from greyfox_core.auth.ports import UNKNOWN, KeyStore
from greyfox_core.clock import Clock
from greyfox_core.config.schema import AuthPart
from greyfox_core.values.http import Headers, RequestHead
from greyfox_core.values.principal import Principal

REMEMBERED_PROXY_CLIENTS = 65_536


@dataclass(frozen=True, slots=True)
class Identity:
    """`passthrough` are the caller's own upstream credentials, as header fields.

    `key` is the virtual key by which alone the caller is known; None where anything else has a part in it.
    """

    principal: Principal
    passthrough: Headers
    key: KeyRecord | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Held:
    """A principal and what makes it one: the digest of a virtual key, or the end (seconds since 1970) of a token."""

    principal: Principal
    by: bytes | float
    key: KeyRecord | None = None


class Authenticator:
    """Verifies callers. One instance serves one event loop."""

    def __init__(
        self, keys: KeyStore, pepper: bytes, clock: Clock, fetch: Fetch, report: Callable[[str], None]
    ) -> None:
        """`fetch` reads JWKS URLs; `report` is told in a sentence what goes wrong with an issuer."""
        self._keys = keys
        self._pepper = pepper
        self._clock = clock
        self._issuers = Issuers(clock, fetch, report)
        # What an open tunnel's principal was verified by: its requests bring no credential, yet it may end meanwhile.
        self._proxy_clients: LRUCache[Principal, bytes | float] = LRUCache(REMEMBERED_PROXY_CLIENTS)

    def reconfigure(self, auth: AuthPart, folder: Path) -> None:
        """Trust the issuers of `auth` and no others, from now on; raises ConfigError. See `Issuers.reconfigure`."""
        self._issuers.reconfigure(auth, folder)

    def authenticate_now(self, head: RequestHead, bound: Principal | None) -> Identity | None:
        """Decide by memory; None where the store or an issuer must be asked. `bound` is who opened the tunnel."""
        presented = self._collect(head, bound)
        if bound is not None:
            holds = self._holds_now(bound)
            if holds is None:
                return None
            if not holds:
                raise unauthenticated()
        held = []
        for credential in _credentials(presented):
            found = self._verify_now(credential)
            if found is None:
                return None
            held.append(found)
        return self._identity(presented, held, bound)

    async def authenticate(self, head: RequestHead, bound: Principal | None) -> Identity:
        """Decide, asking whom it takes. `bound` is who opened the tunnel that the request came through."""
        presented = self._collect(head, bound)
        if bound is not None and not await self.holds(bound):
            raise unauthenticated()
        held = [await self._verify(credential) for credential in _credentials(presented)]
        return self._identity(presented, held, bound)

    async def connect(self, headers: Headers) -> Principal:
        """Who asks for a tunnel, by Proxy-Authorization alone."""
        held = await self._verify(proxy_credential(headers))
        self._keep(held)
        return held.principal

    async def holds(self, principal: Principal) -> bool:
        """Whether that by which a proxy client became `principal` still holds: an open tunnel's right to go on."""
        holds = self._holds_now(principal)
        if holds is None:
            digest = self._proxy_clients[principal]
            assert isinstance(digest, bytes)
            holds = self._usable(await self._keys.by_digest(digest), digest)
        return holds

    def still_holds(self, key: KeyRecord) -> bool:
        """Whether memory knows this very key, and it is usable."""
        return self._keys.cached(key.digest) is key and key.usable(self._clock.now())

    async def close(self) -> None:
        """End what is under way to issuers."""
        await self._issuers.close()

    def _collect(self, head: RequestHead, bound: Principal | None) -> Presented:
        presented = collect(head, self._issuers.claim)
        if bound is None and presented.proxy is None and not presented.own:
            raise unauthenticated()
        return presented

    def _identity(self, presented: Presented, held: list[_Held], bound: Principal | None) -> Identity:
        principal = bound or held[0].principal
        if any(other.principal != principal for other in held):
            raise unauthenticated()
        if presented.proxy is not None:
            self._keep(held[0])
        # Without a word to the proxy the other slots hold leftovers, an SDK's placeholder say: they go nowhere.
        identified = bound is not None or presented.proxy is not None
        if identified:
            return Identity(principal, presented.foreign)
        return Identity(principal, (), held[0].key if len(held) == 1 else None)

    # --- one credential

    def _verify_now(self, credential: str) -> _Held | None:
        if well_formed(credential):
            digest = digest_of(credential, self._pepper)
            record = self._keys.cached(digest)
            return None if record is UNKNOWN else self._of_record(record, digest)
        verified = self._issuers.verify_now(credential)
        return None if verified is None else _Held(verified.principal, verified.until)

    async def _verify(self, credential: str) -> _Held:
        held = self._verify_now(credential)
        if held is not None:
            return held
        if well_formed(credential):
            digest = digest_of(credential, self._pepper)
            return self._of_record(await self._keys.by_digest(digest), digest)
        verified = await self._issuers.verify(credential)
        return _Held(verified.principal, verified.until)

    def _of_record(self, record: KeyRecord | None, digest: bytes) -> _Held:
        if record is None or not self._usable(record, digest):
            raise unauthenticated()
        return _Held(Principal(record.user, record.id, record.team, record.roles, record.models), digest, record)

    def _usable(self, record: KeyRecord | None, digest: bytes) -> bool:
        return record is not None and hmac.compare_digest(record.digest, digest) and record.usable(self._clock.now())

    # --- open tunnels

    def _keep(self, held: _Held) -> None:
        before = self._proxy_clients.get(held.principal)
        if isinstance(held.by, float) and isinstance(before, float):
            self._proxy_clients[held.principal] = max(held.by, before)
        else:
            self._proxy_clients[held.principal] = held.by

    def _holds_now(self, principal: Principal) -> bool | None:
        by = self._proxy_clients.get(principal)
        if by is None:
            return False
        if isinstance(by, float):
            return self._clock.now().timestamp() < by
        record = self._keys.cached(by)
        return None if record is UNKNOWN else self._usable(record, by)


def _credentials(presented: Presented) -> Iterable[str]:
    return presented.own if presented.proxy is None else (presented.proxy, *presented.own)
