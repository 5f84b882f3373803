"""Refusals of quotas and rates, seen through every official client: what may be tried again is, what may not is not."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import PATIENCE, House, question
from tests.contract.refusals import expect, refusal
from tests.kit.problems import problem
from tests.kit.provider import Behaviour, Gate
from tests.kit.sdks import APIS, EMBEDDING_APIS, WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_OF_EACH = ["openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat"]
QUESTION = "When does the tide turn at Whitby?"
EMBEDDING_MODELS = {"openai-embeddings": "text-embedding-3-small", "gemini-embeddings": "gemini-embedding-001"}
QUOTAS = [
    {"name": "poor-day", "per": "user", "match": {"user": "poor"}, "period": "day", "output_tokens": 12},
    {"name": "busy-day", "per": "user", "match": {"user": "busy"}, "period": "day", "output_tokens": 1000},
]
RATES = [{"name": "calm", "per": "user", "match": {"user": "hurried"}, "requests_per_minute": 1, "burst": 1}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    """User poor has used the quota up, and user hurried the rate."""
    quotas = [quota | {"timezone": "Europe/Berlin"} for quota in QUOTAS]
    people: dict[str, dict[str, Any]] = {"poor": {}, "busy": {}, "hurried": {}}
    async with opens(people, cache={"enabled": False}, quotas=quotas, rate_limits=RATES) as house:
        await house.row(await house.ask("openai-chat", QUESTION, user="poor", cap=12))
        await house.ask("openai-chat", QUESTION, user="hurried")
        yield house


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_an_exhausted_quota_says_whose_and_until_when_and_nobody_retries(
    api: str, way: Way, house: House
) -> None:
    # Of itself Gemini's client never retries; told to, it heeds neither `retry-after` nor `x-should-retry`.
    async with house.sdk(api, way, "poor", retries=0 if api.startswith("gemini") else 2) as sdk:
        seen = await refusal(sdk)

    expect(seen, sdk, 429, "greyfox_quota_exhausted")
    assert "Daily output-token quota of user poor is used up (12 of 12). It resets at " in seen.message
    resets = datetime.datetime.fromisoformat(seen.message.split(" resets at ")[1].rstrip("."))
    assert (resets.hour, resets.minute) == (0, 0) and resets.tzinfo is not None
    (head,) = sdk.heads
    row = await house.row(head)
    assert int(head.headers["retry-after"]) > 0 and head.headers["x-should-retry"] == "false"
    assert (row["kind"], row["code"], row["user"]) == ("refusal", "greyfox_quota_exhausted", "poor")
    assert not house.provider.requests


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses"])
async def test_openais_type_of_an_exhausted_quota_is_insufficient_quota(api: str, house: House) -> None:
    path, body = question(api, QUESTION)
    async with house.raw(api, user="poor") as client:
        answer = await client.post(path, json=body)

    assert answer.json()["error"]["type"] == "insufficient_quota"


@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_stream_is_refused_before_it_begins(api: str, house: House) -> None:
    async with house.sdk(api, user="poor") as sdk:
        with pytest.raises(Exception) as caught:
            await sdk.ask_stream(QUESTION)

    expect(problem(caught.value), sdk, 429, "greyfox_quota_exhausted")


@pytest.mark.parametrize("api", EMBEDDING_APIS)
async def test_embeddings_need_no_output_quota(api: str, house: House) -> None:
    async with house.sdk(api, user="poor") as sdk:
        assert await sdk.embed(["high water"], model=EMBEDDING_MODELS.get(api))


@asynccontextmanager
async def all_room_reserved(house: House) -> AsyncIterator[Gate]:
    """While inside, a request of user busy holds what is left of the quota; it ends when the gate opens."""
    gate = Gate()
    house.provider.once(Behaviour(gate=gate, output_tokens=1))
    path, body = question("openai-chat", "Hold all the room there is.")
    async with house.raw("openai-chat", user="busy") as client:
        holding = asyncio.ensure_future(client.post(path, json=body))
        await gate.held()
        yield gate
        gate.release()
        assert (await holding).status_code == 200


@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_room_that_requests_under_way_have_reserved_is_told_as_busy(api: str, house: House) -> None:
    async with all_room_reserved(house), house.sdk(api, user="busy") as sdk:
        seen = await refusal(sdk, cap=20)

    expect(seen, sdk, 429, "greyfox_quota_busy")
    (head,) = sdk.heads
    assert head.headers["retry-after"] == "1" and "x-should-retry" not in head.headers
    assert (await house.row(head))["code"] == "greyfox_quota_busy"


@pytest.mark.parametrize("api", ["openai-chat", "anthropic-messages"])
async def test_a_client_that_was_told_busy_gets_its_answer_a_second_later(api: str, house: House) -> None:
    async with all_room_reserved(house) as gate, house.sdk(api, user="busy", retries=2) as sdk:
        asking = asyncio.ensure_future(sdk.ask(QUESTION, cap=20))
        async with asyncio.timeout(PATIENCE):
            while not sdk.heads:
                await asyncio.sleep(0.01)
        gate.release()
        reply = await asking

    assert reply.output_tokens == 12
    assert [head.status for head in sdk.heads] == [429, 200]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_who_comes_too_fast_is_told_when_there_is_room(api: str, way: Way, house: House) -> None:
    async with house.sdk(api, way, "hurried") as sdk:
        seen = await refusal(sdk)

    expect(seen, sdk, 429, "greyfox_rate_limited")
    (head,) = sdk.heads
    assert 1 <= int(head.headers["retry-after"]) <= 60 and "x-should-retry" not in head.headers
    assert (await house.row(head))["code"] == "greyfox_rate_limited"
    assert not house.provider.requests
