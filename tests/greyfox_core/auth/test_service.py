import base64
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.auth.credentials import MESSAGE
from greyfox_core.auth.keys import KeyRecord, digest_of, new_id, new_key
from greyfox_core.auth.service import Authenticator, Identity
from greyfox_core.clock import ManualClock
from greyfox_core.config.schema import AuthPart
from greyfox_core.errors import StoreUnavailable, Unauthenticated
from greyfox_core.values.http import Headers, RequestHead, Way
from greyfox_core.values.principal import Principal
from tests.greyfox_core.auth.store import MemoryKeys
from tests.greyfox_core.auth.tokens import ISSUER, SECONDS, SECRET, URL, config, jwk, key_set, rsa_key, token

PEPPER = b"p" * 32


class House:
    """An authenticator, its keys and its clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.keys = MemoryKeys()
        self.auth = Authenticator(self.keys, PEPPER, self.clock, self.fetch, lambda _: None)
        self.auth.reconfigure(AuthPart(jwt=(config(),)), Path())

    async def fetch(self, url: str) -> bytes:
        return key_set(jwk(rsa_key(), "a"))

    def issue(self, user: str = "alice", **facts: Any) -> str:
        key = new_key()
        whole: dict[str, Any] = {"id": new_id(), "pepper_version": 1, "name": None, "team": None, "roles": frozenset()}
        whole |= {"models": (), "created_at": self.clock.now(), "user": user, "digest": digest_of(key, PEPPER)} | facts
        self.keys.records[whole["digest"]] = KeyRecord(**whole)
        return key

    def revoke(self, key: str) -> None:
        digest = digest_of(key, PEPPER)
        record = self.keys.records[digest]
        self.keys.records[digest] = KeyRecord(
            **{name: getattr(record, name) for name in record.__slots__} | {"revoked_at": self.clock.now()}
        )

    async def ask(self, *fields: tuple[str, str], query: str = "", bound: Principal | None = None) -> Identity:
        """By memory and, the long way, by the store: both must say the same."""
        head = RequestHead("POST", "/v1/messages", query, fields, Way.BASE_URL)
        try:
            at_once = self.auth.authenticate_now(head, bound)
        except Unauthenticated:
            with pytest.raises(Unauthenticated):
                await self.auth.authenticate(head, bound)
            raise
        slowly = await self.auth.authenticate(head, bound)
        assert at_once in (None, slowly)
        return slowly


@pytest.fixture
def house() -> House:
    return House()


def basic(credential: str) -> tuple[str, str]:
    return "proxy-authorization", "Basic " + base64.b64encode(f"client:{credential}".encode()).decode()


SLOTS: dict[str, Callable[[str], tuple[Headers, str]]] = {
    "authorization": lambda c: ((("authorization", f"Bearer {c}"),), ""),
    "x-api-key": lambda c: ((("x-api-key", c),), ""),
    "api-key": lambda c: ((("api-key", c),), ""),
    "x-goog-api-key": lambda c: ((("x-goog-api-key", c),), ""),
    "query": lambda c: ((), f"alt=sse&key={c}"),
    "proxy": lambda c: ((basic(c),), ""),
}


@pytest.mark.parametrize("slot", SLOTS)
async def test_a_key_in_any_slot_names_its_principal(house: House, slot: str) -> None:
    roles, models = frozenset({"developer"}), ("gpt-4o*",)
    key = house.issue(id="key_a", team="core", roles=roles, models=models)
    fields, query = SLOTS[slot](key)
    identity = await house.ask(*fields, query=query)
    assert identity == Identity(Principal("alice", "key_a", "core", roles, models), ())
    assert house.keys.asked == 0  # memory was enough


@pytest.mark.parametrize("slot", SLOTS)
async def test_a_token_in_any_slot_names_its_principal(house: House, slot: str) -> None:
    fields, query = SLOTS[slot](token(SECRET, "HS256", team="core", roles=["developer"]))
    identity = await house.ask(*fields, query=query)
    assert identity.principal == Principal("alice", f"jwt:{ISSUER}", "core", frozenset({"developer"}))


@pytest.mark.parametrize(("one", "other"), list(combinations(SLOTS, 2)))
class TestTwoCredentials:
    async def ask(self, house: House, one: str, first: str, other: str, second: str) -> Identity:
        (fields, query), (more, more_query) = SLOTS[one](first), SLOTS[other](second)
        return await house.ask(*fields, *more, query=query or more_query)

    async def test_of_two_principals_are_refused(self, house: House, one: str, other: str) -> None:
        alice, bob, alices_second = house.issue("alice"), house.issue("bob"), house.issue("alice")
        made = token(SECRET, "HS256", sub="alice")
        for first, second in ((alice, bob), (bob, alice), (alice, alices_second), (alice, made), (made, alice)):
            with pytest.raises(Unauthenticated):
                await self.ask(house, one, first, other, second)

    async def test_of_one_principal_are_one(self, house: House, one: str, other: str) -> None:
        key = house.issue()
        assert (await self.ask(house, one, key, other, key)).principal.user == "alice"

    async def test_of_which_one_does_not_hold_are_refused(self, house: House, one: str, other: str) -> None:
        for first, second in ((house.issue(), new_key()), (new_key(), house.issue())):
            with pytest.raises(Unauthenticated):
                await self.ask(house, one, first, other, second)


async def refusal_of(house: House, *fields: tuple[str, str], **more: Any) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await house.ask(*fields, **more)
    assert refused.value.__cause__ is None
    return refused.value.message


async def test_whatever_the_reason_the_refusal_is_the_same(house: House) -> None:
    expired = house.issue(expires_at=house.clock.now())
    revoked = house.issue(revoked_at=house.clock.now())
    good = house.issue()
    for bad in (
        *(new_key(), expired, revoked, good[:-1], good.lower(), good.upper(), f"{good}\r\n{good}", f"{good} x"),
        *("gf_", "gf_" + "A" * 65_536, "sk-other", "Bearer", "", "x.y.z", token("x" * 64, "HS256")),
        *(token(SECRET, "HS256", exp=SECONDS - 61), token(SECRET, "HS256", iss="https://other.example/")),
    ):
        for name in ("x-api-key", "authorization", "proxy-authorization"):
            value = bad if name == "x-api-key" else f"Bearer {bad}"
            assert await refusal_of(house, (name, value)) == MESSAGE
    assert await refusal_of(house) == MESSAGE
    assert await refusal_of(house, ("x-api-key", good), ("x-api-key", good)) == MESSAGE


async def test_no_credential_is_quoted_in_a_refusal(house: House) -> None:
    key = new_key()
    assert key not in await refusal_of(house, ("x-api-key", key))


async def test_a_key_expires_at_its_moment(house: House) -> None:
    key = house.issue(expires_at=house.clock.now() + timedelta(seconds=10))
    assert (await house.ask(("x-api-key", key))).principal.user == "alice"
    house.clock.advance(10)
    await refusal_of(house, ("x-api-key", key))


async def test_a_revoked_key_is_refused_as_soon_as_memory_knows(house: House) -> None:
    key = house.issue()
    assert (await house.ask(("x-api-key", key))).principal.user == "alice"
    house.revoke(key)
    await refusal_of(house, ("x-api-key", key))


async def test_what_memory_does_not_know_the_store_is_asked(house: House) -> None:
    key = house.issue()
    house.keys.remembers = False
    head = RequestHead("POST", "/", "", (("x-api-key", key),), Way.BASE_URL)
    assert house.auth.authenticate_now(head, None) is None
    assert (await house.auth.authenticate(head, None)).principal.user == "alice"
    assert house.keys.asked == 1
    house.revoke(key)
    await refusal_of(house, ("x-api-key", key))
    await refusal_of(house, ("x-api-key", new_key()))


async def test_a_store_that_does_not_answer_lets_nobody_in(house: House) -> None:
    house.keys.remembers, house.keys.down = False, True
    with pytest.raises(StoreUnavailable):
        await house.ask(("x-api-key", house.issue()))


async def test_what_cannot_be_a_key_never_reaches_the_store(house: House) -> None:
    house.keys.remembers = False
    for bad in ("gf_", "gf_" + "A" * 42, "x" * 46):
        await refusal_of(house, ("x-api-key", bad))
    assert house.keys.asked == 0


async def test_a_stolen_digest_is_no_key(house: House) -> None:
    house.issue()
    (digest,) = house.keys.records
    await refusal_of(house, ("x-api-key", "gf_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")))
    house.auth = Authenticator(house.keys, b"q" * 32, house.clock, house.fetch, lambda _: None)
    await refusal_of(house, ("x-api-key", house.issue()))


class TestPassthrough:
    FOREIGN = (("authorization", "Bearer sk-mine"), ("openai-organization", "o"))

    async def test_the_callers_own_credential_passes_where_the_proxy_knows_the_caller(self, house: House) -> None:
        identity = await house.ask(basic(house.issue()), *self.FOREIGN)
        assert identity.passthrough == (("authorization", "Bearer sk-mine"),)

    async def test_and_inside_a_tunnel(self, house: House) -> None:
        alice = await house.auth.connect((basic(house.issue()),))
        identity = await house.ask(*self.FOREIGN, query="key=AIza", bound=alice)
        assert identity == Identity(alice, (("authorization", "Bearer sk-mine"), ("x-goog-api-key", "AIza")))

    async def test_without_a_word_to_the_proxy_leftovers_go_nowhere(self, house: House) -> None:
        identity = await house.ask(("x-api-key", house.issue()), ("authorization", "Bearer placeholder"))
        assert identity.passthrough == ()

    async def test_a_foreign_credential_alone_identifies_nobody(self, house: House) -> None:
        await refusal_of(house, *self.FOREIGN)

    @pytest.mark.parametrize("slot", SLOTS)
    async def test_greyfoxs_own_never_pass(self, house: House, slot: str) -> None:
        key = house.issue()
        alice = await house.auth.connect((basic(key),))
        fields, query = SLOTS[slot](key)
        assert (await house.ask(*fields, query=query, bound=alice)).passthrough == ()


class TestTunnels:
    async def test_by_key_and_by_token(self, house: House) -> None:
        assert (await house.auth.connect((basic(house.issue()),))).user == "alice"
        assert (await house.auth.connect((basic(token(SECRET, "HS256", sub="bob")),))).user == "bob"

    @pytest.mark.parametrize(
        "fields",
        [
            (),
            (("authorization", "Bearer x"),),
            (basic(""),),
            (basic("gf_x"),),
            (basic(new_key()),),
            (("proxy-authorization", 'Digest username="a"'),),
            (("proxy-authorization", "Basic bm9jb2xvbg=="),),
            (("proxy-authorization", "Basic ???"),),
        ],
    )
    async def test_nobody_else_gets_one(self, house: House, fields: Headers) -> None:
        with pytest.raises(Unauthenticated):
            await house.auth.connect(fields)

    async def test_requests_inside_are_the_openers_and_of_no_other(self, house: House) -> None:
        key = house.issue()
        alice = await house.auth.connect((basic(key),))
        assert (await house.ask(bound=alice)).principal == alice
        assert (await house.ask(("x-api-key", key), bound=alice)).principal == alice
        await refusal_of(house, ("x-api-key", house.issue("bob")), bound=alice)
        await refusal_of(house, ("x-api-key", new_key()), bound=alice)

    async def test_a_revoked_key_ends_the_right_of_an_open_one(self, house: House) -> None:
        key = house.issue()
        alice = await house.auth.connect((basic(key),))
        assert await house.auth.holds(alice)
        house.revoke(key)
        assert not await house.auth.holds(alice)
        await refusal_of(house, bound=alice)

    async def test_and_so_where_memory_does_not_know(self, house: House) -> None:
        key = house.issue()
        alice = await house.auth.connect((basic(key),))
        house.keys.remembers = False
        assert (await house.ask(bound=alice)).principal == alice
        house.revoke(key)
        await refusal_of(house, bound=alice)

    async def test_a_token_ends_it_at_its_own_end_and_a_later_one_prolongs_it(self, house: House) -> None:
        house.auth.reconfigure(AuthPart(jwt=(config(leeway=0.0),)), Path())
        alice = await house.auth.connect((basic(token(SECRET, "HS256", exp=SECONDS + 100)),))
        await house.auth.connect((basic(token(SECRET, "HS256", exp=SECONDS + 200)),))
        await house.auth.connect((basic(token(SECRET, "HS256", exp=SECONDS + 50)),))
        house.clock.advance(199)
        assert (await house.ask(bound=alice)).principal == alice
        house.clock.advance(1)
        await refusal_of(house, bound=alice)

    async def test_a_principal_that_nobody_verified_opens_nothing(self, house: House) -> None:
        await refusal_of(house, bound=Principal("root", "key_none"))

    async def test_a_proxy_client_of_absolute_form_counts_as_one(self, house: House) -> None:
        alice = (await house.ask(basic(house.issue()))).principal
        assert (await house.ask(bound=alice)).principal == alice


async def test_a_token_whose_keys_must_be_fetched_first(house: House) -> None:
    house.auth.reconfigure(AuthPart(jwt=(config(jwks_url=URL),)), Path())
    made = token(rsa_key(), "RS256", {"kid": "a"})
    head = RequestHead("GET", "/", "", (("authorization", f"Bearer {made}"),), Way.BASE_URL)
    assert house.auth.authenticate_now(head, None) is None
    assert (await house.auth.authenticate(head, None)).principal.user == "alice"
    assert house.auth.authenticate_now(head, None) is not None
    await house.auth.close()
