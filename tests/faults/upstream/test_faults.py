"""The upstream misbehaves: the caller gets a clear error in the own dialect, the books an estimate, the cache none."""

from typing import Any

import httpx
import pytest

from tests.faults.scene import DIALECTS, bill, client, code_of, last, post, question
from tests.kit.clients import through
from tests.kit.gateway import Gateway
from tests.kit.problems import problem
from tests.kit.provider import Behaviour, Gate, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CAP = 200
WORDS = 12
STREAMING_APIS = (
    "openai-chat",
    "openai-responses",
    "openai-completions",
    "anthropic-messages",
    "gemini-generate",
    "ollama-chat",
    "ollama-generate",
)


# --- before the head


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstream_that_refuses_the_connection_costs_nothing(
    gateway: Gateway, key: str, provider: Provider, dialect: str, prompt: str
) -> None:
    async with client(gateway, key) as by:
        answer = await post(by, question(dialect, prompt, model=f"dead-{dialect}"))
    assert (answer.status_code, code_of(dialect, answer.content)) == (502, "greyfox_upstream_failed")
    assert "dead-" in answer.text and "127.0.0.1" not in answer.text  # which upstream, but not where it is
    assert answer.headers["x-greyfox-request-id"]
    row = await last(gateway)
    assert (row["state"], row["input_tokens"], row["output_tokens"]) == ("released", 0, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstream_that_hangs_before_its_head_is_a_timeout_and_counts_for_what_it_may_have_written(
    gateway: Gateway, key: str, provider: Provider, dialect: str, stream: bool, prompt: str
) -> None:
    provider.always(Behaviour(gate=Gate()))
    async with client(gateway, key) as by:
        answer = await post(by, question(dialect, prompt, cap=CAP, stream=stream))
    assert (answer.status_code, code_of(dialect, answer.content)) == (504, "greyfox_upstream_timeout")
    await provider.until(lambda: provider.requests[0].dropped_by_client)
    row = await last(gateway)
    assert (row["state"], row["outcome"]) == ("estimated", "failed")
    assert (row["input_tokens"], row["output_tokens"]) >= bill(provider)
    assert row["output_tokens"] <= row["reserved_output"] == CAP


@pytest.mark.parametrize("cut", ["reset", "half-close", "close"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstream_that_hangs_up_before_its_head_is_a_failure_and_counts(
    gateway: Gateway, key: str, provider: Provider, dialect: str, cut: Any, prompt: str
) -> None:
    provider.always(Behaviour(cut=cut))
    async with client(gateway, key) as by:
        answer = await post(by, question(dialect, prompt, cap=CAP))
    assert (answer.status_code, code_of(dialect, answer.content)) == (502, "greyfox_upstream_failed")
    assert len(provider.requests) == 1  # not asked twice: it may have billed the first
    row = await last(gateway)
    assert row["state"] == "estimated"
    assert row["input_tokens"] >= bill(provider)[0] and row["output_tokens"] >= bill(provider)[1]


async def test_an_upstream_that_speaks_no_http_is_a_failure(gateway: Gateway, key: str, prompt: str) -> None:
    async with client(gateway, key) as by:
        answer = await post(by, question(prompt=prompt, model="noise", cap=CAP))
    assert (answer.status_code, code_of("openai", answer.content)) == (502, "greyfox_upstream_failed")
    assert "nonsense" not in answer.text
    assert (await last(gateway))["state"] == "estimated"


@pytest.mark.parametrize("api", STREAMING_APIS)
async def test_every_official_client_raises_its_own_error_for_a_dead_upstream(
    gateway: Gateway, key: str, provider: Provider, api: str, prompt: str
) -> None:
    model = f"dead-{api.partition('-')[0]}"
    async with through(gateway, api, key) as sdk:
        with pytest.raises(Exception) as raised:
            await sdk.ask(prompt, model=model)
    told = problem(raised.value)
    assert told.status == 502
    assert "could not be reached" in told.message


# --- inside an answer


async def _end_of_stream(gateway: Gateway, key: str, api: str, prompt: str) -> str:
    """What the official client tells of a stream that fails: by an exception, or, as OpenAI's own streams of
    responses do it, by an event `response.failed`.
    """
    async with through(gateway, api, key) as sdk:
        if api == "openai-responses":
            asked = sdk.arguments(prompt, cap=CAP)
            *_, last = [event async for event in await sdk.client.responses.create(stream=True, **asked)]
            assert last.type == "response.failed" and last.response.status == "failed"
            return str(last.response.error.message)
        with pytest.raises(Exception) as raised:
            await sdk.ask_stream(prompt, cap=CAP)
    return problem(raised.value).message


@pytest.mark.parametrize("cut", ["reset", "close", "half-close"])
@pytest.mark.parametrize("api", STREAMING_APIS)
async def test_a_stream_that_breaks_off_is_told_by_every_official_client(
    gateway: Gateway, key: str, provider: Provider, api: str, cut: Any, prompt: str
) -> None:
    provider.always(Behaviour(output_tokens=WORDS, cut=cut, cut_after_events=5))
    assert "broke off" in await _end_of_stream(gateway, key, api, prompt)
    row = await last(gateway)
    assert (row["state"], row["outcome"]) == ("estimated", "cut-upstream")
    assert row["input_tokens"] >= bill(provider)[0] and row["output_tokens"] >= bill(provider)[1]
    assert row["output_tokens"] <= row["reserved_output"]


@pytest.mark.parametrize("api", STREAMING_APIS)
async def test_a_stream_that_falls_silent_is_told_by_every_official_client(
    gateway: Gateway, key: str, provider: Provider, api: str, prompt: str
) -> None:
    provider.always(Behaviour(output_tokens=WORDS, gate=Gate(5)))
    assert "sent nothing for" in await _end_of_stream(gateway, key, api, prompt)
    await provider.until(lambda: provider.requests[0].dropped_by_client)
    row = await last(gateway)
    assert (row["state"], row["outcome"]) == ("estimated", "cut-upstream")
    assert row["output_tokens"] >= bill(provider)[1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_wherever_a_stream_is_cut_the_client_never_takes_the_part_for_the_whole(
    gateway: Gateway, key: str, provider: Provider, dialect: str, prompt: str
) -> None:
    ends = {
        "openai": b"[DONE]",
        "anthropic": b'{"type":"message_stop"}',
        "gemini": b"finishReason",
        "ollama": b'"done":true',
    }
    asked = question(dialect, prompt, cap=CAP, stream=True)
    async with client(gateway, key) as by:
        # The very same question, since another's answer has other words and so its end elsewhere.
        unkept = {"cache-control": "no-store"}
        whole = (await by.post(asked.path, content=asked.content, headers=unkept)).content
        assert ends[dialect] in whole
        length = len(provider.requests[0].sent)
        end = provider.requests[0].sent.rindex(ends[dialect])
        for offset in sorted({1, 7, 100, length // 3, length // 2, end - 1}):
            provider.reset()
            provider.always(Behaviour(output_tokens=WORDS, cut="reset", cut_after_bytes=offset))
            received, error = bytearray(), False
            try:
                async with by.stream("POST", asked.path, content=asked.content) as answer:
                    assert answer.headers["x-greyfox-cache"] == "miss"  # nothing cut before has been kept
                    async for piece in answer.aiter_raw():
                        received += piece
            except httpx.RemoteProtocolError:
                error = True
            assert len(provider.requests[0].sent) == offset
            assert ends[dialect] not in received, offset
            assert error or b"error" in received, f"cut at {offset} and the client cannot know: {bytes(received)!r}"
            row = await last(gateway)
            assert (row["state"], row["outcome"]) == ("estimated", "cut-upstream")
            assert row["input_tokens"] >= bill(provider)[0] and row["output_tokens"] >= bill(provider)[1]


@pytest.mark.parametrize("cut", ["reset", "close"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_plain_answer_that_breaks_off_is_a_failure_and_is_booked_at_what_was_set_aside(
    gateway: Gateway, key: str, provider: Provider, dialect: str, cut: Any, prompt: str
) -> None:
    provider.once(Behaviour(cut=cut, cut_after_bytes=40))
    asked = question(dialect, prompt, cap=CAP)
    async with client(gateway, key) as by:
        answer = await post(by, asked)
        assert (answer.status_code, code_of(dialect, answer.content)) == (502, "greyfox_upstream_failed")
        row = await last(gateway)
        assert (row["state"], row["outcome"], row["output_tokens"]) == ("estimated", "cut-upstream", CAP)
        assert (await post(by, asked)).headers["x-greyfox-cache"] == "miss"


@pytest.mark.parametrize("api", STREAMING_APIS)
async def test_an_error_inside_a_stream_passes_and_the_official_client_tells_it(
    gateway: Gateway, key: str, provider: Provider, api: str, prompt: str
) -> None:
    provider.always(Behaviour(output_tokens=WORDS, error_after=4, message="The model is overloaded."))
    assert "The model is overloaded." in await _end_of_stream(gateway, key, api, prompt)
    row = await last(gateway)
    assert row["state"] == "estimated"
    assert row["output_tokens"] >= bill(provider)[1]
