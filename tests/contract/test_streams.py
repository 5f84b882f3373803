"""Streams stay streams: the first piece arrives before the provider sends its second, by any API, way and HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import PATIENCE, House, question
from tests.kit.configuration import upstreams_for
from tests.kit.provider import Behaviour, Gate, Provider, sample, sample_index
from tests.kit.sdks import APIS, WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "When does the tide turn at Whitby?"
CHAT_LIKE = ["openai-chat", "openai-completions"]
BY_SAMPLE = {
    "openai": "openai-chat",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic-messages",
    "gemini": "gemini-generate",
    "ollama": "ollama-chat",
}
STREAMED = [name for name, about in sample_index().items() if ".stream" in name and about["usage"]]


def upstreams(provider: Provider) -> dict[str, Any]:
    usual = upstreams_for(provider)
    usual["silent"] = usual["openai"] | {"hosts": [], "stream_usage": False, "models": ["silent*"]}
    return usual


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens(cache={"enabled": False}, upstreams=upstreams) as house:
        yield house


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_the_first_piece_arrives_before_the_second_is_sent(
    api: str, way: Way, version: str, house: House
) -> None:
    gate = Gate(2)  # the head and the first event
    house.provider.always(Behaviour(gate=gate))
    path, body = question(api, QUESTION, stream=True)
    prior_knowledge = way == "base-url"  # by the proxy TLS tells
    http: dict[str, Any] = {"http1": not prior_knowledge, "http2": True} if version == "HTTP/2" else {}
    async with (
        asyncio.timeout(PATIENCE),
        house.raw(api, way, **http) as client,
        client.stream("POST", path, json=body) as answer,
    ):
        assert (answer.status_code, answer.http_version) == (200, version)
        pieces = answer.aiter_raw()
        first = await anext(pieces)
        (entry,) = house.provider.requests
        await gate.held()
        assert entry.events_sent == 1 and not entry.completed
        assert bytes(entry.sent).startswith(first.rstrip()) and first.strip()
        gate.release()
        rest = b"".join([piece async for piece in pieces])

    assert entry.completed and rest
    row = await house.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"]) == ("settled", entry.input_tokens, 12)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", CHAT_LIKE)
async def test_usage_is_asked_for_and_its_chunk_kept_from_who_did_not_ask(api: str, way: Way, house: House) -> None:
    path, body = question(api, QUESTION, stream=True, stream_options={"include_obfuscation": False})
    async with house.raw(api, way) as client:
        answer = await client.post(path, json=body)

    (entry,) = house.provider.requests
    assert entry.body["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert entry.body == body | {"stream_options": entry.body["stream_options"], **_cap_of(entry.body)}
    sent = bytes(entry.sent).split(b"\n\n")
    chunk = next(event for event in sent if b'"choices":[]' in event)
    assert answer.content == bytes(entry.sent).replace(chunk + b"\n\n", b"")
    row = await house.row(answer)
    assert (row["state"], row["output_tokens"]) == ("settled", entry.output_tokens)


def _cap_of(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name in ("max_tokens", "max_completion_tokens")}


@pytest.mark.parametrize("api", CHAT_LIKE)
async def test_who_asks_for_usage_gets_its_chunk(api: str, house: House) -> None:
    path, body = question(api, QUESTION, stream=True, stream_options={"include_usage": True})
    async with house.raw(api) as client:
        answer = await client.post(path, json=body)

    (entry,) = house.provider.requests
    events = [event.removeprefix(b"data: ") for event in answer.content.split(b"\n\n")]
    assert answer.content == bytes(entry.sent)
    assert orjson.loads(events[-3])["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("api", CHAT_LIKE)
async def test_a_server_that_cannot_tell_usage_is_not_asked_and_booked_as_an_estimate(api: str, house: House) -> None:
    path, body = question(api, QUESTION, stream=True, model="silent-model")
    async with house.raw(api) as client:
        answer = await client.post(path, json=body)

    (entry,) = house.provider.requests
    assert "stream_options" not in entry.body and answer.content == bytes(entry.sent)
    row = await house.row(answer)
    assert row["state"] == "estimated" and row["output_tokens"] >= entry.output_tokens == 12


@pytest.mark.parametrize("name", STREAMED)
async def test_each_providers_way_of_telling_usage_is_read(name: str, house: House) -> None:
    about = sample_index()[name]
    if "deployments" in about["endpoint"]:
        about["endpoint"] = "/v1/chat/completions"  # Azure's chunks, by whatever path
    house.provider.always(sample(name, piece=97))  # in pieces that end anywhere
    api = BY_SAMPLE["openai-responses" if about["endpoint"] == "/v1/responses" else about["dialect"]]
    path, body = question(api, QUESTION, stream=True)
    if about["dialect"] == "gemini":
        path = about["endpoint"]
    if about["dialect"] == "openai" and api == "openai-chat":
        body["stream_options"] = {"include_usage": True}
    async with house.raw(api) as client:
        answer = await client.post(path, json=body)

    (entry,) = house.provider.requests
    assert answer.content == bytes(entry.sent)
    row = await house.row(answer)
    usage = about["usage"]
    assert (row["input_tokens"], row["output_tokens"]) == (usage["input_total"], usage["output_total"])
    assert (row["cached_input_tokens"], row["reasoning_tokens"]) == (
        usage["input_cached_read"],
        usage["output_reasoning"],
    )


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_many_streams_at_once_do_not_mix(version: str, house: House) -> None:
    http: dict[str, Any] = {"http1": False, "http2": True} if version == "HTTP/2" else {}
    async with house.raw("openai-chat", **http) as client:

        async def one(number: int) -> tuple[httpx.Response, str]:
            path, body = question("openai-chat", f"Tell of harbour {number}.", stream=True)
            answer = await client.post(path, json=body)
            chunks = [orjson.loads(event[6:]) for event in answer.content.split(b"\n\n")[:-2]]
            return answer, "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)

        told = await asyncio.gather(*map(one, range(40)))

    assert len({text for _, text in told}) == 40
    for answer, text in told:
        assert answer.status_code == 200 and len(text.split()) == 12
    bill = house.provider.bill()
    rows = [await house.row(answer) for answer, _ in told]
    assert sum(row["output_tokens"] for row in rows) == bill.output_tokens
    assert sum(row["input_tokens"] for row in rows) == bill.input_tokens
