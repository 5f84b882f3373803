"""A caller hangs up: at once the upstream is told, and what it may have billed is in the books.

`on_drop: close` settles an estimate at what came plus the margin, `on_drop: drain` reads on for the true figures.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.faults.conftest import Starter
from tests.faults.leaving import CLIENTS, Http1Client, Http2Client
from tests.faults.scene import Question, attempts, bill, books_are_right, client, counters, post, question
from tests.kit.gateway import Gateway
from tests.kit.provider import Behaviour, Gate, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS = 30  # output tokens that the model wants to say
CAP = 1000
MARGIN = 100  # accounting.drop_margin as it comes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closing(shared_gateway: Starter) -> Gateway:
    return await shared_gateway(quotas=[_quota()])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def draining(shared_gateway: Starter) -> Gateway:
    return await shared_gateway(quotas=[_quota()], accounting={"on_drop": "drain"})


def _quota() -> dict[str, Any]:
    return {"name": "day", "per": "user", "period": "day", "input_tokens": 10**9, "output_tokens": 10**9}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closing_key(closing: Gateway) -> str:
    return await closing.create_key("alice")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def draining_key(draining: Gateway) -> str:
    return await draining.create_key("alice")


@pytest.fixture
def provider(shared_provider: Provider) -> Iterator[Provider]:
    shared_provider.reset()
    yield shared_provider
    shared_provider.reset()


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> Question:
    """A streamed question that no other test asks."""
    return question(prompt=f"What of {request.node.name}?", cap=CAP, stream=True)


def events(count: int) -> Any:
    return lambda body: body.count(b"data: ") >= count


@pytest.mark.parametrize("protocol", CLIENTS)
async def test_who_leaves_in_mid_stream_ends_the_upstreams_work_and_pays_for_what_came_plus_the_margin(
    closing: Gateway, closing_key: str, provider: Provider, asked: Question, protocol: str
) -> None:
    gate = Gate(1)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    async with CLIENTS[protocol](closing, closing_key) as leaver:
        await leaver.ask(asked)
        await provider.until(lambda: len(provider.requests) == 1)
        await gate.step(6)
        await leaver.body_holds(events(6))
        said = provider.requests[0].output_tokens
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)

    await books_are_right(closing)
    [row] = attempts(closing)[-1:]
    assert said < WORDS and provider.bill().output_tokens == said  # not one event more than the client had asked for
    assert (row["state"], row["outcome"], row["status"]) == ("estimated", "cut-client", 200)
    assert row["input_tokens"] >= provider.bill().input_tokens
    # A word of the stand-in is one token of its bill and one to four of the tokenizer.
    assert said + MARGIN <= row["output_tokens"] <= 4 * said + MARGIN


@pytest.mark.parametrize("protocol", CLIENTS)
@pytest.mark.parametrize("permits", [0, 1], ids=["before-the-head", "at-byte-0"])
async def test_who_leaves_before_the_first_byte_of_a_stream_pays_the_margin(
    closing: Gateway, closing_key: str, provider: Provider, asked: Question, protocol: str, permits: int
) -> None:
    gate = Gate(permits)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    async with CLIENTS[protocol](closing, closing_key) as leaver:
        await leaver.ask(asked)
        await provider.until(lambda: len(provider.requests) == 1)
        await gate.held()
        if permits:
            assert await leaver.head() == 200
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)

    await books_are_right(closing)
    [row] = attempts(closing)[-1:]
    assert (row["state"], row["outcome"]) == ("estimated", "cut-client")
    assert row["output_tokens"] == MARGIN
    assert row["input_tokens"] >= provider.bill().input_tokens > 0


@pytest.mark.parametrize("protocol", CLIENTS)
async def test_an_estimate_stays_within_what_was_set_aside(
    closing: Gateway, closing_key: str, provider: Provider, protocol: str
) -> None:
    gate = Gate(1)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    async with CLIENTS[protocol](closing, closing_key) as leaver:
        await leaver.ask(question(prompt=f"Briefly, {protocol}?", cap=40, stream=True))
        assert await leaver.head() == 200
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)

    await books_are_right(closing)
    [row] = attempts(closing)[-1:]
    assert (row["reserved_output"], row["output_tokens"]) == (40, 40)


@pytest.mark.parametrize("protocol", CLIENTS)
async def test_who_leaves_a_plain_answer_pays_all_that_was_set_aside_since_nobody_knows_what_was_written(
    closing: Gateway, closing_key: str, provider: Provider, protocol: str
) -> None:
    provider.always(Behaviour(output_tokens=WORDS, gate=Gate()))
    async with CLIENTS[protocol](closing, closing_key) as leaver:
        await leaver.ask(question(prompt=f"All at once, {protocol}?", cap=CAP))
        await provider.until(lambda: len(provider.requests) == 1)
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)

    await books_are_right(closing)
    [row] = attempts(closing)[-1:]
    assert (row["state"], row["outcome"]) == ("estimated", "cut-client")
    assert row["output_tokens"] == row["reserved_output"] == CAP
    assert row["input_tokens"] >= provider.bill().input_tokens


async def test_a_model_that_thinks_unseen_is_booked_for_the_time_it_had(
    closing: Gateway, closing_key: str, provider: Provider
) -> None:
    gate = Gate(1)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate), model="gpt-5.4")
    async with CLIENTS["http1"](closing, closing_key) as leaver:
        await leaver.ask(question(prompt="Think!", model="gpt-5.4", cap=50_000, stream=True))
        assert await leaver.head() == 200
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)

    await books_are_right(closing)
    [row] = attempts(closing)[-1:]
    assert MARGIN <= row["output_tokens"] <= row["reserved_output"] == 50_000
    assert row["output_tokens"] >= MARGIN + row["duration_ms"] // 1000 * 200


async def test_a_client_that_has_left_leaves_nothing_in_the_cache(
    closing: Gateway, closing_key: str, provider: Provider, asked: Question
) -> None:
    gate = Gate(1)
    provider.once(Behaviour(output_tokens=WORDS, gate=gate))
    async with CLIENTS["http1"](closing, closing_key) as leaver:
        await leaver.ask(asked)
        assert await leaver.head() == 200
        await gate.step(4)
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)
    await books_are_right(closing)
    async with client(closing, closing_key) as by:
        again = await post(by, asked)
    assert again.headers["x-greyfox-cache"] == "miss"
    assert again.text.rstrip().endswith("data: [DONE]")
    assert len(provider.requests) == 2


async def test_other_streams_of_a_connection_go_on_when_one_is_reset(
    closing: Gateway, closing_key: str, provider: Provider, asked: Question
) -> None:
    first, second = Gate(1), Gate(1)
    provider.once(Behaviour(output_tokens=WORDS, gate=first), Behaviour(output_tokens=WORDS, gate=second))
    async with Http2Client(closing, closing_key) as leaver:
        await leaver.ask(asked)
        await provider.until(lambda: len(provider.requests) == 1)
        await first.step(3)
        await leaver.body_holds(events(3))
        await leaver.leave()
        await provider.until(lambda: provider.requests[0].dropped_by_client)
        await leaver.ask(question(prompt="And this one?", cap=CAP, stream=True))
        assert await leaver.head() == 200
        second.release()
        body = await leaver.body_holds(lambda body: b"[DONE]" in body)

    assert body.count(b"data: ") >= WORDS
    await books_are_right(closing)
    one, other = attempts(closing)[-2:]
    assert (one["outcome"], other["outcome"]) == ("cut-client", "complete")
    assert other["output_tokens"] == WORDS


async def test_a_connection_that_closes_ends_every_stream_on_it(
    closing: Gateway, closing_key: str, provider: Provider
) -> None:
    provider.once(*(Behaviour(output_tokens=WORDS, gate=Gate(1)) for _ in range(5)))
    async with Http2Client(closing, closing_key) as leaver:
        for number in range(5):
            await leaver.ask(question(prompt=f"Stream {number}?", cap=CAP, stream=True))
            assert await leaver.head() == 200
    await provider.until(lambda: provider.bill().dropped_by_client == 5)
    await books_are_right(closing)
    assert {row["outcome"] for row in attempts(closing)[-5:]} == {"cut-client"}


@pytest.mark.parametrize("stage", ["before-the-head", "at-byte-0", "mid-stream"])
@pytest.mark.parametrize("protocol", CLIENTS)
async def test_with_drain_a_stream_is_read_on_and_the_true_figures_are_booked(
    draining: Gateway, draining_key: str, provider: Provider, asked: Question, protocol: str, stage: str
) -> None:
    gate = Gate(0 if stage == "before-the-head" else 1)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    async with CLIENTS[protocol](draining, draining_key) as leaver:
        await leaver.ask(asked)
        await provider.until(lambda: len(provider.requests) == 1)
        if stage == "mid-stream":
            await gate.step(4)
            await leaver.body_holds(events(4))
        elif stage == "at-byte-0":
            assert await leaver.head() == 200
        await leaver.leave()
    gate.release()
    await provider.until(lambda: provider.requests[0].completed)

    await books_are_right(draining)
    [row] = attempts(draining)[-1:]
    assert (row["state"], row["outcome"]) == ("settled", "drained")
    assert (row["input_tokens"], row["output_tokens"]) == bill(provider)
    assert row["output_tokens"] == WORDS


@pytest.mark.parametrize("protocol", CLIENTS)
async def test_with_drain_a_plain_answer_is_read_to_its_end(
    draining: Gateway, draining_key: str, provider: Provider, protocol: str
) -> None:
    gate = Gate()
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    async with CLIENTS[protocol](draining, draining_key) as leaver:
        await leaver.ask(question(prompt=f"Whole, {protocol}?", cap=CAP))
        await provider.until(lambda: len(provider.requests) == 1)
        await leaver.leave()
    gate.release()
    await provider.until(lambda: provider.requests[0].completed)

    await books_are_right(draining)
    [row] = attempts(draining)[-1:]
    assert row["state"] == "settled"
    assert (row["input_tokens"], row["output_tokens"]) == bill(provider)


async def test_who_leaves_while_the_request_is_still_being_sent_costs_nothing(
    closing: Gateway, closing_key: str, provider: Provider
) -> None:
    before = counters(closing)
    async with Http1Client(closing, closing_key) as leaver:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {closing_key}\r\n"
        await leaver.send(f'{head}content-length: 1000\r\n\r\n{{"model":'.encode())
        await leaver.leave()
    async with client(closing, closing_key) as by:
        assert (await by.get("/greyfox/me")).status_code == 200
    assert provider.requests == []
    assert counters(closing) == before


async def test_many_drops_leave_no_exchange_behind(closing: Gateway, closing_key: str, provider: Provider) -> None:
    provider.once(*(Behaviour(output_tokens=WORDS, gate=Gate(1)) for _ in range(25)))
    for number in range(25):
        async with CLIENTS["http1" if number % 2 else "http2"](closing, closing_key) as leaver:
            await leaver.ask(question(prompt=f"Drop {number}?", cap=CAP, stream=True))
            assert await leaver.head() == 200
    await provider.until(lambda: provider.bill().dropped_by_client == 25)
    await books_are_right(closing)
    async with client(closing, closing_key) as by:
        metrics = (await by.get(f"{closing.admin_url}/metrics")).text
    [line] = [line for line in metrics.splitlines() if line.startswith("greyfox_requests_in_flight ")]
    assert float(line.split()[1]) == 0
