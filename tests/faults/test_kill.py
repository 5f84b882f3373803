"""`kill -9` under load: whatever the provider billed is in the ledger, once, and the next start works at once."""

import asyncio
import contextlib
from collections import Counter
from itertools import count

import httpx
import pytest

from tests.conftest import GatewayFactory
from tests.faults.scene import attempts, bill, booked, books_are_right, client, counters, post, question, verified
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway
from tests.kit.provider import Behaviour, Provider

WORDS, CAP, CALLERS = 30, 60, 24
QUOTA = {"name": "day", "per": "user", "period": "day", "input_tokens": 10**9, "output_tokens": 10**9}


async def _call_on_and_on(gateway: Gateway, key: str, numbers: "count[int]", stream: bool) -> None:
    """Ask for one model after the other, each once, until the gateway is gone."""
    with contextlib.suppress(httpx.HTTPError):
        async with client(gateway, key) as by:
            while True:
                asked = question(prompt="Go on!", model=f"gpt-4o-{next(numbers)}", cap=CAP, stream=stream)
                answer = await post(by, asked)
                assert answer.status_code == 200, answer.text


async def _kill_under_load(gateway: Gateway, key: str, provider: Provider, numbers: "count[int]", stream: bool) -> None:
    enough = len(provider.requests) + 3 * CALLERS
    callers = [asyncio.create_task(_call_on_and_on(gateway, key, numbers, stream)) for _ in range(CALLERS)]
    await provider.until(lambda: len(provider.requests) >= enough)
    await gateway.kill()
    await asyncio.gather(*callers)


def _everything_billed_is_booked_once(gateway: Gateway, provider: Provider) -> None:
    rows = attempts(gateway)
    of_model = {row["model"]: row for row in rows}
    assert [model for model, times in Counter(row["model"] for row in rows).items() if times > 1] == []
    for billed in provider.requests:
        row = of_model[billed.model]  # every request that reached the provider was durable before
        assert row["input_tokens"] >= billed.input_tokens and row["output_tokens"] >= billed.output_tokens
        if row["state"] == "settled":
            assert (row["input_tokens"], row["output_tokens"]) == (billed.input_tokens, billed.output_tokens)
    sent, received = booked(rows)
    assert sent >= bill(provider)[0] and received >= bill(provider)[1]
    [counter] = counters(gateway)
    assert (counter["settled_input"], counter["settled_output"]) == (sent, received)
    assert (counter["reserved_input"], counter["reserved_output"]) == (0, 0)


@pytest.mark.parametrize(("stream", "kills"), [(False, 1), (True, 2)], ids=["plain", "streamed"])
async def test_after_kill_9_under_load_the_ledger_holds_all_that_was_billed_and_nothing_twice(
    gateway: GatewayFactory, provider: Provider, stream: bool, kills: int
) -> None:
    # Streams are written slowly, so that the kill meets some in the middle.
    provider.always(Behaviour(output_tokens=WORDS, pace=0.005 if stream else 0))
    one = await gateway(config_for(provider, quotas=[QUOTA], cache={"enabled": False}))
    key = await one.create_key("alice")
    numbers = count()
    for _ in range(kills):  # the second time over the leavings of the first
        await _kill_under_load(one, key, provider, numbers, stream)
        await one.run()
        await books_are_right(one)
        _everything_billed_is_booked_once(one, provider)

    async with client(one, key) as by:
        assert (await post(by, question(prompt="And again?", model="gpt-4o-again"))).status_code == 200
    await verified(one)
    assert [row["state"] for row in attempts(one, model="gpt-4o-again")] == ["settled"]
    assert any(row["state"] == "estimated" for row in attempts(one)), "the kill met nothing under way"
    assert "attempts open" in one.log_text()  # what was booked in their place is told


async def test_what_kill_9_left_open_keeps_its_room_so_that_no_limit_is_passed(
    gateway: GatewayFactory, provider: Provider
) -> None:
    provider.always(Behaviour(output_tokens=1, pace=10))
    limited = QUOTA | {"output_tokens": 2 * CAP}
    one = await gateway(config_for(provider, quotas=[limited], cache={"enabled": False}))
    key = await one.create_key("alice")
    async with client(one, key) as by:
        asked = [question(prompt=f"Number {n}?", cap=CAP, stream=True) for n in range(2)]
        waiting = [asyncio.create_task(post(by, question_)) for question_ in asked]
        await provider.until(lambda: len(provider.requests) == 2)
        await one.kill()
        await asyncio.gather(*waiting, return_exceptions=True)
        await one.run()
        provider.reset()
        refused = await post(by, question(prompt="Is there room?", cap=CAP))
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "greyfox_quota_exhausted"
    assert provider.requests == []
    assert booked(attempts(one))[1] == 2 * CAP
