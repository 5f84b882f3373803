"""Answers of an upstream that are not what they should be, its own refusals, and the next target in its place."""

from typing import Any

import pytest

from tests.faults.scene import DIALECTS, attempts, bill, books_are_right, client, code_of, last, post, question
from tests.kit.gateway import Gateway
from tests.kit.provider import Behaviour, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CAP = 200
WORDS = 12


# --- answers that are not what they should be


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html><body>Service Unavailable</body></html>"),
        ("application/json", b'{"id": "chatcmpl-1", "choices": [{"mess'),
        ("application/json", b"\x00\xff\xfe not json at all"),
        ("application/json", b"[]"),
        ("text/event-stream", b"data: {broken\n\ndata: [DON\n\n"),
        ("application/json", b""),
    ],
    ids=["html", "half-json", "binary", "array", "broken-events", "empty"],
)
async def test_a_200_that_is_no_answer_reaches_the_caller_as_it_is_and_counts_as_an_estimate(
    gateway: Gateway, key: str, provider: Provider, content_type: str, body: bytes, stream: bool, prompt: str
) -> None:
    provider.always(Behaviour(body=body, content_type=content_type))
    asked = question(prompt=prompt, cap=CAP, stream=stream)
    async with client(gateway, key) as by:
        answer = await post(by, asked)
        assert (answer.status_code, answer.content) == (200, body)
        row = await last(gateway)
        assert row["state"] == "estimated"
        assert 0 < row["output_tokens"] <= CAP
        assert (await post(by, asked)).headers["x-greyfox-cache"] == "miss"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_without_usage_is_counted_by_its_text(
    gateway: Gateway, key: str, provider: Provider, dialect: str, stream: bool, prompt: str
) -> None:
    provider.always(Behaviour(output_tokens=WORDS, usage="absent"))
    async with client(gateway, key) as by:
        assert (await post(by, question(dialect, prompt, cap=CAP, stream=stream))).status_code == 200
    row = await last(gateway)
    assert (row["state"], row["outcome"]) == ("estimated", "complete")
    assert WORDS <= row["output_tokens"] < CAP
    # Far from every limit a bound was set aside; what is booked is counted all the same.
    assert bill(provider)[0] <= row["input_tokens"] < row["reserved_input"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("figure", [-5, 10**12, "12", 1.5, None, True], ids=str)
async def test_figures_that_cannot_be_true_are_not_believed(
    gateway: Gateway, key: str, provider: Provider, figure: Any, stream: bool, prompt: str
) -> None:
    usage = {"prompt_tokens": 8, "completion_tokens": figure, "total_tokens": 20}
    provider.always(Behaviour(output_tokens=WORDS, usage=usage))
    async with client(gateway, key) as by:
        assert (await post(by, question(prompt=prompt, cap=CAP, stream=stream))).status_code == 200
    row = await last(gateway)
    assert row["state"] == "estimated"
    assert WORDS <= row["output_tokens"] <= CAP


async def test_what_is_billed_beyond_the_cap_is_booked_in_full_and_shown_as_overshoot(
    gateway: Gateway, key: str, provider: Provider, prompt: str
) -> None:
    provider.always(Behaviour(output_tokens=50, ignore_cap=True))
    async with client(gateway, key) as by:
        assert (await post(by, question(prompt=prompt, cap=20))).status_code == 200
    row = await last(gateway)
    assert (row["state"], row["reserved_output"], row["output_tokens"], row["overshoot_output"]) == (
        "settled",
        20,
        50,
        30,
    )


# --- the upstream's own refusals


async def test_a_redirect_is_handed_on_and_never_followed(
    gateway: Gateway, key: str, provider: Provider, prompt: str
) -> None:
    elsewhere = f"{provider.url}/v1/embeddings"
    provider.always(Behaviour(status=302, headers={"location": elsewhere}, body=b"moved"))
    async with client(gateway, key) as by:
        answer = await post(by, question(prompt=prompt))
    assert (answer.status_code, answer.content) == (302, b"moved")
    assert len(provider.requests) == 1
    row = await last(gateway)
    assert (row["input_tokens"], row["output_tokens"]) == (0, 0)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 529])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstreams_refusal_is_the_callers_byte_for_byte_and_costs_nothing(
    gateway: Gateway, key: str, provider: Provider, dialect: str, status: int, prompt: str
) -> None:
    provider.always(Behaviour(status=status, message="So it says.", headers={"retry-after": "7"}))
    async with client(gateway, key) as by:
        answer = await post(by, question(dialect, prompt))
    assert answer.status_code == status
    assert answer.content == bytes(provider.requests[0].sent)
    assert answer.headers["retry-after"] == "7"
    assert len(provider.requests) == 1  # nobody asks again in the caller's place
    row = await last(gateway)
    assert (row["status"], row["outcome"]) == (status, "failed")
    assert (row["input_tokens"], row["output_tokens"]) == (0, 0)


@pytest.mark.parametrize("wish", ["36000", "1000000000", "Fri, 31 Dec 2027 23:59:59 GMT"])
async def test_a_retry_after_of_hours_is_withheld_since_clients_would_sleep_for_it(
    gateway: Gateway, key: str, provider: Provider, wish: str, prompt: str
) -> None:
    provider.always(Behaviour(status=429, headers={"retry-after": wish}))
    async with client(gateway, key) as by:
        answer = await post(by, question(prompt=prompt))
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers
    assert len(provider.requests) == 1
    await books_are_right(gateway)


@pytest.mark.parametrize("status", [502, 504])
async def test_a_gateway_error_behind_us_counts_since_a_model_may_have_worked_behind_it(
    gateway: Gateway, key: str, provider: Provider, status: int, prompt: str
) -> None:
    provider.always(Behaviour(status=status, body=b"<html>bad gateway</html>", content_type="text/html"))
    async with client(gateway, key) as by:
        assert (await post(by, question(prompt=prompt, cap=CAP))).status_code == status
    row = await last(gateway)
    assert row["state"] == "estimated"
    assert row["input_tokens"] > 0 and 0 < row["output_tokens"] <= CAP


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_the_next_target_answers_where_the_first_cannot_be_reached(
    gateway: Gateway, key: str, provider: Provider, stream: bool, prompt: str
) -> None:
    asked = question(prompt=prompt, model="second", cap=CAP, stream=stream)
    async with client(gateway, key) as by:
        answer = await post(by, asked)
        assert answer.status_code == 200
        assert answer.headers["x-greyfox-attempts"] == "2"
        assert answer.headers["x-greyfox-upstream"] == "openai"
    await books_are_right(gateway)
    first, second = attempts(gateway)[-2:]
    assert (first["upstream"], first["state"], second["upstream"], second["state"]) == (
        "dead-openai",
        "released",
        "openai",
        "settled",
    )
    assert first["request_id"] == second["request_id"] and (first["attempt"], second["attempt"]) == (1, 2)
    assert (second["input_tokens"], second["output_tokens"]) == bill(provider)


async def test_each_attempt_is_booked_for_itself_where_the_first_bills_and_breaks(
    gateway: Gateway, key: str, provider: Provider, prompt: str
) -> None:
    provider.once(Behaviour(output_tokens=WORDS, cut="reset"), path="/openai/v1/chat/completions")
    async with client(gateway, key) as by:
        answer = await post(by, question(prompt=prompt, model="busy", cap=CAP))
    assert answer.status_code == 200
    await books_are_right(gateway)
    first, second = attempts(gateway)[-2:]
    billed, again = provider.requests
    assert first["state"] == "estimated" and second["state"] == "settled"
    assert first["output_tokens"] >= billed.output_tokens and first["input_tokens"] >= billed.input_tokens
    assert (second["input_tokens"], second["output_tokens"]) == (again.input_tokens, again.output_tokens)


async def test_when_every_target_fails_the_caller_learns_of_thelast(
    gateway: Gateway, key: str, provider: Provider, prompt: str
) -> None:
    provider.always(Behaviour(status=503, message="Later."), path="/openai/v1/*")
    provider.always(Behaviour(cut="reset"), path="/v1/chat/completions")
    async with client(gateway, key) as by:
        answer = await post(by, question(prompt=prompt, model="busy", cap=CAP))
    assert (answer.status_code, code_of("openai", answer.content)) == (502, "greyfox_upstream_failed")
    assert answer.headers["x-greyfox-attempts"] == "2"
    await books_are_right(gateway)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_an_answer_that_is_compressed_though_nobody_asked_for_it_is_metered_all_the_same(
    gateway: Gateway, key: str, provider: Provider, stream: bool, prompt: str
) -> None:
    provider.always(Behaviour(output_tokens=WORDS, gzip=True))
    async with client(gateway, key) as by:
        answer = await post(by, question(prompt=prompt, cap=CAP, stream=stream))
    assert answer.status_code == 200
    assert "chat.completion" in answer.text
    row = await last(gateway)
    assert (row["state"], row["input_tokens"], row["output_tokens"]) == ("settled", *bill(provider))
