import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.utils import base64url_encode

from greyfox_core.auth.jwks import Jwks
from greyfox_core.auth.jwt import Issuer, Verified, claimed_issuer, fits
from greyfox_core.clock import ManualClock
from greyfox_core.errors import ConfigError, Unauthenticated, Unavailable
from greyfox_core.values.principal import Principal
from tests.greyfox_core.auth.tokens import (
    ISSUER,
    NOW,
    SECONDS,
    SECRET,
    URL,
    claims,
    config,
    ec_key,
    ed_key,
    jwk,
    key_set,
    pem,
    raw_token,
    rsa_key,
    token,
)


def no_jwks(url: str) -> Jwks:
    raise AssertionError("nothing is to be fetched here")


def issuer(**parts: Any) -> Issuer:
    return Issuer(config(**parts), Path(), no_jwks)


def verified(made: str, **parts: Any) -> Verified:
    found = issuer(**parts).verify_now(made, NOW)
    assert found is not None
    return found


def hs(**changes: Any) -> str:
    return token(SECRET, "HS256", **changes)


def test_a_token_names_a_principal_and_its_end() -> None:
    assert verified(hs(roles=["developer", "lead"], team="core")) == Verified(
        Principal("alice", f"jwt:{ISSUER}", "core", frozenset({"developer", "lead"})), SECONDS + 660
    )


@pytest.mark.parametrize(
    ("algorithm", "private"),
    [
        ("RS256", rsa_key),
        ("RS512", rsa_key),
        ("PS256", rsa_key),
        ("ES256", ec_key),
        ("ES384", lambda: ec_key("secp384r1")),
        ("EdDSA", ed_key),
    ],
)
def test_every_kind_of_key_verifies_its_own_algorithm(
    algorithm: str, private: Callable[[], Any], tmp_path: Path
) -> None:
    made = token(private(), algorithm)
    assert verified(made, public_key=pem(private()), algorithms=(algorithm,)).principal.user == "alice"
    (tmp_path / "issuer.pem").write_text(pem(private()))
    by_file = Issuer(config(public_key_file="issuer.pem", algorithms=(algorithm,)), tmp_path, no_jwks)
    assert by_file.verify_now(made, NOW) is not None


# --- forgeries

FORGED = {
    "one part": "abc",
    "two parts": hs().rpartition(".")[0],
    "four parts": hs() + ".x",
    "encrypted (five parts)": hs() + ".x.y",
    "empty parts": "..",
    "no base64": "§.§.§",
    "alg none": raw_token({"alg": "none", "typ": "JWT"}, claims()),
    "alg None": raw_token({"alg": "None"}, claims()),
    "alg nOnE": raw_token({"alg": "nOnE"}, claims(), b"x"),
    "alg null": raw_token({"alg": None}, claims()),
    "alg a list": raw_token({"alg": ["HS256"]}, claims()),
    "alg an object": raw_token({"alg": {"HS256": 1}}, claims()),
    "no alg": raw_token({"typ": "JWT"}, claims()),
    "another algorithm with the right secret": token(SECRET, "HS512"),
    "another secret": token("t" * 64, "HS256"),
    "no signature": hs().rpartition(".")[0] + ".",
    "signature of another token": hs().rpartition(".")[0] + "." + hs(sub="bob").rpartition(".")[2],
    "header no object": raw_token([], claims()),
    "payload no object": jwt.api_jws.encode(b"[]", SECRET, "HS256"),
    "payload no JSON": jwt.api_jws.encode(b"hello", SECRET, "HS256"),
    "payload too deep": jwt.api_jws.encode(b'{"a":' * 9999, SECRET, "HS256"),
    "jku": token(SECRET, "HS256", {"jku": "https://evil.example/jwks"}),
    "x5u": token(SECRET, "HS256", {"x5u": "https://evil.example/cert"}),
    "jwk": token(SECRET, "HS256", {"jwk": {"kty": "oct", "k": "eA"}}),
    "crit": token(SECRET, "HS256", {"crit": ["exp"]}),
    "crit and b64": token(SECRET, "HS256", {"crit": ["b64"], "b64": True}),
    "kid a number": raw_token({"alg": "HS256", "kid": 5}, claims()),
    "no exp": hs(exp=None),
    "exp text": hs(exp=str(SECONDS + 600)),
    "exp true": hs(exp=True),
    "exp a list": hs(exp=[SECONDS + 600]),
    "exp -1": hs(exp=-1),
    "exp 0": hs(exp=0),
    "exp 10^20": hs(exp=10**20),
    "exp huge": hs(exp=10**400),
    "exp infinite": hs(exp=float("inf")),
    "exp not a number": hs(exp=float("nan")),
    "expired": hs(exp=SECONDS - 60),
    "nbf ahead": hs(nbf=SECONDS + 61),
    "nbf text": hs(nbf="soon"),
    "iat ahead": hs(iat=SECONDS + 61),
    "nbf true": hs(nbf=True),
    "iat mistyped": hs(iat={}),
    "iat true": hs(iat=True),
    "no aud": hs(aud=None),
    "foreign aud": hs(aud="other"),
    "foreign auds": hs(aud=["a", "b"]),
    "aud a number": hs(aud=5),
    "aud a part": hs(aud="grey"),
    "no iss": hs(iss=None),
    "foreign iss": hs(iss="https://sso.example.com"),
    "iss a list": raw_token({"alg": "HS256"}, claims(iss=[ISSUER])),
    "no user": hs(sub=None),
    "user a number": raw_token({"alg": "HS256"}, claims(sub=5)),
    "user empty": hs(sub=""),
    "user with a line break": hs(sub="alice\nroot"),
    "user too long": hs(sub="a" * 257),
    "team mistyped": hs(team=["core"]),
    "team empty": hs(team=""),
    "roles a number": hs(roles=5),
    "roles an object": hs(roles={"admin": True}),
    "roles of numbers": hs(roles=[1]),
    "a role too long": hs(roles=["r" * 257]),
    "5000 roles": hs(roles=[f"r{n}" for n in range(5000)]),
    "5000 roles in a text": hs(roles=" ".join(f"r{n}" for n in range(5000))),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_forged_and_unfit_tokens_are_refused(forged: str) -> None:
    with pytest.raises(Unauthenticated):
        issuer().verify_now(forged, NOW)


def test_a_public_key_is_never_a_shared_secret() -> None:
    public = pem(rsa_key())
    mixed = config(public_key=public).model_copy(update={"algorithms": ("HS256", "RS256")})  # no file can say so
    header = base64url_encode(b'{"alg":"HS256"}') + b"." + base64url_encode(json.dumps(claims()).encode())
    forged = (header + b"." + base64url_encode(hmac.digest(public.encode(), header, "sha256"))).decode()
    for one in (config(public_key=public), mixed):
        with pytest.raises(Unauthenticated):
            Issuer(one, Path(), no_jwks).verify_now(forged, NOW)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("HS256", b"s" * 31),
        ("HS512", b"s" * 63),
        ("HS256", rsa_key().public_key()),
        ("RS256", b"s" * 64),
        ("RS256", rsa_key(1024).public_key()),
        ("PS256", ec_key().public_key()),
        ("ES256", rsa_key().public_key()),
        ("ES256", ec_key("secp384r1").public_key()),
        ("EdDSA", ec_key().public_key()),
        ("EdDSA", rsa_key()),
    ],
)
def test_a_key_that_is_weak_or_of_another_kind_fits_no_algorithm(algorithm: str, key: object) -> None:
    assert not fits(key, algorithm)


def test_a_weak_key_verifies_nothing(tmp_path: Path) -> None:
    (tmp_path / "weak.pem").write_text(pem(rsa_key(1024)))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        made = token(rsa_key(1024), "RS256")
    with pytest.raises(Unauthenticated):
        Issuer(config(public_key_file="weak.pem"), tmp_path, no_jwks).verify_now(made, NOW)


@given(st.text() | st.lists(st.text(max_size=9), max_size=5).map(".".join))
def test_whatever_the_token_it_is_refused_not_failed_on(text: str) -> None:
    claimed_issuer(text)
    with pytest.raises(Unauthenticated):
        issuer().verify_now(text, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "sub", "roles", "team"]), JSON))
def test_whatever_well_signed_claims_say_the_result_is_sound(changes: dict[str, Any]) -> None:
    payload = json.dumps(claims() | changes).encode()
    try:
        found = verified(jwt.api_jws.encode(payload, SECRET, "HS256"))
    except Unauthenticated:
        return
    assert found.principal.user.isprintable() and found.principal.user != ""
    assert "" not in found.principal.roles
    assert found.until > SECONDS


# --- what holds


def test_leeway_holds_on_both_ends() -> None:
    verified(hs(exp=SECONDS - 59, nbf=SECONDS + 60, iat=SECONDS + 60))
    verified(hs(exp=SECONDS + 0.5))
    with pytest.raises(Unauthenticated):
        verified(hs(exp=SECONDS - 1), leeway=0.0)
    assert issuer().verify_now(hs(), NOW + timedelta(seconds=659)) is not None
    with pytest.raises(Unauthenticated):
        issuer().verify_now(hs(), NOW + timedelta(seconds=660))


def test_one_of_several_audiences_is_enough() -> None:
    verified(hs(aud=["other", "greyfox"]))


@pytest.mark.parametrize(
    ("path", "more", "roles"),
    [
        ("roles", {"roles": ["a", "b", "a"]}, {"a", "b"}),
        ("roles", {}, set()),
        ("roles", {"roles": []}, set()),
        ("scope", {"scope": " a  b "}, {"a", "b"}),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, {"a"}),
        ("realm_access.roles", {"realm_access": ["roles"]}, set()),
        ("https://example.com/roles", {"https://example.com/roles": ["a"]}, {"a"}),
        ("groups", {"groups": [f"g{n}" for n in range(200)]}, {f"g{n}" for n in range(200)}),
    ],
)
def test_roles_come_from_a_list_a_text_or_the_end_of_a_path(path: str, more: dict[str, Any], roles: set[str]) -> None:
    assert verified(hs(**more), roles_claim=path).principal.roles == roles


def test_user_and_team_come_from_the_claims_that_the_operator_names() -> None:
    made = hs(email="a@example.com", org={"unit": "core"})
    principal = verified(made, user_claim="email", team_claim="org.unit").principal
    assert (principal.user, principal.team) == ("a@example.com", "core")


def test_the_issuer_that_a_token_claims() -> None:
    assert claimed_issuer(hs()) == ISSUER
    assert claimed_issuer(hs(iss=None)) is None
    assert claimed_issuer("a.b") is None
    assert claimed_issuer("sk-a.b.c") is None


@pytest.mark.parametrize(
    "text",
    ["", "no key", pem(rsa_key())[:80], "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
    ids=["empty", "no key", "cut short", "no data"],
)
def test_a_key_file_that_cannot_be_used_is_told_at_start(text: str, tmp_path: Path) -> None:
    (tmp_path / "issuer.pem").write_text(text)
    with pytest.raises(ConfigError, match=ISSUER):
        Issuer(config(public_key_file="issuer.pem"), tmp_path, no_jwks)
    with pytest.raises(ConfigError, match=r"none\.pem"):
        Issuer(config(public_key_file="none.pem"), tmp_path, no_jwks)


class TestWithKeySet:
    """Keys of the issuer's JWKS URL."""

    def issuer(self, *bodies: bytes | Exception) -> Issuer:
        answers = list(bodies)

        async def fetch(url: str) -> bytes:
            assert url == URL
            body = answers.pop(0)
            if isinstance(body, Exception):
                raise body
            return body

        self.clock = ManualClock()
        jwks = Jwks(URL, fetch, self.clock, lambda _: None)
        return Issuer(config(jwks_url=URL, algorithms=("RS256", "EdDSA")), Path(), lambda url: jwks)

    async def test_the_first_token_waits_for_the_keys_and_later_ones_do_not(self) -> None:
        one = self.issuer(key_set(jwk(rsa_key(), "a"), jwk(ed_key(), "b")))
        made = token(rsa_key(), "RS256", {"kid": "a"})
        assert one.verify_now(made, NOW) is None
        assert (await one.verify(made, NOW)).principal.user == "alice"
        assert one.verify_now(token(ed_key(), "EdDSA", {"kid": "b"}), NOW) is not None

    @pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "/dev/null", "", "A", "https://evil.example/"])
    async def test_an_id_is_only_ever_looked_up(self, kid: str) -> None:
        one = self.issuer(key_set(jwk(rsa_key(), "a"), jwk(ed_key(), "b")))
        made = token(rsa_key(), "RS256", {"kid": kid})
        with pytest.raises(Unauthenticated):
            await one.verify(made, NOW)
        with pytest.raises(Unauthenticated):
            one.verify_now(made, NOW)

    async def test_a_key_verifies_under_its_own_id_and_algorithm_alone(self) -> None:
        one = self.issuer(key_set(jwk(rsa_key(), "a", alg="RS512"), jwk(ed_key(), "b")))
        with pytest.raises(Unauthenticated):
            await one.verify(token(rsa_key(), "RS256", {"kid": "a"}), NOW)
        with pytest.raises(Unauthenticated):
            await one.verify(token(rsa_key(), "RS256", {"kid": "b"}), NOW)
        with pytest.raises(Unauthenticated):
            await one.verify(token(rsa_key(2048, 1), "RS256", {"kid": "b"}), NOW)

    async def test_without_any_key_the_gateway_says_that_it_cannot_tell(self) -> None:
        one = self.issuer(OSError("down"), key_set(jwk(rsa_key(), "a")))
        made = token(rsa_key(), "RS256", {"kid": "a"})
        with pytest.raises(Unavailable):
            await one.verify(made, NOW)
        self.clock.advance(30)
        assert (await one.verify(made, NOW)).principal.user == "alice"
