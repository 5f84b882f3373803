"""Which algorithms a JWT issuer's key can verify. The allow-list is closed: `none` and the unknown are never in it.

Source:  RFC 7518 section 3: an HMAC key is at least as long as its hash; RFC 8725 section 3.1: key and algorithm are
         bound.
Errors:  ValueError whose text completes a sentence that begins with the value (see `units.py`).
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # the least that a shared secret must have
_FAMILIES: tuple[tuple[tuple[type, ...], tuple[str, ...]], ...] = (
    ((RSAPublicKey,), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    ((EllipticCurvePublicKey,), ("ES256", "ES384", "ES512")),
    ((Ed25519PublicKey, Ed448PublicKey), ("EdDSA",)),
)
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
SMALLEST_RSA = 2048  # bits
PUBLIC_KEY_ALGORITHMS = tuple(name for _, names in _FAMILIES for name in names)
ALGORITHMS = (*SECRET_BYTES, *PUBLIC_KEY_ALGORITHMS)


def algorithm(value: str) -> str:
    """An algorithm of the allow-list, in its exact spelling."""
    if value not in ALGORITHMS:
        raise ValueError(f"no algorithm that GreyFox accepts: {', '.join(ALGORITHMS)}")
    return value


def algorithms_of(pem: str) -> tuple[str, ...]:
    """The algorithms that the public key in `pem` can verify."""
    if "PRIVATE KEY" in pem:
        raise ValueError("a private key: only the public one belongs here")
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("no public key in PEM form (-----BEGIN PUBLIC KEY-----)") from None
    if isinstance(key, EllipticCurvePublicKey):
        return tuple(name for curve, name in CURVES.items() if curve == key.curve.name)
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA:
        raise ValueError(f"an RSA key of {key.key_size} bits: at least {SMALLEST_RSA}")
    return next((names for types, names in _FAMILIES if isinstance(key, types)), ())
