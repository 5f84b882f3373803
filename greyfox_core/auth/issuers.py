"""All configured issuers, and the tokens that were verified lately.

A verified token is remembered by the SHA-256 of the whole of it, until it ends and for a minute at most.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cachetools import LRUCache

from greyfox_core.auth.credentials import unauthenticated
from greyfox_core.auth.jwks import Fetch, Jwks
from greyfox_core.auth.jwt import Issuer, Verified, claimed_issuer
from greyfox_core.clock import Clock
from greyfox_core.config.schema import AuthPart
from greyfox_core.errors import ConfigError

REMEMBERED = 10_000
REMEMBERED_FOR = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class _Remembered:
    verified: Verified
    since: float  # monotonic seconds


class Issuers:
    """Verifies tokens. One instance serves one event loop."""

    def __init__(self, clock: Clock, fetch: Fetch, report: Callable[[str], None]) -> None:
        """`fetch` reads JWKS URLs; `report` is told in a sentence what goes wrong with an issuer."""
        self._clock = clock
        self._fetch = fetch
        self._report = report
        self._issuers: dict[str, Issuer] = {}
        self._jwks: dict[str, Jwks] = {}
        self._remembered: LRUCache[bytes, _Remembered] = LRUCache(REMEMBERED)

    def reconfigure(self, auth: AuthPart, folder: Path) -> None:
        """Trust the issuers of `auth` and no others, from now on. Relative key files begin at `folder`.

        Reads small files. Raises ConfigError for a key that cannot be used; then nothing has changed.
        """
        jwks: dict[str, Jwks] = {}

        def of_url(url: str) -> Jwks:
            if url not in jwks:  # what was fetched already stays known over a reload
                jwks[url] = self._jwks.get(url) or Jwks(url, self._fetch, self._clock, self._report)
            return jwks[url]

        issuers: dict[str, Issuer] = {}
        for config in auth.jwt:
            if config.issuer in issuers:
                raise ConfigError(f"auth.jwt: the issuer {config.issuer} is named twice")
            issuers[config.issuer] = Issuer(config, folder, of_url)
        self._issuers, self._jwks = issuers, jwks
        self._remembered.clear()  # claims may mean other roles now

    def claim(self, credential: str) -> bool:
        """Whether it says of itself that it is a token of one of these issuers; verifies nothing."""
        return bool(self._issuers) and claimed_issuer(credential) in self._issuers

    def verify_now(self, token: str) -> Verified | None:
        """Decide by memory; None where the issuer's keys are to be fetched first. Raises as `Issuer.verify_now`."""
        digest, now = _digest(token), self._clock.now()
        known = self._recall(digest, now)
        if known is not None:
            return known
        verified = self._issuer(token).verify_now(token, now)
        return None if verified is None else self._remember(digest, verified)

    async def verify(self, token: str) -> Verified:
        """Decide, fetching the issuer's keys where that is needed. Raises as `Issuer.verify`."""
        digest, now = _digest(token), self._clock.now()
        known = self._recall(digest, now)
        return known or self._remember(digest, await self._issuer(token).verify(token, now))

    async def close(self) -> None:
        """End what is being fetched."""
        for jwks in self._jwks.values():
            await jwks.close()

    def _issuer(self, token: str) -> Issuer:
        issuer = self._issuers.get(claimed_issuer(token) or "")
        if issuer is None:
            raise unauthenticated()
        return issuer

    def _recall(self, digest: bytes, now: datetime) -> Verified | None:
        known = self._remembered.get(digest)
        if known is None or self._clock.monotonic() - known.since >= REMEMBERED_FOR:
            return None
        return known.verified if now.timestamp() < known.verified.until else None

    def _remember(self, digest: bytes, verified: Verified) -> Verified:
        self._remembered[digest] = _Remembered(verified, self._clock.monotonic())
        return verified


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
