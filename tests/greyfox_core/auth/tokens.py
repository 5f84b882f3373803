"""Keys, tokens and key sets as an identity provider makes them, for the tests of identity."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from greyfox_core.config.schema import Jwt

ISSUER = "https://sso.example.com/"
AUDIENCE = "greyfox"
URL = "https://sso.example.com/jwks.json"
SECRET = "s" * 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """The same key for the same arguments: making one is slow."""
    return rsa.generate_private_key(65_537, bits)


@cache
def ec_key(curve: str = "secp256r1") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key({"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}[curve])


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(private: Any) -> str:
    """The public half."""
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()  # type: ignore[no-any-return]


def jwk(private: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half as an entry of a key set."""
    public = private.public_key()
    if isinstance(private, rsa.RSAPrivateKey):
        entry = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        entry = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        entry = OKPAlgorithm.to_jwk(public, as_dict=True)
    entry.pop("key_ops", None)
    return entry | ({} if kid is None else {"kid": kid}) | more


def key_set(*entries: Any) -> bytes:
    return json.dumps({"keys": entries}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a token that holds; a change to None leaves the claim out."""
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": SECONDS + 600, "iat": SECONDS} | changes
    return {name: value for name, value in whole.items() if value is not None}


def token(key: Any, algorithm: str, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A signed token."""
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=header)


def raw_token(header: Any, payload: Any, signature: bytes = b"") -> str:
    """Whatever its parts say, signed or not."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    return ".".join(base64url_encode(part).decode() for part in (*parts, signature))


def config(**parts: Any) -> Jwt:
    """An issuer's configuration; without parts one with a shared secret."""
    source: dict[str, Any] = {"secret": SECRET, "algorithms": ("HS256",)}
    if {"public_key", "public_key_file", "jwks_url"} & parts.keys():
        source = {"algorithms": ("RS256",)}
    return Jwt(**({"issuer": ISSUER, "audience": AUDIENCE} | source | parts))
