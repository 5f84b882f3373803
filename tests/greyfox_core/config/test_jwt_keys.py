"""Which algorithms a key can verify."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from greyfox_core.config.jwt_keys import algorithm, algorithms_of

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def public(key: Private) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("key", "fitting"),
    [
        (rsa.generate_private_key(65537, 2048), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (ec.generate_private_key(ec.SECP256R1()), ("ES256",)),
        (ec.generate_private_key(ec.SECP384R1()), ("ES384",)),
        (ec.generate_private_key(ec.SECP256K1()), ()),
        (ed25519.Ed25519PrivateKey.generate(), ("EdDSA",)),
    ],
    ids=["rsa", "p256", "p384", "k256", "ed25519"],
)
def test_a_public_key_is_bound_to_its_algorithms(key: Private, fitting: tuple[str, ...]) -> None:
    assert algorithms_of(public(key)) == fitting


def test_a_small_rsa_key_is_refused() -> None:
    with pytest.raises(ValueError, match="1024 bits"):
        algorithms_of(public(rsa.generate_private_key(65537, 1024)))


def test_a_private_key_is_refused() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="a private key"):
        algorithms_of(pem)


@pytest.mark.parametrize("text", ["", "zqx", "-----BEGIN PUBLIC KEY-----\nzqx\n-----END PUBLIC KEY-----\n", "ключ"])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="no public key") as refused:
        algorithms_of(text)
    assert "zqx" not in str(refused.value)


@pytest.mark.parametrize("name", ["none", "None", "rs256", "HS1", "ES256K", ""])
def test_the_list_of_algorithms_is_closed(name: str) -> None:
    assert algorithm("RS256") == "RS256"
    with pytest.raises(ValueError, match="no algorithm"):
        algorithm(name)
