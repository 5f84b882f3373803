"""What GreyFox tells on every answer's head, and what never crosses it in either direction."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import REQUEST_ID, House, credential, question
from tests.kit.configuration import UPSTREAM_KEYS
from tests.kit.provider import Behaviour
from tests.kit.sdks import APIS, HOSTS, WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "When does the tide turn at Whitby?"
LIMIT_IN, LIMIT_OUT = "x-greyfox-quota-limit-input-tokens", "x-greyfox-quota-limit-output-tokens"
LEFT_IN, LEFT_OUT = "x-greyfox-quota-remaining-input-tokens", "x-greyfox-quota-remaining-output-tokens"
ALWAYS = {REQUEST_ID, "x-greyfox-overhead-ms"}
ROUTED = {"x-greyfox-upstream", "x-greyfox-model", "x-greyfox-route"}
QUOTA = {LIMIT_IN, LIMIT_OUT, LEFT_IN, LEFT_OUT, "x-greyfox-quota-reset"}
CACHE = {"x-greyfox-cache", "cache-status"}
INPUT, OUTPUT = 1_000_000, 500_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    quotas = [
        {"name": "much", "per": "user", "period": "month", "input_tokens": INPUT, "output_tokens": OUTPUT},
        {"name": "none", "per": "user", "match": {"user": "poor"}, "period": "month", "output_tokens": 0},
    ]
    async with opens({"alice": {}, "poor": {}}, quotas=quotas) as house:
        yield house


def told(answer: httpx.Response) -> set[str]:
    """Names of the fields that are GreyFox's own."""
    return {name for name in answer.headers if name.startswith("x-greyfox-") or name == "cache-status"}


def used(house: House, user: str = "alice") -> tuple[int, int]:
    """What the ledger has booked for the user."""
    rows = [row for row in house.gateway.ledger() if row["user"] == user]
    return sum(row["input_tokens"] for row in rows), sum(row["output_tokens"] for row in rows)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_a_plain_answer_tells_where_it_came_from_and_what_is_left(api: str, way: Way, house: House) -> None:
    answer = await house.ask(api, f"{QUESTION} {way}", way=way, cap=50)

    row = await house.row(answer)
    assert told(answer) == ALWAYS | ROUTED | QUOTA | CACHE | {"x-greyfox-attempts"}
    assert answer.headers["x-greyfox-cache"] == "miss" and answer.headers["cache-status"] == "greyfox; fwd=miss; stored"
    assert (answer.headers["x-greyfox-upstream"], answer.headers["x-greyfox-model"]) == (row["upstream"], row["model"])
    assert (answer.headers["x-greyfox-route"], answer.headers["x-greyfox-attempts"]) == ("default", "1")
    sent, received = used(house)
    assert (answer.headers[LIMIT_IN], answer.headers[LEFT_IN]) == (str(INPUT), str(INPUT - sent))
    assert (answer.headers[LIMIT_OUT], answer.headers[LEFT_OUT]) == (str(OUTPUT), str(OUTPUT - received))
    assert 0 < int(answer.headers["x-greyfox-quota-reset"]) <= 31 * 86_400
    assert float(answer.headers["x-greyfox-overhead-ms"]) >= 0


@pytest.mark.parametrize("api", APIS)
async def test_a_stream_tells_what_is_left_while_its_own_share_is_set_aside(api: str, house: House) -> None:
    sent, received = used(house)
    answer = await house.ask(api, f"{QUESTION} streamed", stream=True, cap=50)

    row = await house.row(answer)
    assert told(answer) == ALWAYS | ROUTED | QUOTA | CACHE | {"x-greyfox-attempts"}
    assert answer.headers[LEFT_OUT] == str(OUTPUT - received - 50) == str(OUTPUT - received - row["reserved_output"])
    assert answer.headers[LEFT_IN] == str(INPUT - sent - row["reserved_input"])


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_a_hit_tells_so_and_leaves_the_quota_alone(api: str, stream: bool, house: House) -> None:
    first = await house.ask(api, f"{QUESTION} twice {stream}", stream=stream, cap=50)
    await house.row(first)
    sent, received = used(house)
    second = await house.ask(api, f"{QUESTION} twice {stream}", stream=stream, cap=50)

    assert told(second) == ALWAYS | ROUTED | QUOTA | CACHE
    assert second.headers["x-greyfox-cache"] == "hit"
    assert re.fullmatch(r"greyfox; hit; ttl=3(600|5\d\d)", second.headers["cache-status"])
    assert (second.headers[LEFT_IN], second.headers[LEFT_OUT]) == (str(INPUT - sent), str(OUTPUT - received))
    assert second.headers[REQUEST_ID] != first.headers[REQUEST_ID]
    assert second.headers["x-request-id"] == second.headers["request-id"] == second.headers[REQUEST_ID]
    assert second.headers["content-type"] == first.headers["content-type"]
    assert not forbidden_down(second)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_a_refusal_tells_what_is_left_too(api: str, way: Way, house: House) -> None:
    answer = await house.ask(api, QUESTION, way=way, user="poor")

    assert answer.status_code == 429
    assert told(answer) >= ALWAYS | {LIMIT_OUT, LEFT_OUT, "x-greyfox-quota-reset"}
    assert answer.headers[LIMIT_OUT] == answer.headers[LEFT_OUT] == "0"
    assert abs(int(answer.headers["retry-after"]) - int(answer.headers["x-greyfox-quota-reset"])) <= 1
    assert answer.headers["x-request-id"] == answer.headers["request-id"] == answer.headers[REQUEST_ID]
    assert answer.headers["content-type"] == "application/json"


async def test_a_free_path_has_an_id_and_says_nothing_of_cache_and_quota(house: House) -> None:
    async with house.raw("openai-chat") as client:
        answer = await client.get("/v1/models")

    assert told(answer) == ALWAYS | {"x-greyfox-upstream", "x-greyfox-attempts"}


@pytest.mark.parametrize("api", APIS)
async def test_a_cap_that_greyfox_has_set_is_told(api: str, house: House) -> None:
    if api == "anthropic-messages":  # whose requests name a cap always
        options: dict[str, Any] = {"cap": 2 * OUTPUT}
    else:
        options = {}
    answer = await house.ask(api, f"{QUESTION} uncapped", **options)

    row = await house.row(answer)
    if api == "openai-completions":  # 16 where none is named: that is the API's own
        assert "x-greyfox-output-cap" not in answer.headers or answer.headers["x-greyfox-output-cap"] == "16"
        assert row["reserved_output"] == 16
        return
    cap = int(answer.headers["x-greyfox-output-cap"])
    assert cap == row["reserved_output"]
    body = house.provider.requests[0].body
    sent = {
        "openai-chat": lambda: body["max_tokens"],
        "openai-responses": lambda: body["max_output_tokens"],
        "anthropic-messages": lambda: body["max_tokens"],
        "gemini-generate": lambda: body["generationConfig"]["maxOutputTokens"],
        "ollama-chat": lambda: body["options"]["num_predict"],
        "ollama-generate": lambda: body["options"]["num_predict"],
    }
    assert sent[api]() == cap


# --- what never goes down

SHARED = {
    "set-cookie": "session=1",
    "openai-organization": "org-ours",
    "openai-project": "proj-ours",
    "anthropic-organization-id": "org-ours",
    "x-ratelimit-remaining-requests": "7",
    "anthropic-ratelimit-tokens-remaining": "7",
    "x-greyfox-cache": "elsewhere",
    "x-greyfox-quota-remaining-output-tokens": "7",
    "cache-status": "elsewhere; hit",
    "alt-svc": 'h3=":443"',
    "via": "1.1 elsewhere",
    "server": "elsewhere",
    "strict-transport-security": "max-age=1",
}


def forbidden_down(answer: httpx.Response) -> set[str]:
    """Fields of SHARED that came through as the provider set them."""
    return {name for name, value in SHARED.items() if value in answer.headers.get_list(name)}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_nothing_about_the_shared_key_comes_down(api: str, way: Way, status: int, house: House) -> None:
    house.provider.always(Behaviour(status=status, headers=SHARED | {"x-of-the-provider": "kept"}))
    answer = await house.ask(api, f"{QUESTION} down {way} {status}", way=way)

    assert answer.status_code == status and answer.headers["x-of-the-provider"] == "kept"
    assert not forbidden_down(answer)
    assert "org-standin" not in repr(answer.headers) and "standin_session" not in repr(answer.headers)


async def test_a_providers_wish_to_wait_for_hours_does_not_come_down(house: House) -> None:
    house.provider.once(
        Behaviour(status=429, headers={"retry-after": "7200"}), Behaviour(status=429, headers={"retry-after": "3"})
    )
    long = await house.ask("openai-chat", f"{QUESTION} hours")
    short = await house.ask("openai-chat", f"{QUESTION} seconds")

    assert long.status_code == short.status_code == 429
    assert "retry-after" not in long.headers and short.headers["retry-after"] == "3"


# --- what never goes up

PRIVATE = {
    "cookie": "private=1",
    "x-greyfox-tags": "project=tides,repo=web",
    "x-greyfox-cache-ttl": "5m",
    "x-greyfox-anything": "private",
    "x-forwarded-for": "10.1.2.3",
    "x-forwarded-host": "private.test",
    "forwarded": "for=10.1.2.3",
    "via": "1.1 private",
    "x-real-ip": "10.1.2.3",
    "te": "trailers",
    "x-hop": "private",
    "connection": "keep-alive, x-hop",
    "keep-alive": "timeout=5",
    "proxy-connection": "keep-alive",
    "cache-control": "no-cache",
    "referer": "http://private.test/",
    "origin": "http://private.test",
    "openai-organization": "org-private",
    "openai-project": "proj-private",
}
CARRIERS = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key", "ollama": "authorization"}
SLOTS = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_nothing_of_the_caller_goes_up_but_the_request_itself(api: str, way: Way, house: House) -> None:
    kept = {"x-of-the-caller": "kept", "anthropic-beta": "some-beta", "user-agent": "tides/1"}
    answer = await house.ask(api, f"{QUESTION} up", way=way, headers=PRIVATE | kept)

    (entry,) = house.provider.requests
    dialect = entry.dialect
    assert answer.status_code == 200
    assert not PRIVATE.keys() & entry.headers.keys() - {"connection"}
    assert "private" not in repr(entry.headers) and "x-hop" not in repr(entry.headers)
    assert not [name for name in entry.headers if name.startswith(("x-greyfox-", "x-forwarded-", "proxy-"))]
    assert {name: entry.headers[name] for name in kept} == kept
    secret = UPSTREAM_KEYS[f"{dialect.upper()}_API_KEY"]
    carrier = CARRIERS[dialect]
    assert SLOTS & entry.headers.keys() == {carrier}
    assert entry.headers[carrier] == (f"Bearer {secret}" if carrier == "authorization" else secret)
    whole = repr((entry.headers, entry.path, entry.query, entry.body_bytes))
    assert house.keys["alice"] not in whole and "gf_" not in whole
    row = await house.row(answer)
    assert json.loads(row["tags"]) == {"project": "tides", "repo": "web"}


# --- where no key is configured


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyless(opens: Opens) -> AsyncIterator[House]:
    async with opens(env={}) as house:
        yield house


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_behind_the_proxy_the_callers_own_upstream_key_passes(api: str, stream: bool, keyless: House) -> None:
    keyless.provider.reset()
    path, body = question(api, QUESTION, stream=stream)
    dialect = api.partition("-")[0]
    own = credential(dialect, "sk-of-alice-herself")
    async with keyless.raw(api, "https-proxy") as client:
        answer = await client.post(path, json=body, headers=own | {"openai-organization": "org-of-alice"})

    (entry,) = keyless.provider.requests
    assert answer.status_code == 200
    assert {name: value for name, value in entry.headers.items() if name in SLOTS} == own
    assert entry.headers["openai-organization"] == "org-of-alice"  # hers beside her own key
    row = await keyless.row(answer)
    assert (row["user"], row["output_tokens"]) == ("alice", 12)


async def test_a_key_in_the_query_passes_as_a_field(keyless: House) -> None:
    keyless.provider.reset()
    path, body = question("gemini-generate", QUESTION)
    proxy = keyless.gateway.proxy_url(keyless.keys["alice"])
    async with httpx.AsyncClient(proxy=proxy, trust_env=False) as client:
        answer = await client.post(f"http://{HOSTS['gemini']}{path}?key=AIza-of-alice", json=body)

    (entry,) = keyless.provider.requests
    assert answer.status_code == 200
    assert entry.headers["x-goog-api-key"] == "AIza-of-alice" and "key" not in entry.query


async def test_by_base_url_no_credential_goes_up(keyless: House) -> None:
    keyless.provider.reset()
    path, body = question("openai-chat", "Is anybody there?")
    async with keyless.raw("openai-chat") as client:
        answer = await client.post(path, json=body, headers={"x-api-key": "sk-left-over"})

    (entry,) = keyless.provider.requests
    assert answer.status_code == 200 and not SLOTS & entry.headers.keys()
    assert "sk-left-over" not in repr(entry.headers)
