"""What was answered before is answered again at once: hits, what callers may ask of the cache, what is never kept."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import PATIENCE, House, cache_state
from tests.kit.provider import Behaviour, ToolCall
from tests.kit.sdks import APIS, EMBEDDING_APIS, WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens(cache={"max_ttl": "2h"}) as house:
        yield house


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_the_second_time_it_is_a_hit_by_either_way_and_costs_nothing(
    api: str, way: Way, stream: bool, house: House
) -> None:
    prompt = f"Twice, {way}, {stream}?"
    first = await house.ask(api, prompt, stream=stream)
    second = await house.ask(api, prompt, stream=stream, way=way)

    assert (cache_state(first), cache_state(second)) == ("miss", "hit")
    assert second.status_code == 200 and second.content == first.content
    (entry,) = house.provider.requests
    paid, saved = await house.row(first), await house.row(second)
    assert (saved["kind"], saved["input_tokens"], saved["output_tokens"]) == ("hit", 0, 0)
    assert (saved["saved_input"], saved["saved_output"]) == (paid["input_tokens"], paid["output_tokens"])
    assert (saved["cache"], saved["upstream"], saved["model"]) == ("hit", paid["upstream"], paid["model"])
    assert entry.output_tokens == paid["output_tokens"] == 12


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_an_official_client_cannot_tell_a_hit_from_an_answer(api: str, stream: bool, house: House) -> None:
    async with house.sdk(api) as sdk:
        ask = sdk.ask_stream if stream else sdk.ask
        first = await ask(f"Told twice {stream}?")
        second = await ask(f"Told twice {stream}?")

    assert [head.headers["x-greyfox-cache"] for head in sdk.heads] == ["miss", "hit"]
    assert (second.text, second.output_tokens, second.finish) == (first.text, first.output_tokens, first.finish)
    assert len(house.provider.requests) == 1


@pytest.mark.parametrize("api", EMBEDDING_APIS)
async def test_embeddings_hit_too(api: str, house: House) -> None:
    models = {"openai-embeddings": "text-embedding-3-small", "gemini-embeddings": "gemini-embedding-001"}
    async with house.sdk(api) as sdk:
        first = await sdk.embed(["high water"], model=models.get(api))
        assert await sdk.embed(["high water"], model=models.get(api)) == first

    states = [head.headers["x-greyfox-cache"] for head in sdk.heads]
    if sdk.dialect == "gemini":  # its answers tell no usage, so there is nothing to say was saved
        assert states[0] == "miss"
    else:
        assert states == ["miss", "hit"]


async def test_a_tool_call_is_an_answer_like_any_other(house: House) -> None:
    house.provider.always(Behaviour(tool_calls=(ToolCall("tide_table", {"harbour": "Whitby"}),)))
    async with house.sdk("openai-chat") as sdk:
        first = await sdk.ask("Call a tool?", tools=True)
        second = await sdk.ask("Call a tool?", tools=True)

    assert first.calls == second.calls == [("tide_table", {"harbour": "Whitby"})]
    assert sdk.heads[1].headers["x-greyfox-cache"] == "hit"


# --- what the caller asks of the cache


async def test_no_cache_asks_the_upstream_and_keeps_the_new_answer(house: House) -> None:
    first = await house.ask("openai-chat", "Fresh, please?")
    house.provider.always(Behaviour(text="Something new."))
    fresh = await house.ask("openai-chat", "Fresh, please?", headers={"cache-control": "no-cache"})
    later = await house.ask("openai-chat", "Fresh, please?")

    assert (cache_state(first), cache_state(fresh), cache_state(later)) == ("miss", "miss", "hit")
    assert first.content != fresh.content == later.content
    assert len(house.provider.requests) == 2


async def test_no_store_neither_reads_nor_keeps(house: House) -> None:
    before = await house.ask("openai-chat", "Secretly?", headers={"cache-control": "no-store"})
    after = await house.ask("openai-chat", "Secretly?")
    again = await house.ask("openai-chat", "Secretly?", headers={"cache-control": "no-store"})

    assert (cache_state(before), cache_state(after), cache_state(again)) == ("bypass", "miss", "bypass")
    assert before.headers["cache-status"] == "greyfox; fwd=bypass"
    assert len(house.provider.requests) == 3


async def test_max_age_takes_nothing_older(house: House) -> None:
    await house.ask("openai-chat", "How old?")
    young = await house.ask("openai-chat", "How old?", headers={"cache-control": "max-age=3000"})
    older = await house.ask("openai-chat", "How old?", headers={"cache-control": "max-age=0"})

    assert (cache_state(young), cache_state(older)) == ("hit", "miss")


async def test_only_if_cached_gets_a_stored_answer_or_504(house: House) -> None:
    nothing = await house.ask("openai-chat", "Stored?", headers={"cache-control": "only-if-cached"})
    await house.ask("openai-chat", "Stored?")
    stored = await house.ask("openai-chat", "Stored?", headers={"cache-control": "only-if-cached"})

    assert nothing.status_code == 504 and nothing.json()["error"]["code"] == "greyfox_not_cached"
    assert stored.status_code == 200 and cache_state(stored) == "hit"
    assert len(house.provider.requests) == 1


@pytest.mark.parametrize(("asked", "most"), [("5m", 300), ("90", 90), ("30d", 7200), ("nonsense", 3600)])
async def test_a_ttl_is_the_callers_within_the_operators(asked: str, most: int, house: House) -> None:
    await house.ask("openai-chat", f"For {asked}?", headers={"x-greyfox-cache-ttl": asked})
    hit = await house.ask("openai-chat", f"For {asked}?")

    left = int(hit.headers["cache-status"].rpartition("ttl=")[2])
    assert most - 30 <= left <= most


async def test_an_entry_ends_with_its_ttl(house: House) -> None:
    await house.ask("openai-chat", "Not for long?", headers={"x-greyfox-cache-ttl": "1s"})
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await house.ask("openai-chat", "Not for long?", headers={"cache-control": "only-if-cached"})
            if answer.status_code == 504:
                break
            await asyncio.sleep(0.05)
    assert cache_state(await house.ask("openai-chat", "Not for long?")) == "miss"


async def test_a_ttl_of_nothing_keeps_nothing(house: House) -> None:
    first = await house.ask("openai-chat", "Never?", headers={"x-greyfox-cache-ttl": "0"})
    second = await house.ask("openai-chat", "Never?")

    assert (cache_state(first), first.headers["cache-status"], cache_state(second)) == (
        "miss",
        "greyfox; fwd=miss",
        "miss",
    )


async def test_namespaces_are_apart(house: House) -> None:
    await house.ask("openai-chat", "Where?", headers={"x-greyfox-cache-namespace": "red"})
    blue = await house.ask("openai-chat", "Where?", headers={"x-greyfox-cache-namespace": "blue"})
    none = await house.ask("openai-chat", "Where?")
    red = await house.ask("openai-chat", "Where?", headers={"x-greyfox-cache-namespace": "red"})

    assert [cache_state(answer) for answer in (blue, none, red)] == ["miss", "miss", "hit"]


# --- what is not kept


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_errors_and_parts_are_not_kept(api: str, stream: bool, house: House) -> None:
    bad = [
        Behaviour(status=500),
        Behaviour(status=429),
        Behaviour(output_tokens=40),  # which the cap cuts
        Behaviour(finish="filter"),
    ]
    if stream:
        bad += [Behaviour(cut="close", cut_after_events=3), Behaviour(error_after=3)]
    for number, behaviour in enumerate(bad):
        house.provider.reset()
        house.provider.once(behaviour)
        prompt = f"Whole {number} {stream}?"
        try:
            first = await house.ask(api, prompt, stream=stream, cap=20)
        except httpx.RemoteProtocolError:
            assert behaviour.cut
        else:
            assert cache_state(first) == "miss"
        second = await house.ask(api, prompt, stream=stream, cap=20)
        if api.startswith("ollama") and behaviour.finish == "filter":
            continue  # that API does not tell
        assert cache_state(second) == "miss", behaviour
        assert len(house.provider.requests) == 2


async def test_a_stored_response_is_not_kept_here_as_well(house: House) -> None:
    body = {"model": "gpt-4o", "input": "Stored with the provider?"}
    states = [cache_state(await house.post(body, "/v1/responses")) for _ in range(2)]
    explicit = [cache_state(await house.post(body | {"store": True}, "/v1/responses")) for _ in range(2)]
    not_stored = [cache_state(await house.post(body | {"store": False}, "/v1/responses")) for _ in range(2)]

    assert (states, explicit) == (["bypass", "bypass"], ["bypass", "bypass"])
    assert not_stored == ["miss", "hit"]
