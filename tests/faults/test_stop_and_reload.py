"""SIGTERM, and what changes while it runs: configuration, limits, keys."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import GatewayFactory
from tests.faults.conftest import Starter
from tests.faults.leaving import Http1Client
from tests.faults.scene import at_rest, attempts, bill, books_are_right, client, code_of, eventually, post, question
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway
from tests.kit.provider import Behaviour, Gate, Provider

WORDS, CAP = 20, 100
LIMIT = 5000
QUOTA: dict[str, Any] = {"name": "day", "per": "user", "period": "day", "input_tokens": 10**6, "output_tokens": LIMIT}


# --- the end


async def _ready(gateway: Gateway) -> int:
    """What `/readyz` says; 0 where nobody listens any more."""
    try:
        async with httpx.AsyncClient(trust_env=False) as by:
            return (await by.get(f"{gateway.admin_url}/readyz")).status_code
    except httpx.TransportError:
        return 0


async def _draining(gateway: Gateway) -> None:
    async def said() -> bool:
        return await _ready(gateway) == 503

    await eventually(said, what="/readyz never said 503")


async def test_on_sigterm_a_running_stream_ends_well_while_nobody_new_is_served(
    gateway: GatewayFactory, provider: Provider
) -> None:
    gate = Gate(1)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    one = await gateway(config_for(provider, quotas=[QUOTA]))
    key = await one.create_key("alice")
    async with Http1Client(one, key) as running, client(one, key) as idle:
        assert (await idle.get("/greyfox/me")).status_code == 200  # a connection that is open before
        await running.ask(question(cap=CAP, stream=True))
        assert await running.head() == 200
        await gate.step(3)
        await running.body_holds(lambda body: body.count(b"data: ") >= 3)
        stopping = asyncio.create_task(one.stop())
        await _draining(one)

        late = await post(idle, question(prompt="Am I too late?"))
        assert (late.status_code, code_of("openai", late.content)) == (503, "greyfox_unavailable")
        assert int(late.headers["retry-after"]) > 0
        async with client(one, key) as fresh:
            try:
                newcomer = await post(fresh, question(prompt="And I?"))
            except httpx.TransportError:
                pass  # not even accepted
            else:
                assert newcomer.status_code == 503

        gate.release()
        body = await running.body_holds(lambda body: b"[DONE]" in body)
        assert body.count(b"data: ") >= WORDS
        assert await stopping == 0
    assert len(provider.requests) == 1
    [row] = attempts(one)
    assert (row["state"], row["outcome"], row["input_tokens"], row["output_tokens"]) == (
        "settled",
        "complete",
        *bill(provider),
    )
    assert at_rest(one)


@pytest.mark.parametrize(
    ("stream", "on_drop"),
    [(False, "close"), (True, "close"), (True, "drain")],
    ids=["plain", "streamed", "streamed-though-drops-are-read-on"],
)
async def test_what_outlasts_the_drain_timeout_is_cut_and_settled(
    gateway: GatewayFactory, provider: Provider, stream: bool, on_drop: str
) -> None:
    gate = Gate(3 if stream else 0)
    provider.always(Behaviour(output_tokens=WORDS, gate=gate))
    parts: dict[str, Any] = {"limits": {"drain_timeout": "500ms"}, "accounting": {"on_drop": on_drop}}
    one = await gateway(config_for(provider, quotas=[QUOTA], **parts))
    key = await one.create_key("alice")
    async with client(one, key) as by:
        waiting = asyncio.create_task(post(by, question(cap=CAP, stream=stream)))
        await provider.until(lambda: len(provider.requests) == 1)
        await gate.held()
        assert await one.stop() == 0
        if stream:
            with pytest.raises(httpx.RemoteProtocolError):  # a cut, never an end that looks like one
                await waiting
        else:
            answer = await waiting
            assert (answer.status_code, code_of("openai", answer.content)) == (503, "greyfox_unavailable")
            assert "stopping" in answer.text
    await provider.until(lambda: provider.requests[0].dropped_by_client)
    [row] = attempts(one)
    assert row["state"] == "estimated"
    assert row["output_tokens"] >= bill(provider)[1] and row["input_tokens"] >= bill(provider)[0]
    assert at_rest(one)


async def test_an_idle_gateway_ends_at_once_on_sigterm_though_clients_are_connected(
    gateway: GatewayFactory, provider: Provider
) -> None:
    one = await gateway(config_for(provider, limits={"drain_timeout": "10m"}))
    key = await one.create_key("alice")
    async with client(one, key) as by, client(one, key, http2=True) as by_http2:
        assert (await post(by, question())).status_code == 200
        assert (await post(by_http2, question())).status_code == 200
        assert await one.stop(seconds=20) == 0


async def test_sigterm_leaves_a_ledger_that_the_next_start_finds_whole(
    gateway: GatewayFactory, provider: Provider
) -> None:
    one = await gateway(config_for(provider, quotas=[QUOTA], cache={"enabled": False}))
    key = await one.create_key("alice")
    async with client(one, key) as by:
        for number in range(20):
            assert (await post(by, question(prompt=f"Number {number}?"))).status_code == 200
    assert await one.stop() == 0
    assert len(attempts(one, state="settled")) == 20
    said = one.log_text()
    await one.run()
    assert "booked as estimates" not in one.log_text().removeprefix(said)
    await books_are_right(one)


# --- what changes while it runs


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(shared_gateway: Starter) -> AsyncIterator[Gateway]:
    yield await shared_gateway(quotas=[QUOTA], cache={"enabled": False})


@pytest_asyncio.fixture(loop_scope="module")
async def standing(shared_provider: Provider, running: Gateway, onlooker: str) -> AsyncIterator[Provider]:
    """The shared provider; afterwards the gateway has its first configuration again."""
    shared_provider.reset()
    yield shared_provider
    shared_provider.reset()
    running.configure(config_for(shared_provider, quotas=[QUOTA], cache={"enabled": False}))
    async with client(running, onlooker) as by:
        await _limit_becomes(by, LIMIT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def onlooker(running: Gateway) -> str:
    """A key whose user asks for nothing but what is left."""
    return await running.create_key("onlooker")


async def _limit(by: httpx.AsyncClient) -> int | None:
    answer = await by.get("/greyfox/me")
    side = answer.json()["quotas"][0]["output_tokens"]
    return side["limit"] if side else None


async def _limit_becomes(by: httpx.AsyncClient, wanted: int) -> None:
    async def told() -> bool:
        return await _limit(by) == wanted

    await eventually(told, what=f"the limit never became {wanted}")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_quota_lowered_in_the_file_holds_without_a_restart(running: Gateway, standing: Provider) -> None:
    standing.always(Behaviour(output_tokens=WORDS))
    key = await running.create_key("lowered")
    async with client(running, key) as by:
        first = await post(by, question(cap=CAP))
        assert first.headers["x-greyfox-quota-limit-output-tokens"] == str(LIMIT)
        running.configure(config_for(standing, quotas=[QUOTA | {"output_tokens": WORDS}], cache={"enabled": False}))
        await _limit_becomes(by, WORDS)
        refused = await post(by, question(cap=CAP))
        assert (refused.status_code, code_of("openai", refused.content)) == (429, "greyfox_quota_exhausted")
        assert f"({WORDS} of {WORDS})" in refused.json()["error"]["message"]
        running.configure(config_for(standing, quotas=[QUOTA], cache={"enabled": False}))
        await _limit_becomes(by, LIMIT)
        assert (await post(by, question(cap=CAP))).status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_broken_change_is_refused_with_its_line_and_the_old_configuration_stays(
    running: Gateway, standing: Provider
) -> None:
    key = await running.create_key("steady")
    lines = running.config_file.read_text().splitlines()
    running.config_file.write_text("\n".join([*lines, "no_such_thing: 1", ""]))
    await eventually(lambda: "no_such_thing" in running.log_text(), what="the broken change was never told")
    [told] = [line for line in running.log_text().splitlines() if "no_such_thing" in line and line.startswith("{")]
    assert f"config.yaml:{len(lines) + 1}:" in json.loads(told)["text"]
    assert "unchanged" in told
    async with client(running, key) as by:
        assert await _limit(by) == LIMIT
        assert (await post(by, question())).status_code == 200
        metrics = (await by.get(f"{running.admin_url}/metrics")).text
    assert 'greyfox_config_reloads_total{result="refused"}' in metrics


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_under_way_keeps_the_rules_that_it_began_with(running: Gateway, standing: Provider) -> None:
    gate = Gate(1)
    standing.always(Behaviour(output_tokens=WORDS, gate=gate))
    key = await running.create_key("midway")
    async with Http1Client(running, key) as leaver, client(running, key) as by:
        await leaver.ask(question(cap=CAP, stream=True))
        assert await leaver.head() == 200
        running.configure(config_for(standing, quotas=[QUOTA | {"output_tokens": 1}], cache={"enabled": False}))
        await _limit_becomes(by, 1)
        gate.release()
        await leaver.body_holds(lambda body: b"[DONE]" in body)
    await books_are_right(running)
    [row] = attempts(running, user="midway")
    assert (row["state"], row["output_tokens"]) == ("settled", WORDS)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_revoked_key_is_refused_and_another_of_the_same_user_is_not(
    running: Gateway, standing: Provider
) -> None:
    kept = await running.create_key("bob")
    made = await running.cli("key", "create", "--user", "bob", "--json")
    running.secrets.add(made.json()["key"])
    async with client(running, made.json()["key"]) as revoked, client(running, kept) as other:
        assert (await post(revoked, question())).status_code == 200
        done = await running.cli("key", "revoke", made.json()["id"])
        assert done.code == 0, done.stderr

        async def refused() -> bool:
            return (await post(revoked, question())).status_code == 401

        await eventually(refused, seconds=5, what="the revoked key is still good")
        asked = len(standing.requests)
        answer = await post(revoked, question())
        assert code_of("openai", answer.content) == "greyfox_unauthenticated"
        assert len(standing.requests) == asked
        assert (await post(other, question())).status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_limit_set_and_a_counter_reset_by_command_hold_while_it_runs(
    running: Gateway, standing: Provider
) -> None:
    standing.always(Behaviour(output_tokens=WORDS))
    key = await running.create_key("carol")
    async with client(running, key) as by:
        assert (await post(by, question(cap=CAP))).status_code == 200
        done = await running.cli("quota", "set", "day", "--user", "carol", "--output-tokens", str(WORDS))
        assert done.code == 0, done.stderr
        await _limit_becomes(by, WORDS)
        refused = await post(by, question(cap=CAP))
        assert code_of("openai", refused.content) == "greyfox_quota_exhausted"

        done = await running.cli("quota", "reset", "day", "--user", "carol")
        assert done.code == 0, done.stderr

        async def served() -> bool:
            return (await post(by, question(cap=CAP))).status_code == 200

        await eventually(served, what="the counter that was reset still refuses")
    shown = await running.cli("quota", "show", "--user", "carol", "--json")
    await books_are_right_after_reset(running)
    [quota] = shown.json()
    assert quota["subject"] == {"user": "carol"}
    assert (quota["output_tokens"]["limit"], quota["output_tokens"]["settled"]) == (WORDS, WORDS)


async def books_are_right_after_reset(gateway: Gateway) -> None:
    """A reset is a row with negative amounts, so the sums still agree."""
    await books_are_right(gateway)
    done = await gateway.cli("quota", "verify")
    assert done.code == 0, done.stdout + done.stderr


@pytest.mark.asyncio(loop_scope="module")
async def test_the_usage_report_tells_what_the_provider_billed(running: Gateway, standing: Provider) -> None:
    standing.always(Behaviour(output_tokens=WORDS, cached_tokens=2, reasoning_tokens=5, input_tokens=30))
    key = await running.create_key("dora", team="core")
    async with client(running, key) as by:
        for number in range(3):
            assert (await post(by, question(prompt=f"Number {number}?", cap=CAP))).status_code == 200
    await books_are_right(running)
    for dimension, name in (("user", "dora"), ("team", "core")):
        report = await running.cli("usage", "--by", dimension, "--since", "1d", "--json")
        assert report.code == 0, report.stderr
        [line] = [row for row in report.json() if row[dimension] == name]
        assert {name: line[name] for name in line if name != dimension} == {
            "requests": 3,
            "input_tokens": 90,
            "cached_input_tokens": 6,
            "output_tokens": 3 * (WORDS + 5),
            "reasoning_tokens": 15,
            "cache_hits": 0,
            "refused": 0,
            "estimated": 0,
        }
    assert bill(standing) == (90, 3 * (WORDS + 5))
