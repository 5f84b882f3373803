"""Who shares stored answers: by scope, by namespace, by quota, and as the operator wants it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import PATIENCE, House, cache_state, question
from tests.kit.sdks import APIS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"team": "core"},
    "bob": {"team": "core"},
    "carol": {"team": "sales"},
    "dave": {},
    "poor": {"team": "core"},
}
LITTLE = {"name": "little", "per": "user", "match": {"user": "poor"}, "period": "month", "output_tokens": 12}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens(PEOPLE, quotas=[LITTLE]) as house:
        yield house


async def test_a_team_shares_and_nobody_else(house: House) -> None:
    await house.ask("openai-chat", "Who knows?", user="alice")
    states = {
        user: cache_state(await house.ask("openai-chat", "Who knows?", user=user)) for user in ("bob", "carol", "dave")
    }

    assert states == {"bob": "hit", "carol": "miss", "dave": "miss"}
    assert cache_state(await house.ask("openai-chat", "Who knows?", user="dave")) == "hit"


async def test_a_namespace_of_that_name_does_not_lead_into_another_team(house: House) -> None:
    await house.ask("openai-chat", "Let me in?", user="alice")
    for name in ("core", "team:core", "global"):
        answer = await house.ask("openai-chat", "Let me in?", user="carol", headers={"x-greyfox-cache-namespace": name})
        assert cache_state(answer) == "miss"


@pytest.mark.parametrize("api", APIS)
async def test_an_exhausted_caller_is_refused_hits_too(api: str, house: House) -> None:
    if not any(row["user"] == "poor" for row in house.gateway.ledger()):
        await house.row(await house.ask("openai-chat", "All I have?", user="poor", cap=12))
    await house.ask(api, "Known to the team?")
    answer = await house.ask(api, "Known to the team?", user="poor")

    assert answer.status_code == 429 and "x-greyfox-cache" not in answer.headers


# --- as the operator wants it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_handed(opens: Opens) -> AsyncIterator[House]:
    """Everybody shares, exhausted callers get hits, some things are left out; no upstream key is configured."""
    cache = {
        "scope": "global",
        "exclude": [{"path": "/v1/embeddings"}, {"model": "*-search-*"}, {"route": "hr"}],
    }
    async with opens(
        PEOPLE,
        env={},
        cache=cache,
        quotas=[LITTLE],
        accounting={"serve_hits_when_exhausted": True},
        routes=[{"name": "hr", "when": {"model": "hr"}, "use": "openai/gpt-4o"}],
    ) as house:
        yield house


async def test_with_a_global_scope_everybody_shares(open_handed: House) -> None:
    states = [
        cache_state(await open_handed.ask("openai-chat", "All of us?", user=user))
        for user in ("alice", "carol", "dave")
    ]

    assert states == ["miss", "hit", "hit"]


async def test_an_exhausted_caller_may_be_served_hits(open_handed: House) -> None:
    await open_handed.row(await open_handed.ask("openai-chat", "All I have?", user="poor", cap=12))
    await open_handed.ask("openai-chat", "Known already?")
    known = await open_handed.ask("openai-chat", "Known already?", user="poor")
    unknown = await open_handed.ask("openai-chat", "Not known?", user="poor")

    assert (known.status_code, cache_state(known)) == (200, "hit")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (429, "greyfox_quota_exhausted")


async def test_what_the_operator_excludes_is_never_kept(open_handed: House) -> None:
    vectors = {"model": "text-embedding-3-small", "input": "high water"}
    asked = {"messages": [{"role": "user", "content": "Left out?"}]}
    excluded = [
        [await open_handed.post(vectors, "/v1/embeddings") for _ in range(2)],
        [await open_handed.post(asked | {"model": "gpt-4o-search-preview"}) for _ in range(2)],
        [await open_handed.post(asked | {"model": "hr"}) for _ in range(2)],
    ]

    assert [[cache_state(answer) for answer in answers] for answers in excluded] == [["bypass", "bypass"]] * 3


async def test_callers_with_upstream_keys_of_their_own_do_not_share(open_handed: House) -> None:
    async def asked_with(key: str, user: str) -> str:
        path, body = question("openai-chat", "Whose account?")
        async with open_handed.raw("openai-chat", "https-proxy", user) as client:
            return cache_state(await client.post(path, json=body, headers={"authorization": f"Bearer {key}"}))

    assert await asked_with("sk-alices", "alice") == "miss"
    assert await asked_with("sk-carols", "carol") == "miss"
    assert await asked_with("sk-alices", "carol") == "hit"  # one account, one scope


async def test_a_scope_that_is_narrowed_holds_for_the_next_request(open_handed: House) -> None:
    await open_handed.ask("openai-chat", "Still ours?")
    assert cache_state(await open_handed.ask("openai-chat", "Still ours?", user="bob")) == "hit"
    text = open_handed.gateway.config_file.read_text()
    open_handed.gateway.config_file.write_text(text.replace("scope: global", "scope: user"))
    async with asyncio.timeout(PATIENCE):
        while "configuration reloaded" not in open_handed.gateway.log_text():
            await asyncio.sleep(0.02)
    states = [
        cache_state(await open_handed.ask("openai-chat", "Still ours?", user=user))
        for user in ("alice", "bob", "alice")
    ]

    assert states == ["miss", "miss", "hit"]


# --- where hits are charged


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def charging(opens: Opens) -> AsyncIterator[House]:
    quota = {"name": "some", "per": "user", "period": "month", "output_tokens": 30}
    async with opens(quotas=[quota], accounting={"charge_cache_hits": True}) as house:
        yield house


async def test_a_hit_may_cost_what_the_answer_cost(charging: House) -> None:
    answers = [await charging.ask("openai-chat", "At what price?", cap=12) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [*map(cache_state, answers[:2])] == ["miss", "hit"]
    left = "x-greyfox-quota-remaining-output-tokens"
    assert [answer.headers[left] for answer in answers] == ["18", "6", "6"]
    paid, hit = await charging.row(answers[0]), await charging.row(answers[1])
    assert (hit["kind"], hit["output_tokens"], hit["input_tokens"]) == ("hit", 12, paid["input_tokens"])
    assert len(charging.provider.requests) == 1
