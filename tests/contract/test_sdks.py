"""Every official client, by either way in, gets what its provider sent; the ledger says what the provider billed."""

import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import openai
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import House, question
from tests.kit.configuration import upstreams_for
from tests.kit.provider import Behaviour, Entry, Provider, ToolCall
from tests.kit.sdks import APIS, EMBEDDING_APIS, WAYS, Sdk, Way, straight

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "When does the tide turn at Whitby?"
TOOL_APIS = [api for api in APIS if api not in ("openai-completions", "ollama-generate")]
ONE_OF_EACH = ["openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens(cache={"enabled": False}, upstreams=with_azure) as house:
        yield house


def with_azure(provider: Provider) -> dict[str, Any]:
    azure = {
        "dialect": "openai",
        "base_url": f"{provider.url}/openai",
        "api_key": "upstream-secret-azure",
        "auth": "api-key",
        "models": ["my-deployment"],
    }
    return upstreams_for(provider) | {"azure": azure}


def billed(entry: Entry) -> tuple[int, ...]:
    return (
        entry.input_tokens,
        entry.cached_tokens,
        entry.cache_write_tokens,
        entry.output_tokens,
        entry.reasoning_tokens,
    )


def booked(row: dict[str, int]) -> tuple[int, ...]:
    names = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    return tuple(row[name] for name in names)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_a_client_sees_what_it_would_see_without_the_gateway(
    api: str, way: Way, streamed: bool, house: House
) -> None:
    async with house.sdk(api, way) as sdk, straight(api, house.provider.url) as direct:
        through = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION)
        alone = await (direct.ask_stream if streamed else direct.ask)(QUESTION)

    entry, _ = house.provider.requests
    row = await house.row(sdk.heads[0])
    assert through == alone
    assert (row["state"], row["kind"], row["user"], row["status"]) == ("settled", "attempt", "alice", 200)
    assert (row["upstream"], row["model"], bool(row["stream"])) == (sdk.dialect, sdk.model, streamed)
    assert booked(row) == billed(entry) and entry.output_tokens == 12


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", TOOL_APIS)
async def test_tool_calls_arrive_whole(api: str, way: Way, streamed: bool, house: House) -> None:
    house.provider.always(Behaviour(tool_calls=(ToolCall("tide_table", {"harbour": "Whitby"}), ToolCall("wind"))))
    async with house.sdk(api, way) as sdk:
        reply = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION, tools=True)

    assert reply.calls == [("tide_table", {"harbour": "Whitby"}), ("wind", {})]
    assert booked(await house.row(sdk.heads[0])) == billed(house.provider.requests[0])


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_cached_and_hidden_tokens_are_booked_as_parts(api: str, streamed: bool, house: House) -> None:
    told = Behaviour(input_tokens=2006, cached_tokens=1920, cache_write_tokens=64, reasoning_tokens=30, output_tokens=4)
    house.provider.always(told)
    async with house.sdk(api) as sdk:
        await (sdk.ask_stream if streamed else sdk.ask)(QUESTION, cap=100)

    row = await house.row(sdk.heads[0])
    assert (row["input_tokens"], row["output_tokens"]) == (2006, 34)
    told_by_api = {"gemini": (1920, 0, 30), "ollama": (row["cached_input_tokens"], 0, 0)}
    assert booked(row)[1:3] + booked(row)[4:] == told_by_api.get(sdk.dialect, (1920, 64, 30))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", EMBEDDING_APIS)
async def test_embeddings_pass_and_cost_input_only(api: str, way: Way, house: House) -> None:
    texts, model = ["high water at six", "neap"], "text-embedding-3-small"
    async with house.sdk(api, way) as sdk, straight(api, house.provider.url) as direct:
        assert await sdk.embed(texts, model=model) == await direct.embed(texts, model=model)

    row = await house.row(sdk.heads[0])
    assert row["output_tokens"] == row["reserved_output"] == 0
    if sdk.dialect != "gemini":  # which tells no usage for embeddings
        assert (row["state"], row["input_tokens"]) == ("settled", house.provider.requests[0].input_tokens)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_models_are_listed_for_nothing(api: str, way: Way, house: House) -> None:
    async with house.sdk(api, way) as sdk:
        assert await sdk.models() == list(house.provider.models)
        await sdk.ask(QUESTION)

    listing, asking = sdk.heads
    await house.row(asking)
    assert listing.headers["x-greyfox-request-id"] not in {row["request_id"] for row in house.gateway.ledger()}
    assert house.provider.requests[0].dialect == sdk.dialect


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("api", "method", "path", "body"),
    [
        ("openai-chat", "GET", "/v1/models/gpt-4o", None),
        ("anthropic-messages", "GET", "/v1/models/claude-sonnet-5-5", None),
        ("gemini-generate", "GET", "/v1beta/models/gemini-3.8-flash", None),
        ("ollama-chat", "POST", "/api/show", {"model": "llama3"}),
        ("ollama-chat", "GET", "/api/version", None),
    ],
)
async def test_what_is_asked_about_one_model_passes(
    api: str, method: str, path: str, body: Any, way: Way, house: House
) -> None:
    async with house.raw(api, way) as client:
        answer = await client.request(method, path, json=body)

    (entry,) = house.provider.requests
    assert (answer.status_code, answer.content) == (200, bytes(entry.sent))
    assert (entry.path, entry.dialect) == (path, api.partition("-")[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ["anthropic-messages", "gemini-generate"])
async def test_tokens_are_counted_for_nothing(api: str, way: Way, house: House) -> None:
    async with house.sdk(api, way) as sdk:
        counted = await sdk.count_tokens(QUESTION)
        reply = await sdk.ask(QUESTION)

    assert counted == reply.input_tokens
    counting, asking = sdk.heads
    await house.row(asking)
    assert counting.headers["x-greyfox-request-id"] not in {row["request_id"] for row in house.gateway.ledger()}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_the_answer_is_the_providers_byte_for_byte(api: str, way: Way, stream: bool, house: House) -> None:
    path, body = question(api, QUESTION, stream=stream)
    if stream and api in ("openai-chat", "openai-completions"):
        body["stream_options"] = {"include_usage": True}
    async with house.raw(api, way) as client:
        answer = await client.post(path, json=body)

    (entry,) = house.provider.requests
    assert answer.status_code == 200
    assert answer.content == bytes(entry.sent)
    streamed = "application/x-ndjson" if entry.dialect == "ollama" else "text/event-stream"
    kind = streamed if stream else "application/json"
    assert answer.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize("way", WAYS)
async def test_geminis_stream_as_one_json_array_passes_too(way: Way, house: House) -> None:
    path, body = question("gemini-generate", QUESTION, stream=True)
    async with house.raw("gemini-generate", way) as client:
        answer = await client.post(path.removesuffix("?alt=sse"), json=body)

    (entry,) = house.provider.requests
    assert answer.content == bytes(entry.sent) and len(answer.json()) > 1
    assert booked(await house.row(answer)) == billed(entry)


@pytest.mark.parametrize(
    ("base", "upstream"),
    [
        ("", "openai"),
        ("/", "openai"),
        ("/v1", "openai"),
        ("/v1/", "openai"),
        ("/v1/v1", "openai"),
        ("/openai/v1", "openai"),
        ("/openai", "openai"),
        ("/groq/openai/v1", "groq"),
        ("/groq/openai/v1/", "groq"),
        ("/groq/v1", "groq"),
        ("/groq", "groq"),
    ],
)
async def test_every_spelling_of_the_base_url_arrives(base: str, upstream: str, house: House) -> None:
    async with openai.AsyncOpenAI(
        api_key=house.keys["alice"], base_url=house.gateway.base_url + base, max_retries=0
    ) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=[{"role": "user", "content": QUESTION}]
        )

    assert raw.headers["x-greyfox-upstream"] == upstream
    (entry,) = house.provider.requests
    assert entry.path == ("/openai/v1" if upstream == "groq" else "/v1") + "/chat/completions"


@pytest.mark.parametrize(
    ("api", "base"),
    [
        ("anthropic-messages", "/"),
        ("anthropic-messages", "/v1"),
        ("anthropic-messages", "/anthropic"),
        ("anthropic-messages", "/anthropic/v1"),
        ("gemini-generate", "/"),
        ("gemini-generate", "/v1beta"),
        ("gemini-generate", "/gemini"),
        ("ollama-chat", "/"),
        ("ollama-chat", "/ollama"),
    ],
)
async def test_the_other_clients_have_base_urls_too(api: str, base: str, house: House) -> None:
    async with Sdk(api, house.gateway.base_url + base, house.keys["alice"]) as sdk:
        reply = await sdk.ask(QUESTION)

    assert reply.output_tokens == 12 and sdk.heads[0].headers["x-greyfox-upstream"] == sdk.dialect


async def test_azures_client_is_served_by_an_upstream_that_is_azure(house: House) -> None:
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=house.gateway.base_url,
        api_key=house.keys["alice"],
        api_version="2025-04-01-preview",
        max_retries=0,
    ) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="my-deployment", messages=[{"role": "user", "content": QUESTION}]
        )

    (entry,) = house.provider.requests
    row = await house.row(raw.headers["x-greyfox-request-id"])
    assert (entry.path, entry.query) == (
        "/openai/deployments/my-deployment/chat/completions",
        {"api-version": "2025-04-01-preview"},
    )
    assert entry.headers["api-key"] == "upstream-secret-azure" and "authorization" not in entry.headers
    assert (row["upstream"], row["model"]) == ("azure", "my-deployment") and booked(row) == billed(entry)


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("way", WAYS)
async def test_a_compressed_request_reaches_the_provider_plain(way: Way, encoding: str, house: House) -> None:
    path, body = question("openai-responses", QUESTION)
    plain = json.dumps(body).encode()
    async with house.raw("openai-responses", way) as client:
        headers = {"content-encoding": encoding, "content-type": "application/json"}
        answer = await client.post(path, content=ENCODERS[encoding](plain), headers=headers)

    (entry,) = house.provider.requests
    assert answer.status_code == 200
    assert entry.body.items() >= body.items() and "content-encoding" not in entry.headers
    assert booked(await house.row(answer)) == billed(entry)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_provider_that_compresses_unasked_is_understood(api: str, streamed: bool, house: House) -> None:
    house.provider.always(Behaviour(gzip=True))
    async with house.sdk(api) as sdk:
        reply = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION)

    assert reply.output_tokens == 12
    assert booked(await house.row(sdk.heads[0])) == billed(house.provider.requests[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ONE_OF_EACH)
async def test_a_long_question_and_a_long_answer_pass_whole(api: str, way: Way, house: House) -> None:
    house.provider.always(Behaviour(text="tide " * 300_000, ignore_cap=True))  # 1.5 MB
    answer = await house.ask(api, "low water " * 20_000, way=way)

    (entry,) = house.provider.requests
    assert answer.status_code == 200 and answer.content == bytes(entry.sent)
    row = await house.row(answer)
    assert (row["input_tokens"], row["output_tokens"]) == (entry.input_tokens, 300_000)
    assert row["overshoot_output"] == 300_000 - row["reserved_output"]
