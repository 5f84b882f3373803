"""The same request by either way in: the same answer, line in the ledger, headers and refusals."""

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import House, credential, question
from tests.kit.provider import Behaviour
from tests.kit.sdks import APIS, DUMMY_KEY, HOSTS, WAYS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_OF_EACH = ["openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat"]
OF_THE_MOMENT = {
    "x-greyfox-request-id",
    "x-request-id",
    "request-id",
    "x-greyfox-overhead-ms",
    "x-greyfox-quota-reset",
    "date",
}
QUOTA = "x-greyfox-quota-remaining-output-tokens"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    people: dict[str, Any] = {
        "alice": {},
        "poor": {},
        "bound": {"models": ["nothing-at-all"]},
    }
    quotas = [
        {"name": "plenty", "per": "user", "period": "month", "output_tokens": 1_000_000},
        {"name": "little", "per": "user", "match": {"user": "poor"}, "period": "month", "output_tokens": 0},
    ]
    async with opens(people, cache={"enabled": False}, quotas=quotas) as house:
        yield house


async def by_each_way(
    house: House, api: str, body: Any = None, *, stream: bool = False, user: str = "alice"
) -> list[httpx.Response]:
    """The answers by base URL and by HTTPS_PROXY."""
    path, asked = question(api, "When does the tide turn?", stream=stream)
    answers = []
    for way in WAYS:
        async with house.raw(api, way, user) as client:
            answers.append(await client.post(path, json=asked if body is None else body))
    return answers


def steady(answer: httpx.Response) -> dict[str, str]:
    """The headers that two equal requests share; what is left of the quota differs by the request itself."""
    return {name: value for name, value in answer.headers.items() if name not in OF_THE_MOMENT | {QUOTA}}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_answer_headers_and_ledger_are_the_same(api: str, stream: bool, house: House) -> None:
    direct, proxied = await by_each_way(house, api, stream=stream)

    first, second = house.provider.requests
    assert direct.status_code == proxied.status_code == 200
    assert unnumbered(direct) == unnumbered(proxied)
    assert steady(direct) == steady(proxied)
    assert direct.headers.keys() == proxied.headers.keys()
    one, other = await house.row(direct), await house.row(proxied)
    differing = {name for name in one if one[name] != other[name]}
    assert differing <= {"id", "request_id", "admitted_at", "finished_at", "way", "first_byte_ms", "duration_ms"}
    assert (one["way"], other["way"]) == ("base-url", "tunnel")
    assert first.body_bytes == second.body_bytes and first.path == second.path
    assert first.headers == second.headers


@pytest.mark.parametrize("user", ["poor", "bound"])
@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_refusals_are_the_same(api: str, user: str, house: House) -> None:
    direct, proxied = await by_each_way(house, api, user=user)

    assert direct.status_code == proxied.status_code == {"poor": 429, "bound": 403}[user]
    assert unnumbered(direct) == unnumbered(proxied)
    assert {*steady(direct)} == {*steady(proxied)}
    one, other = await house.row(direct), await house.row(proxied)
    assert (one["kind"], one["code"], one["status"]) == (other["kind"], other["code"], other["status"])
    assert not house.provider.requests


@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_what_cannot_be_read_is_refused_the_same(api: str, house: House) -> None:
    direct, proxied = await by_each_way(house, api, body=[1])

    assert direct.status_code == proxied.status_code == 400
    assert unnumbered(direct) == unnumbered(proxied)
    assert not house.provider.requests


@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_providers_own_error_is_the_same(api: str, house: House) -> None:
    house.provider.always(Behaviour(status=422, message="The provider says no.", error_code="said_no"))
    direct, proxied = await by_each_way(house, api)

    first, second = house.provider.requests
    assert direct.status_code == proxied.status_code == 422
    assert direct.content == bytes(first.sent) == proxied.content == bytes(second.sent)
    assert steady(direct) == steady(proxied)


@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_plain_http_request_to_a_providers_host_by_the_proxy_is_governed_too(api: str, house: House) -> None:
    """Absolute-form: what a client sends to a proxy for an http:// address."""
    path, asked = question(api, "When does the tide turn?")
    dialect = api.partition("-")[0]
    fields = credential(dialect, DUMMY_KEY) | ({"anthropic-version": "2026-10-21"} if dialect == "anthropic" else {})
    proxy = house.gateway.proxy_url(house.keys["alice"])
    async with httpx.AsyncClient(proxy=proxy, trust_env=False, headers=fields) as client:
        answer = await client.post(f"http://{HOSTS[dialect]}{path}", json=asked)

    (entry,) = house.provider.requests
    assert (answer.status_code, answer.content) == (200, bytes(entry.sent))
    row = await house.row(answer)
    assert (row["way"], row["user"], row["upstream"]) == ("proxy", "alice", dialect)
    assert house.keys["alice"] not in repr(entry.headers) and DUMMY_KEY not in repr(entry.headers)


async def test_the_proxy_takes_the_key_as_a_bearer_token_too(house: House) -> None:
    path, asked = question("openai-chat", "When does the tide turn?")
    bearer = {"proxy-authorization": f"Bearer {house.keys['alice']}"}
    proxy = httpx.Proxy(house.gateway.base_url, headers=bearer)
    async with httpx.AsyncClient(proxy=proxy, trust_env=False) as client:
        answer = await client.post(f"http://{HOSTS['openai']}{path}", json=asked)

    assert answer.status_code == 200 and (await house.row(answer))["user"] == "alice"


@pytest.mark.parametrize("slot", ["authorization", "x-api-key", "api-key", "x-goog-api-key", "?key=", "basic"])
async def test_a_key_is_found_wherever_a_client_puts_it(slot: str, house: House) -> None:
    path, asked = question("openai-chat", "When does the tide turn?")
    key = house.keys["alice"]
    fields = {slot: key}
    if slot == "authorization":
        fields = {slot: f"Bearer {key}"}
    elif slot == "basic":
        fields = {"proxy-authorization": "Basic " + base64.b64encode(f"alice:{key}".encode()).decode()}
    elif slot == "?key=":
        path, fields = f"{path}?key={key}", {}
    async with httpx.AsyncClient(base_url=house.gateway.base_url, trust_env=False) as client:
        answer = await client.post(path, json=asked, headers=fields)

    (entry,) = house.provider.requests
    assert answer.status_code == 200 and (await house.row(answer))["user"] == "alice"
    assert key not in repr(entry.headers) + repr(entry.query) and "key" not in entry.query


def unnumbered(answer: httpx.Response) -> str:
    """The body without this request's own ids, ours and the provider's."""
    return re.sub(r"standin\d{6}", "…", answer.text.replace(answer.headers["x-greyfox-request-id"], "…"))
