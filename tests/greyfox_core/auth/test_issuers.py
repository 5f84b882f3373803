from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.auth.issuers import REMEMBERED_FOR, Issuers
from greyfox_core.auth.jwt import Issuer
from greyfox_core.clock import ManualClock
from greyfox_core.config.schema import AuthPart, Jwt
from greyfox_core.errors import ConfigError, Unauthenticated
from tests.greyfox_core.auth.tokens import SECONDS, SECRET, URL, config, jwk, key_set, rsa_key, token

OTHER = "https://other.example.com/"


async def no_fetch(url: str) -> bytes:
    raise AssertionError("nothing is to be fetched here")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token whose signature was verified."""
    seen: list[str] = []
    verify: Callable[..., Any] = Issuer.verify_now

    def watched(self: Issuer, made: str, now: Any) -> Any:
        seen.append(made)
        return verify(self, made, now)

    monkeypatch.setattr(Issuer, "verify_now", watched)
    return seen


def issuers(clock: ManualClock, *configs: Jwt) -> Issuers:
    made = Issuers(clock, no_fetch, lambda _: None)
    made.reconfigure(AuthPart(jwt=configs or (config(),)), Path())
    return made


def test_a_token_is_verified_once_a_minute(clock: ManualClock, verifications: list[str]) -> None:
    known = issuers(clock)
    made = token(SECRET, "HS256")
    first = known.verify_now(made)
    clock.advance(REMEMBERED_FOR - 1)
    assert known.verify_now(made) is first
    assert len(verifications) == 1
    clock.advance(1)
    assert known.verify_now(made) == first
    assert len(verifications) == 2


def test_a_remembered_token_ends_when_it_ends(clock: ManualClock) -> None:
    known = issuers(clock, config(leeway=0.0))
    made = token(SECRET, "HS256", exp=SECONDS + 10)
    assert known.verify_now(made)
    clock.advance(10)
    with pytest.raises(Unauthenticated):
        known.verify_now(made)


def test_tokens_alike_in_their_first_and_last_characters_stay_distinct(clock: ManualClock) -> None:
    known = issuers(clock)
    alice = token(SECRET, "HS256")
    assert known.verify_now(alice)
    bob = alice[:20] + token(SECRET, "HS256", sub="bob")[20:-16] + alice[-16:]
    assert bob != alice and bob[:20] == alice[:20] and bob[-16:] == alice[-16:]
    with pytest.raises(Unauthenticated):
        known.verify_now(bob)


def test_each_issuer_verifies_its_own_tokens_alone(clock: ManualClock) -> None:
    known = issuers(clock, config(), config(issuer=OTHER, secret="o" * 64))
    assert known.verify_now(token(SECRET, "HS256"))
    assert known.verify_now(token("o" * 64, "HS256", iss=OTHER))
    for wrong in (token(SECRET, "HS256", iss=OTHER), token("o" * 64, "HS256")):
        assert known.claim(wrong)
        with pytest.raises(Unauthenticated):
            known.verify_now(wrong)


def test_only_tokens_of_configured_issuers_are_claimed(clock: ManualClock) -> None:
    known = issuers(clock)
    assert known.claim(token("x" * 64, "HS256"))
    for foreign in (token(SECRET, "HS256", iss="https://accounts.google.com"), "a.b.c", "sk-1", ""):
        assert not known.claim(foreign)
    assert not Issuers(clock, no_fetch, lambda _: None).claim(token(SECRET, "HS256"))


def test_a_new_configuration_holds_for_remembered_tokens_too(clock: ManualClock) -> None:
    known = issuers(clock)
    made = token(SECRET, "HS256", groups=["admin"])
    before = known.verify_now(made)
    assert before is not None and before.principal.roles == frozenset()
    known.reconfigure(AuthPart(jwt=(config(roles_claim="groups"),)), Path())
    after = known.verify_now(made)
    assert after is not None and after.principal.roles == {"admin"}
    known.reconfigure(AuthPart(), Path())
    with pytest.raises(Unauthenticated):
        known.verify_now(made)


def test_a_configuration_that_cannot_be_used_changes_nothing(clock: ManualClock) -> None:
    known = issuers(clock)
    for broken in ((config(), config()), (config(public_key_file="none.pem", issuer=OTHER),)):
        with pytest.raises(ConfigError):
            known.reconfigure(AuthPart.model_construct(jwt=broken), Path())
    assert known.verify_now(token(SECRET, "HS256"))


async def test_fetched_keys_stay_known_over_a_new_configuration(clock: ManualClock) -> None:
    calls = []

    async def fetch(url: str) -> bytes:
        calls.append(url)
        return key_set(jwk(rsa_key(), "a"))

    known = Issuers(clock, fetch, lambda _: None)
    known.reconfigure(AuthPart(jwt=(config(jwks_url=URL),)), Path())
    made = token(rsa_key(), "RS256", {"kid": "a"})
    assert known.verify_now(made) is None
    verified = await known.verify(made)
    assert known.verify_now(made) is verified
    known.reconfigure(AuthPart(jwt=(config(jwks_url=URL, team_claim="org"),)), Path())
    assert known.verify_now(made) == verified
    assert calls == [URL]
    await known.close()
