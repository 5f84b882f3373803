"""A key that is revoked while it is in use: what runs for it ends, and is booked at what came."""

import asyncio
from typing import Any

import pytest

from tests.conftest import GatewayFactory
from tests.faults.leaving import Http1Client
from tests.faults.scene import attempts, books_are_right, client, code_of, eventually, post, question, rest
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway
from tests.kit.provider import Behaviour, Gate, Provider
from tests.threats.test_tunnels import TlsServer, basic
from tests.threats.wire import request, wire

QUOTA: dict[str, Any] = {"name": "day", "per": "user", "period": "day", "input_tokens": 10**6, "output_tokens": 5000}


async def made(gateway: Gateway) -> tuple[str, str]:
    """A key of alice and its id."""
    told = (await gateway.cli("key", "create", "--user", "alice", "--json")).json()
    gateway.secrets.add(told["key"])
    return told["key"], told["id"]


async def revoke(gateway: Gateway, key_id: str) -> None:
    done = await gateway.cli("key", "revoke", key_id)
    assert done.code == 0, done.stderr


async def test_a_running_stream_of_a_revoked_key_is_cut_and_booked(gateway: GatewayFactory, provider: Provider) -> None:
    gate = Gate(1)
    provider.always(Behaviour(output_tokens=20, gate=gate))
    one = await gateway(config_for(provider, quotas=[QUOTA]))
    key, key_id = await made(one)
    async with Http1Client(one, key) as running:
        await running.ask(question(cap=100, stream=True))
        assert await running.head() == 200
        await gate.step(3)
        await running.body_holds(lambda body: body.count(b"data: ") >= 3)

        await revoke(one, key_id)

        with pytest.raises(AssertionError, match="ended early"):
            await running.body_holds(lambda body: b"[DONE]" in body)
    gate.release()
    await rest(one)
    [row] = attempts(one)
    assert (row["state"], row["outcome"]) == ("estimated", "cut-client")
    await books_are_right(one)


async def test_a_plain_request_of_a_revoked_key_is_refused_while_its_upstream_thinks(
    gateway: GatewayFactory, provider: Provider
) -> None:
    gate = Gate(0)
    provider.always(Behaviour(gate=gate))
    one = await gateway(config_for(provider, quotas=[QUOTA]))
    key, key_id = await made(one)

    async def asked() -> bool:
        return len(provider.requests) == 1

    async with client(one, key) as by:
        waiting = asyncio.create_task(post(by, question(cap=100)))
        await eventually(asked, what="the upstream was never asked")
        await revoke(one, key_id)
        answer = await waiting
    gate.release()
    assert answer.status_code == 401
    assert code_of("openai", answer.content) == "greyfox_unauthenticated"
    await rest(one)
    await books_are_right(one)


async def test_an_open_tunnel_of_a_revoked_key_is_closed(gateway: GatewayFactory, provider: Provider) -> None:
    async with TlsServer() as friend:
        one = await gateway(config_for(provider, proxy={"allow": [f"localhost:{friend.port}"]}))
        key, key_id = await made(one)
        async with wire(one.port) as line:
            goal = f"localhost:{friend.port}"
            await line.send(request("CONNECT", goal, basic(f"alice:{key}"), host=goal))
            reply = await line.reply(to_head=True)
            assert reply is not None and reply.status == 200

            await revoke(one, key_id)

            assert await line.ended()
