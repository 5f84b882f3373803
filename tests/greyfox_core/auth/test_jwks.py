import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.auth.jwks import APART, DEAD_AFTER, LARGEST, STALE_AFTER, Jwks, fetcher, parse
from greyfox_core.clock import ManualClock
from tests.greyfox_core.auth.tokens import URL, ec_key, ed_key, jwk, key_set, rsa_key

OLD, NEW = jwk(ed_key(), "old"), jwk(ec_key(), "new")


class Provider:
    """Stands in for the identity provider: answers in turn, may be slow, may fail."""

    def __init__(self) -> None:
        self.body: bytes | Exception = key_set(OLD)
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, url: str) -> bytes:
        assert url == URL
        self.calls += 1
        await self.open.wait()
        if isinstance(self.body, Exception):
            raise self.body
        return self.body


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def jwks(provider: Provider, clock: ManualClock, reports: list[str]) -> AsyncIterator[Jwks]:
    one = Jwks(URL, provider.fetch, clock, reports.append)
    yield one
    await one.close()


async def test_the_first_use_fetches_and_memory_serves_from_then_on(jwks: Jwks, provider: Provider) -> None:
    assert jwks.find("old") is None
    assert jwks.empty and jwks.worth_waiting()
    await jwks.wait()
    assert jwks.find("old") is not None and not jwks.empty
    assert jwks.find("other") is None
    assert provider.calls == 1


async def test_callers_who_arrive_together_share_one_fetch(jwks: Jwks, provider: Provider) -> None:
    provider.open.clear()
    waiting = [asyncio.create_task(jwks.wait()) for _ in range(50)]
    await asyncio.sleep(0)
    assert jwks.worth_waiting()
    waiting[0].cancel()  # one who leaves ends nothing for the others
    provider.open.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert jwks.find("old") is not None
    assert provider.calls == 1


async def test_ten_thousand_unknown_ids_cause_one_fetch_in_thirty_seconds(
    jwks: Jwks, provider: Provider, clock: ManualClock
) -> None:
    await jwks.wait()
    for number in range(10_000):
        if jwks.find(f"made-up-{number}") is None and jwks.worth_waiting():
            await jwks.wait()
    assert provider.calls == 1
    assert jwks.find("old") is not None
    clock.advance(APART)
    for number in range(10_000):
        if jwks.find(f"made-up-{number}") is None and jwks.worth_waiting():
            await jwks.wait()
    assert provider.calls == 2


async def test_rotation_old_and_new_then_new_alone(jwks: Jwks, provider: Provider, clock: ManualClock) -> None:
    await jwks.wait()
    provider.body = key_set(OLD, NEW)
    clock.advance(APART)
    assert jwks.find("new") is None
    await jwks.wait()
    assert jwks.find("old") is not None and jwks.find("new") is not None
    provider.body = key_set(NEW)
    clock.advance(STALE_AFTER + 1)
    assert jwks.find("old") is not None  # served by memory while the set is fetched anew
    await jwks.wait()
    assert jwks.find("old") is None and jwks.find("new") is not None


@pytest.mark.parametrize(
    "failure",
    [OSError("down"), b"", b"<html>", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"oct","k":"eA"}]}', b"[" * 9999],
)
async def test_a_failed_fetch_never_wipes_good_keys(
    jwks: Jwks, provider: Provider, clock: ManualClock, reports: list[str], failure: bytes | Exception
) -> None:
    await jwks.wait()
    provider.body = failure
    clock.advance(STALE_AFTER + 1)
    assert jwks.find("old") is not None
    await jwks.wait()
    assert jwks.find("old") is not None
    assert provider.calls == 2
    assert len(reports) == 1 and URL in reports[0]


async def test_after_a_day_without_a_good_set_no_key_is_in_force(
    jwks: Jwks, provider: Provider, clock: ManualClock
) -> None:
    await jwks.wait()
    provider.body = OSError("down")
    clock.advance(DEAD_AFTER)
    assert jwks.find("old") is not None
    await jwks.wait()
    clock.advance(1)
    assert jwks.find("old") is None and jwks.empty


async def test_a_failure_is_tried_again_after_thirty_seconds(
    jwks: Jwks, provider: Provider, clock: ManualClock
) -> None:
    provider.body = OSError("down")
    await jwks.wait()
    assert not jwks.worth_waiting()
    await jwks.wait()
    assert provider.calls == 1
    clock.advance(APART)
    provider.body = key_set(OLD)
    await jwks.wait()
    assert jwks.find("old") is not None


async def test_a_token_without_an_id_needs_a_set_of_one(jwks: Jwks, provider: Provider, clock: ManualClock) -> None:
    await jwks.wait()
    assert jwks.find(None) == jwks.find("old")
    provider.body = key_set(OLD, NEW)
    clock.advance(APART)
    await jwks.wait()
    assert jwks.find(None) is None


class TestParse:
    def test_usable_keys_by_id(self) -> None:
        keys = parse(key_set(jwk(rsa_key(), "r", alg="RS256"), OLD, NEW))
        assert set(keys) == {"r", "old", "new"}
        assert keys["r"].algorithm == "RS256" and keys["old"].algorithm is None

    @pytest.mark.parametrize(
        "left_out",
        [
            {"kty": "oct", "kid": "x", "k": "c2VjcmV0"},
            OLD | {"kid": "x", "use": "enc"},
            OLD | {"kid": "x", "d": "AAAA"},
            OLD | {"kid": "x", "alg": 5},
            OLD | {"kid": "x", "crv": "nonsense"},
            {"kty": "RSA", "kid": "x", "n": "!", "e": 3},
            {"kty": "EC", "kid": "x"},
            {"kty": ["RSA"], "kid": "x"},
            "not an object",
        ],
    )
    def test_what_is_left_out(self, left_out: object) -> None:
        assert set(parse(key_set(OLD, left_out))) == {"old"}

    @pytest.mark.parametrize("body", [b" " * (LARGEST + 1), json.dumps({"keys": [OLD] * 201}).encode(), b"[]", b"1"])
    def test_what_is_no_set(self, body: bytes) -> None:
        with pytest.raises(ValueError):
            parse(body)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=3) | st.integers(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["keys", "kty", "n", "e", "x", "crv"]), inner)
            ),
            max_leaves=9,
        )
    )
    def test_whatever_the_provider_sends(self, document: object) -> None:
        for body in (document, {"keys": [document]}):
            with pytest.raises(ValueError):
                parse(json.dumps(body).encode())


class TestFetcher:
    @pytest.fixture
    async def url(self) -> AsyncIterator[str]:
        async def serve(request: web.Request) -> web.Response:
            match request.path:
                case "/redirect":
                    raise web.HTTPFound("/good")
                case "/large":
                    return web.Response(body=b" " * (LARGEST + 1))
                case "/error":
                    return web.Response(status=500, body=key_set(OLD))
            return web.Response(body=key_set(OLD))

        app = web.Application()
        app.router.add_get("/{any}", serve)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
        await runner.cleanup()

    async def test_a_good_answer_and_no_other(self, url: str) -> None:
        async with aiohttp.ClientSession() as session:
            fetch = fetcher(session)
            assert await fetch(f"{url}/good") == key_set(OLD)
            for other in ("redirect", "large", "error"):
                with pytest.raises(ValueError):
                    await fetch(f"{url}/{other}")
