"""Every refusal, seen through every official client: its own exception, our code, a sentence that a person can act on.

Where retrying matters the clients are told to retry twice, as OpenAI's and Anthropic's do by default. Refusals of
quotas and rates are in test_errors_quota.py.
"""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.contract.conftest import Opens
from tests.contract.house import DIALECTS, REQUEST_ID, House, question, unwell_upstreams
from tests.contract.refusals import expect, refusal
from tests.kit.gateway import free_port
from tests.kit.provider import Behaviour, Gate
from tests.kit.sdks import APIS, HOSTS, WAYS, Sdk, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_OF_EACH = ["openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat"]
QUESTION = "When does the tide turn at Whitby?"
ISSUER = "https://sso.example.test/"


ROUTES = [
    {"name": "dead", "when": {"model": "dead"}, "use": [f"{dialect}-dead/dead" for dialect in DIALECTS]},
    {"name": "hasty", "when": {"model": "hasty"}, "use": [f"{dialect}-hasty/hasty" for dialect in DIALECTS]},
    {
        "name": "openai-only",
        "when": {"model": "nowhere", "dialect": ["anthropic", "gemini", "ollama"]},
        "use": "openai/x",
    },
    {"name": "ollama-only", "when": {"model": "nowhere", "dialect": "openai"}, "use": "ollama/x"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    issuer = {
        "issuer": ISSUER,
        "audience": "greyfox",
        "algorithms": ["RS256"],
        "jwks_url": f"http://127.0.0.1:{free_port()}/",
    }
    async with opens(
        {"alice": {}, "bound": {"models": ["gpt-3.5*"]}},
        cache={"enabled": False},
        upstreams=unwell_upstreams,
        routes=ROUTES,
        auth={"jwt": [issuer]},
        limits={"max_body": "100kB"},
    ) as house:
        yield house


@pytest.fixture(scope="module")
def token() -> str:
    """Of an issuer whose keys cannot be fetched: it may be good, or not."""
    claims = {"iss": ISSUER, "aud": "greyfox", "sub": "alice", "exp": time.time() + 600}
    return jwt.encode(claims, rsa.generate_private_key(65_537, 2048), algorithm="RS256", headers={"kid": "one"})


@pytest.mark.parametrize("api", APIS)
async def test_a_stranger_is_told_so(api: str, house: House) -> None:
    async with Sdk(api, house.gateway.base_url, "gf_" + 42 * "x" + "A") as sdk:
        expect(await refusal(sdk), sdk, 401, "greyfox_unauthenticated")
    async with Sdk(api, house.gateway.base_url, "sk-of-somebody-else") as sdk:
        expect(await refusal(sdk), sdk, 401, "greyfox_unauthenticated")
    assert not house.provider.requests


@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_stranger_at_the_proxy_gets_407(api: str, house: House) -> None:
    path, body = question(api, QUESTION)
    dialect = api.partition("-")[0]
    for proxy in (house.gateway.proxy_url(), house.gateway.proxy_url("gf_" + 42 * "x" + "A")):
        async with httpx.AsyncClient(proxy=proxy, trust_env=False) as client:
            plain = await client.post(f"http://{HOSTS[dialect]}{path}", json=body)
            with pytest.raises(httpx.ProxyError, match="407"):
                await client.post(f"https://{HOSTS[dialect]}{path}", json=body)
        assert plain.status_code == 407 and plain.headers["proxy-authenticate"].startswith("Basic ")
        assert plain.headers[REQUEST_ID] and "GreyFox" in plain.text
    assert not house.provider.requests


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_a_model_that_the_key_may_not_use_is_named(api: str, way: Way, house: House) -> None:
    async with house.sdk(api, way, "bound", retries=2) as sdk:
        seen = await refusal(sdk)

    expect(seen, sdk, 403, "greyfox_forbidden")
    assert sdk.model in seen.message and len(sdk.heads) == 1
    assert (await house.row(sdk.heads[0]))["code"] == "greyfox_forbidden"
    assert not house.provider.requests


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_a_model_that_nobody_serves_is_named(api: str, way: Way, house: House) -> None:
    async with house.sdk(api, way, retries=2) as sdk:
        seen = await refusal(sdk, model="nowhere")

    expect(seen, sdk, 404, "greyfox_no_route")
    assert "nowhere" in seen.message and len(sdk.heads) == 1


@pytest.mark.parametrize("api", APIS)
async def test_a_body_that_makes_no_sense_is_refused_with_the_field(api: str, house: House) -> None:
    async with house.sdk(api, retries=2) as sdk:
        seen = await refusal(sdk, cap=-5)

    expect(seen, sdk, 400, "greyfox_bad_request")
    assert "whole number" in seen.message and len(sdk.heads) == 1
    assert not house.provider.requests


@pytest.mark.parametrize("api", APIS)
async def test_a_body_that_is_too_large_is_refused_with_the_limit(api: str, house: House) -> None:
    async with house.sdk(api, retries=2) as sdk:
        seen = await refusal(sdk, prompt="tide " * 30_000)

    expect(seen, sdk, 413, "greyfox_too_large")
    assert "100,000 bytes" in seen.message and len(sdk.heads) == 1
    assert not house.provider.requests


@pytest.mark.parametrize("api", APIS)
async def test_an_encoding_that_nobody_knows_is_refused(api: str, house: House) -> None:
    async with house.sdk(api, retries=2, headers={"content-encoding": "snappy"}) as sdk:
        seen = await refusal(sdk)

    expect(seen, sdk, 415, "greyfox_unsupported")
    assert "gzip" in seen.message and len(sdk.heads) == 1
    assert not house.provider.requests


@pytest.mark.parametrize("api", APIS)
async def test_an_upstream_that_cannot_be_reached_is_named(api: str, house: House) -> None:
    async with house.sdk(api) as sdk:
        seen = await refusal(sdk, model="dead")

    expect(seen, sdk, 502, "greyfox_upstream_failed")
    assert f"{sdk.dialect}-dead" in seen.message
    attempt, told = await house.rows(sdk.heads[0], 2)
    assert (attempt["kind"], attempt["state"], attempt["upstream"]) == ("attempt", "released", f"{sdk.dialect}-dead")
    assert (told["kind"], told["code"], told["status"]) == ("refusal", "greyfox_upstream_failed", 502)


@pytest.mark.parametrize("api", APIS)
async def test_an_upstream_that_does_not_answer_in_time_is_named(api: str, house: House) -> None:
    house.provider.always(Behaviour(gate=Gate()))
    async with house.sdk(api) as sdk:
        seen = await refusal(sdk, model="hasty", cap=30)

    expect(seen, sdk, 504, "greyfox_upstream_timeout")
    assert f"{sdk.dialect}-hasty" in seen.message
    attempt, _ = await house.rows(sdk.heads[0], 2)
    assert (attempt["state"], attempt["output_tokens"]) == ("estimated", 30)  # all of it can have been generated


@pytest.mark.parametrize("api", APIS)
async def test_what_greyfox_cannot_decide_it_refuses_as_unavailable(api: str, token: str, house: House) -> None:
    async with Sdk(api, house.gateway.base_url, token) as sdk:
        seen = await refusal(sdk)

    expect(seen, sdk, 503, "greyfox_unavailable")
    assert not house.provider.requests


@pytest.mark.parametrize("api", APIS)
async def test_a_stored_answer_that_is_not_there_is_not_waited_for(api: str, house: House) -> None:
    retries = 0 if api.startswith("gemini") else 2  # as above
    async with house.sdk(api, retries=retries, headers={"cache-control": "only-if-cached"}) as sdk:
        seen = await refusal(sdk)

    expect(seen, sdk, 504, "greyfox_not_cached")
    assert len(sdk.heads) == 1
    assert not house.provider.requests


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_path_that_greyfox_does_not_know_is_refused_in_the_callers_own_form(
    api: str, way: Way, house: House
) -> None:
    paths = {
        "openai": "/v1/files",
        "anthropic": "/v1/messages/batches",
        "gemini": "/v1beta/files",
        "ollama": "/api/pull",
    }
    dialect = api.partition("-")[0]
    async with house.raw(api, way) as client:
        answer = await client.post(paths[dialect], json={})

    assert answer.status_code == 404 and answer.headers[REQUEST_ID]
    told = answer.json()
    codes: dict[str, Any] = {
        "openai": lambda: told["error"]["code"],
        "anthropic": lambda: told["error"]["details"]["error_code"],
        "gemini": lambda: told["error"]["details"][0]["reason"],
        "ollama": lambda: told["code"],
    }
    assert codes[dialect]() == "greyfox_no_route"
    assert not house.provider.requests
