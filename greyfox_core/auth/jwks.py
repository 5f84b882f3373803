"""An issuer's public keys, fetched from its JWKS URL and remembered.

One fetch at a time and no two within 30 s, however many unknown key ids callers make up. A set that was fetched well
stays in force for at most 24 h while fetches fail: a failure never wipes good keys. A set that is ten minutes old is
fetched anew on its next use, and each good one replaces the one before: so the issuer adds and withdraws keys.

Units:   seconds, bytes.
Errors:  none to callers: a key that cannot be had is None. What went wrong is told to `report`, without any key.
Source:  RFC 7517 (sets), RFC 8725 (what to distrust).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import orjson

from greyfox_core.clock import Clock

LARGEST = 1_048_576
MOST_KEYS = 200
APART = 30.0
STALE_AFTER = 600.0
DEAD_AFTER = 86_400.0
TIMEOUT = 10.0

type Fetch = Callable[[str], Awaitable[bytes]]
"""The body behind a URL; raises whatever it likes."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`key` is one of `cryptography`'s public keys; `algorithm` binds it where the set says so."""

    key: Any
    algorithm: str | None


class Jwks:
    """The keys of one issuer."""

    def __init__(self, url: str, fetch: Fetch, clock: Clock, report: Callable[[str], None]) -> None:
        self.url = url
        self._fetch = fetch
        self._clock = clock
        self._report = report
        self._keys: Mapping[str | None, PublicKey] = {}
        self._good_at: float | None = None
        self._tried_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    def find(self, kid: str | None) -> PublicKey | None:
        """The key of that id, by memory; without an id, the only one of the set. May begin to fetch."""
        if self._age() > STALE_AFTER:
            self._start()
        if self.empty:
            return None
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    @property
    def empty(self) -> bool:
        """Whether no key is in force: none was ever fetched, or not for a day."""
        return self._age() > DEAD_AFTER

    def worth_waiting(self) -> bool:
        """Whether a fetch is under way, or would be allowed now."""
        return self._refreshing is not None or self._allowed()

    async def wait(self) -> None:
        """Until the fetch that is under way, or allowed now, has ended; at once where there is none."""
        self._start()
        if self._refreshing is not None:
            # Shielded: a caller who leaves must not end the fetch that others wait for.
            await asyncio.shield(self._refreshing)

    def _age(self) -> float:
        return float("inf") if self._good_at is None else self._clock.monotonic() - self._good_at

    def _allowed(self) -> bool:
        return self._tried_at is None or self._clock.monotonic() - self._tried_at >= APART

    def _start(self) -> None:
        if self._refreshing is None and self._allowed():
            self._tried_at = self._clock.monotonic()
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                self._keys = parse(await self._fetch(self.url))
            self._good_at = self._clock.monotonic()
        except Exception as error:  # whatever the network or the issuer does: the last good set stays
            self._report(
                f"The keys of {self.url} could not be fetched ({type(error).__name__}); the last good ones stay."
            )
        finally:
            self._refreshing = None

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])


def parse(body: bytes) -> dict[str | None, PublicKey]:
    """The usable signature keys of a set by their id.

    Left out: symmetric and private keys (nothing secret belongs in a public set), keys for encryption, unknown kinds.
    Raises ValueError where it is no set, is too large or has no usable key.
    """
    if len(body) > LARGEST:
        raise ValueError("a key set of that size is none")
    document = orjson.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ValueError("no key set")
    keys: dict[str | None, PublicKey] = {}
    for entry in entries:
        if isinstance(entry, dict) and (found := _usable(entry)) is not None:
            kid = entry.get("kid")
            keys[kid if isinstance(kid, str) else None] = found
    if not keys:
        raise ValueError("a key set without a usable key")
    return keys


def _usable(entry: dict[str, Any]) -> PublicKey | None:
    if entry.get("kty") not in ("RSA", "EC", "OKP") or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    algorithm = entry.get("alg")
    if algorithm is not None and not isinstance(algorithm, str):
        return None
    try:
        return PublicKey(jwt.PyJWK.from_dict(entry).key, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


def fetcher(session: aiohttp.ClientSession) -> Fetch:
    """Fetch by `session`: no redirects, so that only the configured URL is ever asked, and never more than 1 MiB."""

    async def fetch(url: str) -> bytes:
        async with session.get(url, allow_redirects=False, headers={"accept": "application/json"}) as answer:
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > LARGEST:
                    raise ValueError("a key set of that size is none")
            return bytes(body)

    return fetch
