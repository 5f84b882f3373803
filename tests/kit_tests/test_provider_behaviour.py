"""The stand-in provider misbehaves exactly as told, and its bill says what had been generated."""

import asyncio
import gzip
import json
import ssl
from typing import Any

import aiohttp
import httpx2
import pytest
import trustme

from tests.kit.provider import Behaviour, Gate, Provider
from tests.kit.sdks import straight

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
STREAMED = CHAT | {"stream": True}
PATH = "/v1/chat/completions"


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession() as session:
        yield session


# --- steps


async def test_a_gate_shows_that_one_event_arrives_before_the_next_is_sent(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    gate = Gate(2)  # the head and the first event
    provider.once(Behaviour(gate=gate))
    async with http.post(provider.url + PATH, json=STREAMED) as answer:
        first = await answer.content.readuntil(b"\n\n")
        assert b'"role"' in first
        (entry,) = provider.requests
        assert (entry.events_sent, entry.output_tokens, entry.completed) == (1, 0, False)

        await gate.step(2)
        assert (entry.events_sent, entry.output_tokens) == (3, 2)

        gate.release()
        assert (await answer.read()).endswith(b"data: [DONE]\n\n")
    await provider.until(lambda: entry.completed)
    assert entry.output_tokens == 12


async def test_a_shut_gate_holds_the_head_back(provider: Provider, http: aiohttp.ClientSession) -> None:
    gate = Gate()
    provider.once(Behaviour(gate=gate))
    asked = asyncio.create_task(http.post(provider.url + PATH, json=CHAT))
    await gate.held()
    assert not asked.done() and provider.requests[0].status == 0
    gate.release()
    assert (await asked).status == 200
    (await asked).release()


async def test_a_step_past_the_end_returns(provider: Provider, http: aiohttp.ClientSession) -> None:
    gate = Gate()
    provider.once(Behaviour(gate=gate))
    asked = asyncio.create_task(http.post(provider.url + PATH, json=CHAT))
    await gate.held()
    await gate.step(99)
    assert (await (await asked).json())["object"] == "chat.completion"


# --- a client that leaves


async def test_a_client_that_leaves_a_stream_stops_it_and_pays_for_what_was_generated(provider: Provider) -> None:
    gate = Gate(4)
    provider.once(Behaviour(gate=gate))
    async with aiohttp.ClientSession() as session:
        answer = await session.post(provider.url + PATH, json=STREAMED)
        await gate.held()
        answer.close()
        (entry,) = provider.requests
        await provider.until(lambda: entry.dropped_by_client)

    assert not entry.completed and entry.output_tokens == 2 == provider.bill().output_tokens
    assert provider.bill().dropped_by_client == 1


async def test_a_client_that_leaves_before_the_head_pays_for_the_input_alone(provider: Provider) -> None:
    gate = Gate()
    provider.once(Behaviour(gate=gate))
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.post(provider.url + PATH, json=STREAMED))
        await gate.held()
        asked.cancel()
        (entry,) = provider.requests
        await provider.until(lambda: entry.dropped_by_client)

    assert (entry.status, entry.output_tokens) == (0, 0) and entry.input_tokens > 0


async def test_a_provider_may_go_on_generating_for_nobody(provider: Provider) -> None:
    gate = Gate(3)
    provider.once(Behaviour(gate=gate, bills_after_drop=True, output_tokens=30))
    async with aiohttp.ClientSession() as session:
        answer = await session.post(provider.url + PATH, json=STREAMED)
        await gate.held()
        answer.close()
        await provider.until(lambda: provider.requests[0].dropped_by_client)

    assert provider.bill().output_tokens == 30


# --- connections that end early


async def read_all(session: aiohttp.ClientSession, provider: Provider, body: dict[str, Any]) -> bytearray:
    """Everything that comes before the connection breaks."""
    got = bytearray()
    async with session.post(provider.url + PATH, json=body) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            async for data in answer.content.iter_any():
                got += data
    return got


@pytest.mark.parametrize("how", ["reset", "half-close", "close"])
async def test_a_stream_cut_after_an_event(how: Any, provider: Provider, http: aiohttp.ClientSession) -> None:
    provider.once(Behaviour(cut=how, cut_after_events=3))
    got = await read_all(http, provider, STREAMED)

    (entry,) = provider.requests
    assert got == entry.sent and got.count(b"data: ") == 3
    assert entry.cut and not entry.completed and not entry.dropped_by_client
    assert entry.output_tokens == 2


@pytest.mark.parametrize("body", [CHAT, STREAMED])
async def test_an_answer_cut_at_a_byte(body: dict[str, Any], provider: Provider, http: aiohttp.ClientSession) -> None:
    provider.once(Behaviour(cut="close", cut_after_bytes=17))
    assert len(await read_all(http, provider, body)) == 17


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_connection_cut_before_the_head(how: Any, provider: Provider, http: aiohttp.ClientSession) -> None:
    provider.once(Behaviour(cut=how))
    with pytest.raises(aiohttp.ClientError):
        await http.post(provider.url + PATH, json=CHAT)
    assert provider.requests[0].cut and provider.requests[0].status == 0


async def test_a_cut_past_the_last_event_loses_the_end_of_the_framing(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.once(Behaviour(cut="close", cut_after_events=1000))
    assert (await read_all(http, provider, STREAMED)).endswith(b"data: [DONE]\n\n")


# --- bodies and heads


async def test_garbage_html_and_redirects_are_served_as_they_are(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    html = b"<html>Bad gateway</html>"
    provider.once(
        Behaviour(body=html, content_type="text/html"),
        Behaviour(status=302, headers={"Location": "http://evil.test/"}),
        Behaviour(body=b"data: {not json\n\n", content_type="text/event-stream"),
    )
    async with http.post(provider.url + PATH, json=CHAT) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "text/html", html)
    async with http.post(provider.url + PATH, json=CHAT, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (302, "http://evil.test/")
    async with http.post(provider.url + PATH, json=STREAMED) as answer:
        assert await answer.read() == b"data: {not json\n\n"
    assert provider.bill().input_tokens == provider.bill().output_tokens == 0


async def test_a_failure_may_be_billed_and_carry_headers(provider: Provider, http: aiohttp.ClientSession) -> None:
    provider.once(Behaviour(status=529, headers={"Retry-After": "7"}, input_tokens=5, output_tokens=3))
    async with http.post(provider.url + "/v1/messages", json=CHAT) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (529, "7")
        assert (await answer.json())["error"]["type"] == "overloaded_error"
    assert (provider.bill().input_tokens, provider.bill().output_tokens) == (5, 3)


@pytest.mark.parametrize("body", [CHAT, STREAMED])
async def test_gzip_and_small_pieces_change_nothing_for_a_client(body: dict[str, Any], provider: Provider) -> None:
    provider.once(Behaviour(), Behaviour(gzip=True, piece=3))
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        plain = await (await session.post(provider.url + PATH, json=body)).read()
        packed = await (await session.post(provider.url + PATH, json=body)).read()

    assert gzip.decompress(packed).replace(b"000002", b"000001") == plain
    first, second = provider.requests
    assert first.output_tokens == second.output_tokens == 12
    assert second.events_sent > first.events_sent


async def test_compressed_request_bodies_are_read(provider: Provider, http: aiohttp.ClientSession) -> None:
    packed = gzip.compress(json.dumps(CHAT).encode())
    async with http.post(provider.url + PATH, data=packed, headers={"content-encoding": "gzip"}) as answer:
        assert answer.status == 200
    assert provider.requests[0].body == CHAT


# --- which request behaves how


async def test_behaviours_are_chosen_by_path_and_model_one_shots_first(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.always(Behaviour(status=500), model="gpt-4*")
    provider.once(Behaviour(status=429), Behaviour(status=404), path=PATH)
    provider.once(Behaviour(status=503), path="/v1/embeddings")

    async def status(model: str) -> int:
        async with http.post(provider.url + PATH, json=CHAT | {"model": model}) as answer:
            return answer.status

    assert [await status("gpt-4o"), await status("other"), await status("gpt-4o"), await status("other")] == [
        *(429, 404, 500, 200)
    ]
    provider.reset()
    assert await status("gpt-4o") == 200
    assert len(provider.requests) == 1


# --- what providers refuse


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/v1/chat/completions", CHAT, {}, 404),
        ("/v1/batches", {}, {}, 404),
        (PATH, {"model": "gpt-4o"}, {}, 400),
        (PATH, CHAT | {"max_tokens": 5, "max_completion_tokens": 5}, {}, 400),
        (PATH, CHAT | {"model": "o3", "max_tokens": 5}, {}, 400),
        (PATH, CHAT | {"stream_options": {"include_usage": True}}, {}, 400),
        ("/v1/responses", {"model": "gpt-5.4", "input": "x", "max_output_tokens": 5}, {}, 400),
        ("/v1/responses", {"model": "gpt-5.4", "input": "x", "previous_response_id": "resp_1"}, {}, 400),
        ("/v1/messages", CHAT | {"max_tokens": 5}, {}, 400),
        ("/v1/messages", CHAT, {"anthropic-version": "2023-06-01"}, 400),
        ("/v1/messages", CHAT | {"max_tokens": 5, "top_p": 1}, {"anthropic-version": "2026-10-21"}, 400),
        ("/v1/messages", CHAT | {"max_tokens": 5, "top_p": 1}, {"anthropic-version": "2023-06-01"}, 200),
        ("/v1beta/models/gemini-3.8-flash:predict", {}, {}, 404),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=1", {"messages": CHAT["messages"]}, {}, 200),
        ("/openai/v1/chat/completions", CHAT, {}, 200),
    ],
)
async def test_what_a_real_provider_refuses_is_refused(
    path: str, body: Any, headers: dict[str, str], status: int, provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with http.post(provider.url + path, json=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        if status != 200:
            assert "error" in await answer.json()
            assert provider.bill().input_tokens == 0
    assert len(provider.requests) == 1


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null"])
async def test_a_body_that_is_no_object_is_refused(
    data: bytes, provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with http.post(provider.url + PATH, data=data) as answer:
        assert answer.status == 400
    assert provider.requests[0].body_bytes == data


async def test_only_the_given_credentials_are_taken() -> None:
    async with Provider(credentials={"right"}) as provider:
        for api in ("openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat"):
            async with straight(api, provider.url, "right") as sdk:
                await sdk.ask("hello")
            async with straight(api, provider.url, "wrong") as sdk:
                with pytest.raises(Exception, match="Incorrect API key"):
                    await sdk.ask("hello")
                assert sdk.heads[-1].status == 401


async def test_stored_responses_can_be_fetched_chained_and_deleted(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    async def create(**more: Any) -> Any:
        async with http.post(
            f"{provider.url}/v1/responses", json={"model": "gpt-5.4", "input": "one two"} | more
        ) as got:
            return await got.json()

    first = await create()
    second = await create(previous_response_id=first["id"])
    unstored = await create(store=False)

    assert second["usage"]["input_tokens"] == first["usage"]["total_tokens"] + 2
    async with http.get(f"{provider.url}/v1/responses/{first['id']}") as got:
        assert await got.json() == first
    async with http.delete(f"{provider.url}/v1/responses/{first['id']}") as got:
        assert (await got.json())["deleted"]
    for gone in (first["id"], unstored["id"]):
        async with http.get(f"{provider.url}/v1/responses/{gone}") as got:
            assert got.status == 404


# --- the bill


async def test_an_entry_tells_how_the_request_arrived() -> None:
    headers = [("X-One", "a"), ("x-one", "b"), ("Authorization", "Bearer secret")]
    async with Provider(clock=lambda: 1795500000.5) as provider, httpx2.AsyncClient(trust_env=False) as http:
        await http.post(f"{provider.url}{PATH}?x=1", json=CHAT, headers=headers)
        (entry,) = provider.requests

    assert (entry.path, entry.query, entry.body, entry.at) == (PATH, {"x": "1"}, CHAT, 1795500000.5)
    assert (entry.headers["x-one"], entry.headers["authorization"]) == ("a, b", "Bearer secret")
    assert json.loads(entry.body_bytes) == CHAT


async def test_totals_outlive_the_entries_kept_and_connections_are_counted() -> None:
    async with Provider(keep=2) as provider, aiohttp.ClientSession() as session:
        for _ in range(5):
            await (await session.post(provider.url + PATH, json=CHAT)).read()
        assert (len(provider.requests), provider.bill().requests, provider.bill().output_tokens) == (2, 5, 60)
        assert provider.connections == 1


async def test_tls_under_a_name_of_ones_choice() -> None:
    authority = trustme.CA()
    serving, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(trusting)
    async with Provider(tls=serving) as provider, httpx2.AsyncClient(verify=trusting, trust_env=False) as client:
        assert provider.url.startswith("https://")
        assert (await client.post(provider.url + PATH, json=CHAT)).status_code == 200


async def test_stopping_frees_those_who_wait() -> None:
    provider = Provider()
    await provider.start()
    gate = Gate()
    provider.once(Behaviour(gate=gate))
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.post(provider.url + PATH, json=CHAT))
        await gate.held()
        await provider.stop()
        with pytest.raises(aiohttp.ClientError):
            await asked
    assert not provider.requests[0].dropped_by_client


async def test_a_probe_of_the_root_is_answered_for_nothing(provider: Provider, http: aiohttp.ClientSession) -> None:
    async with http.head(provider.url + "/") as answer:
        assert answer.status == 200
    assert provider.bill().input_tokens == 0
