"""JSON Web Tokens of configured issuers.

The configuration alone says which algorithms an issuer may use and which key verifies them; a token's header only
chooses among these. Keys and URLs in a header are grounds for refusal.

Units:   `exp`, `nbf`, `iat` and the leeway are seconds; the moment is handed in.
Errors:  Unauthenticated for every token that does not hold; Unavailable while none of an issuer's keys can be had;
         ConfigError for a key that cannot be used.
Source:  RFC 7519, RFC 8725.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.utils import base64url_decode

from greyfox_core.auth.credentials import unauthenticated
from greyfox_core.auth.jwks import Jwks
from greyfox_core.auth.names import is_name
from greyfox_core.config.schema import Jwt
from greyfox_core.errors import ConfigError, Unauthenticated, Unavailable
from greyfox_core.values.principal import Principal

DISTRUSTED = frozenset(("jku", "x5u", "jwk", "crit"))
MOST_ROLES = 200
LATEST = 253_402_300_800  # the year 10000: no later `exp` is meant
SMALLEST_RSA = 2048  # bits
CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES256K": ec.SECP256K1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}


@dataclass(frozen=True, slots=True)
class Verified:
    """Whom a token names, and the last moment (seconds since 1970) until which it holds, leeway included."""

    principal: Principal
    until: float


def claimed_issuer(token: str) -> str | None:
    """What an unverified token says of its issuer; None where it is no JWT or says nothing."""
    if token.count(".") != 2:
        return None
    try:
        claims = orjson.loads(base64url_decode(token.split(".")[1]))
    except ValueError:
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


class Issuer:
    """One configured issuer and what verifies its tokens."""

    def __init__(self, config: Jwt, folder: Path, jwks: Callable[[str], Jwks]) -> None:
        """`folder` is where a relative `public_key_file` begins; `jwks` gives the remembered keys of a URL."""
        self.name = config.issuer
        self._config = config
        self._jwks = jwks(config.jwks_url) if config.jwks_url is not None else None
        self._key = _static_key(config, folder)

    def verify_now(self, token: str, now: datetime) -> Verified | None:
        """Decide by memory; None where the issuer's keys are to be fetched first."""
        algorithm, kid = self._read_header(token)
        key = self._key
        if self._jwks is not None:
            found = self._jwks.find(kid)
            if found is None:
                _still_to_come(self._jwks)
                return None
            if found.algorithm not in (None, algorithm):
                raise unauthenticated()
            key = found.key
        return self._verify(token, key, algorithm, now)

    async def verify(self, token: str, now: datetime) -> Verified:
        """Decide, waiting for the issuer's keys where memory does not have them."""
        verified = self.verify_now(token, now)
        if verified is None and self._jwks is not None:
            await self._jwks.wait()
            verified = self.verify_now(token, now)
        if verified is None:
            raise unauthenticated()
        return verified

    def _read_header(self, token: str) -> tuple[str, str | None]:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise unauthenticated() from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._config.algorithms or DISTRUSTED & header.keys():
            raise unauthenticated()
        return algorithm, kid

    def _verify(self, token: str, key: Any, algorithm: str, now: datetime) -> Verified:
        if not fits(key, algorithm):
            raise unauthenticated()
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._config.audience,
                issuer=self._config.issuer,
                # The library would ask the machine's clock, and takes "12" for a moment.
                options={
                    "require": ["exp", "iss", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            return self._read_claims(claims, now.timestamp())
        except Unauthenticated:
            raise
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError):
            raise unauthenticated() from None

    def _read_claims(self, claims: dict[str, Any], now: float) -> Verified:
        leeway = self._config.leeway
        until = _moment(claims["exp"]) + leeway
        if now >= until:
            raise unauthenticated()
        for name in ("nbf", "iat"):
            if name in claims and _moment(claims[name]) > now + leeway:
                raise unauthenticated()
        team = _claim(claims, self._config.team_claim)
        principal = Principal(
            user=_name(_claim(claims, self._config.user_claim)),
            key_id=f"jwt:{self.name}",
            team=None if team is None else _name(team),
            roles=_roles(_claim(claims, self._config.roles_claim)),
        )
        return Verified(principal, until)


def _still_to_come(jwks: Jwks) -> None:
    """Return where a fetch may bring the key that is missing, else raise."""
    if jwks.worth_waiting():
        return
    if jwks.empty:
        raise Unavailable("The identity provider's keys cannot be fetched. Try again in a minute.", retry_after=30)
    raise unauthenticated()


def fits(key: Any, algorithm: str) -> bool:
    """Whether a key is of the algorithm's kind, and strong enough: a public key is never an HMAC secret."""
    match algorithm[:2]:
        case "HS":
            return isinstance(key, bytes) and len(key) >= int(algorithm[2:]) // 8
        case "RS" | "PS":
            return isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA
        case "ES":
            return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES[algorithm])
        case _:
            return isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)


def _static_key(config: Jwt, folder: Path) -> Any:
    if config.secret is not None:
        return config.secret.get_secret_value().encode()
    if config.public_key is not None:
        return _public_key(config.public_key.encode(), config.issuer)
    if config.public_key_file is not None:
        file = folder / config.public_key_file
        try:
            return _public_key(file.read_bytes(), config.issuer)
        except OSError as error:
            raise ConfigError(f"{file}: the public key of {config.issuer} cannot be read: {error.strerror}") from None
    return None


def _public_key(pem: bytes, issuer: str) -> Any:
    try:
        return load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"auth.jwt: the public key of {issuer} is no public key in PEM form") from None


def _moment(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise unauthenticated()
    if not 0 < value < LATEST:
        raise unauthenticated()
    return float(value)


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name (some hold dots and slashes), else the one at the end of that path; else None."""
    if path in claims:
        return claims[path]
    node: Any = claims
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _name(value: Any) -> str:
    if not is_name(value):
        raise unauthenticated()
    return value


def _roles(value: Any) -> frozenset[str]:
    """A list of names, or names parted by spaces as in `scope`."""
    if value is None:
        return frozenset()
    names = value.split(None, MOST_ROLES) if isinstance(value, str) else value
    if not isinstance(names, list) or len(names) > MOST_ROLES:
        raise unauthenticated()
    return frozenset(_name(name) for name in names)
